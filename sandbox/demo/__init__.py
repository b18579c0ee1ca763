"""A year of billing in front of one's eyes: customers with different fates, on a test clock, checked to the cent.

It meets Relance as a backend does, through `starter`, and the sandbox's fakes over HTTP.
"""
