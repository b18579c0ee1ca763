"""What somebody agreed to when they ordered on the sign-up page, as it was shown to them. Kept as evidence."""

from __future__ import annotations

from datetime import datetime

from billing.values import Value


class SignupConsent(Value):
    """An order with all that was accepted with it."""

    at: datetime
    """Real time."""
    ip_address: str
    user_agent: str
    language: str
    shown: str
    """Fingerprint of the offer that was on the page: another one is not carried out."""
    due_minor: int
    """What was shown as due at once, tax included."""
    currency: str
    button: str
    """The words on the order button."""
    terms_url: str = ""
    """Terms of sale that were accepted; empty where the seller named none."""
    terms_version: str = ""
    debit_text: str = ""
    """By which the buyer authorised the debits; empty where nothing is debited."""
    debit_version: str = ""
    early_start: bool = False
    """A consumer asked expressly that the service begin within the time for withdrawal."""
    early_start_text: str = ""
    """With what words; empty where it was not offered."""
