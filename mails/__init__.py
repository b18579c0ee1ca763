"""Mails to the merchant's customers: what each is for, what it says in French and English, and how it is set.

Pure: a kind and a `MailContext` go in, subject, text and HTML come out. Sending is the outbox's.
"""
