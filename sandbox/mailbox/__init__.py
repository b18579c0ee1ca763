"""A mailbox that speaks SendGrid's mail API: it takes every mail, sends none, and shows them to a person."""
