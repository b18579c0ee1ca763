"""What somebody agreed to when they ordered on the sign-up page, as it was shown to them. Kept as evidence."""

from __future__ import annotations

from datetime import date, datetime

from billing.calendar import Interval
from billing.discounts import Discount
from billing.shown_prices import ShownPrices
from billing.values import Value


class OfferLine(Value):
    """What is billed at once, line by line."""

    description: str
    net_minor: int


class SignupOffer(Value):
    """The offer that was ordered: what the mail that confirms the contract repeats. Dates are the buyer's."""

    on: date
    """The day of the order."""
    plan_name: str
    quantity: int | None
    """None where no price depends on it."""
    every: Interval
    lines: tuple[OfferLine, ...]
    vat_minor: int
    """In what is due at once."""
    total_minor: int
    """Due at once, tax included."""
    regular_minor: int
    """Of a whole period with tax, before discounts and without one-off prices."""
    next_on: date | None
    next_minor: int | None
    """The next payment, tax included, without what is used."""
    trial_end_on: date | None
    """First day after the trial."""
    committed_until: date | None
    """First day after the commitment."""
    discounts: tuple[Discount, ...]
    usage: ShownPrices
    """Of what is billed afterwards."""
    by_transfer: bool
    tax_note_fr: str
    tax_note_en: str
    """Why there is no VAT."""


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
    offer: SignupOffer | None = None
    """What was ordered. None on orders that were taken down before it was kept."""
