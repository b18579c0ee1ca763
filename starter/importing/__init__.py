"""Bringing in customers and running subscriptions from another billing system: looked at first, live by command."""
