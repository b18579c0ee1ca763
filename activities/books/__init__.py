"""The books: every change of a row, one transaction per step. No network call happens in here.

Locks are taken in the order customer, subscription, invoice, card, number counter (engine 17). A charge that is
queued while a number is given locks no card.
"""
