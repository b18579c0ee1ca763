"""The portal: a space in which customers see to their subscription themselves. HTML forms, no script.

It asks the same client as everybody else, and decides nothing about money.
"""
