"""The books: every change of a row, one transaction per step. No network call happens in here.

Locks are taken in the order customer, subscription, invoice, number counter (engine 17).
"""
