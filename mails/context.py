"""What a mail is told: plain data only, amounts in minor units, dates as local dates of the reader."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AwareDatetime, Field

from billing.calendar import Interval
from billing.dunning import EndForSubscription
from billing.errors import InvalidInput
from billing.money import check_currency
from billing.payment import DeclineClass
from billing.shown_prices import PriceTax
from billing.values import Value
from mails.formats import Language
from mails.kinds import KINDS, MailKind


class MissingMailField(InvalidInput):
    """A mail cannot be written because the caller left out something that its kind needs.

    Attributes:
        kind: the mail.
    """

    def __init__(self, kind: MailKind, field: str) -> None:
        super().__init__(f"The mail {kind} needs {field}. Give it in the mail's context.", field=field)
        self.kind = kind


def _check_link(url: str) -> str:
    if not url.startswith(("https://", "http://")) or any(c.isspace() or not c.isprintable() for c in url):
        msg = "a link starts with https:// or http:// and has no spaces"
        raise ValueError(msg)
    return url


def _check_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        msg = f"{name!r} is no IANA time zone"
        raise ValueError(msg) from error
    return name


def _check_currency(code: str) -> str:
    try:
        return check_currency(code)
    except InvalidInput as error:
        raise ValueError(error.message) from error


Link = Annotated[str, AfterValidator(_check_link)]
Zone = Annotated[str, AfterValidator(_check_zone)]
CurrencyCode = Annotated[str, AfterValidator(_check_currency)]


class TrialEnd(StrEnum):
    """What the end of a trial leads to (rules 3)."""

    CHARGE = "charge"
    """There is a usable payment method: it is charged."""
    CANCEL = "cancel"
    PAUSE = "pause"
    INVOICE = "invoice"


class CanceledBy(StrEnum):
    """Who or what ended a subscription."""

    CUSTOMER = "customer"
    MERCHANT = "merchant"
    NON_PAYMENT = "non_payment"


class TakenBackBy(StrEnum):
    """How a payment that had succeeded went back (rules 16)."""

    RETURN = "return"
    """A returned direct debit."""
    DISPUTE = "dispute"
    """A dispute that was decided for the payer."""
    MISTAKE = "mistake"
    """A transfer that the seller had recorded by mistake."""


class MailMerchant(Value):
    """The seller as the mail shows it."""

    name: str
    address_lines: tuple[str, ...]
    support_mail: str
    legal_line: str | None = None
    """Form, capital, registration and VAT number, in one line."""


class MailLine(Value):
    """A line of an invoice."""

    description: str
    net_minor: int


class PriceLine(Value):
    """A price before and after a change, in the reader's words."""

    description: str
    before: str | None = None
    """None where it is new."""
    after: str | None = None
    """None where it goes."""


class OpenInvoice(Value):
    """An invoice that is still to be paid, in whole or in part."""

    number: str
    issued_on: date
    currency: CurrencyCode
    open_minor: int = Field(gt=0)
    """What is left to pay."""
    subscription_reference: str
    due_on: date | None = None
    """Of one that is paid by transfer."""


class BankAccount(Value):
    """Where a transfer goes."""

    holder: str
    iban: str
    """In groups, as people read it."""
    bic: str | None = None


class MailDiscount(Value):
    """What is taken off, in the reader's words."""

    name: str
    off: str
    periods: int | None = None
    """Off the first so many payments; None for all of them."""


class MailOrder(Value):
    """What was ordered and agreed to on the sign-up page."""

    ordered_on: date
    due_minor: int
    """What was due at once, tax included."""
    regular_minor: int
    """Of a whole period with tax, before discounts and without one-off prices."""
    every: Interval
    trial_end_on: date | None = None
    """First day after the trial."""
    committed_until: date | None = None
    """First day after the commitment."""
    discounts: tuple[MailDiscount, ...] = ()
    usage_tax: PriceTax = PriceTax.BEFORE
    """What `prices`, those of usage, say of tax."""
    tax_note: str = ""
    """Why there is no VAT."""
    terms_url: Link | None = None
    terms_version: str = ""
    debit_text: str = ""
    """By which debits were authorised."""
    debit_version: str = ""
    early_start: bool = False
    """Asked for expressly by a consumer (rules 32)."""
    withdraw_until: date | None = None
    """Last day of a consumer's right of withdrawal; None for businesses."""


class MailContext(Value):
    """All that any mail may say. Which fields a kind cannot do without is in `mails.kinds`.

    Dates are the reader's local dates. `None` and an empty list mean "there is none" and the mail is worded
    accordingly.
    """

    locale: str
    """The customer's locale; French for `fr` and its regions, English for all else."""
    merchant: MailMerchant
    subscription_reference: str
    customer_name: str | None = None
    timezone: Zone | None = None
    """Where an instant is shown."""
    test: bool = False
    """Sent from a sandbox or a test clock: says so in the subject and on top."""

    plan_name: str | None = None
    previous_plan_name: str | None = None
    previous_amount_minor: int | None = None
    """Price of a period before a change, as `amount_minor` is the one after it; with tax where `tax_minor` is given."""
    prices: tuple[PriceLine, ...] = ()
    quantity: int | None = None
    previous_quantity: int | None = None

    invoice_number: str | None = None
    issued_on: date | None = None
    period_start_on: date | None = None
    period_end_on: date | None = None
    """Exclusive, as everywhere; the mail shows the day before."""
    lines: tuple[MailLine, ...] = ()
    tax_minor: int | None = None
    currency: CurrencyCode | None = None
    amount_minor: int | None = None
    """What the mail is about: invoice total with tax, amount paid, declined or asked for, price of the term."""
    balance_applied_minor: int | None = None
    """Balance used to pay the invoice, a positive amount."""
    due_minor: int | None = None
    """What is left to pay of an invoice after the balance; without it, all of `amount_minor`."""
    due_on: date | None = None
    """When the invoice is due: the day of the charge, or the last day for a transfer."""

    by_transfer: bool = False
    """Whether the customer pays by bank transfer, and is never charged."""
    bank: BankAccount | None = None
    """Where to; None where the seller has named no account."""
    transfer_reference: str | None = None
    """What to quote with the transfer: the numbers of the invoices."""
    reminder: int | None = None
    """Which reminder of a chase it is, from 1: a later one is firmer."""
    interest_minor: int | None = None
    """Interest on late payment, in EUR cents; None where it is not known, or none may be asked for."""
    recovery_minor: int | None = None
    """Fixed costs of recovery, in EUR cents; None for everybody but businesses."""
    days_late: int | None = None
    unapplied_minor: int | None = None
    """Of a payment, what no invoice asked for."""
    claim_minor: int | None = None
    """Of a payment, what paid a claim for late payment."""

    method_label: str | None = None
    """The payment method as the customer knows it, for example `Visa •••• 4242`. None where there is none."""
    in_place_of: str | None = None
    """The method that could not be charged, where its backup was, as the customer had agreed."""
    debit_on: date | None = None
    """The day of a SEPA debit that is announced."""
    debit_ordered: bool = False
    """Whether the reader has just ordered it; else it is made without them."""
    mandate_reference: str | None = None
    """Unique mandate reference (RUM)."""
    mandate_signed_on: date | None = None
    """When the payer accepted that mandate, in another system too."""
    creditor_id: str | None = None
    """SEPA creditor identifier (ICS)."""
    mandate_ended: bool = False
    """Whether the account on file may not be debited any more: its mandate was revoked, or lapsed."""
    card_expires_on: date | None = None
    """Any date in the card's last month."""
    card_expired: bool = False
    """Whether that month is over already."""
    paid_on: date | None = None
    service_restored: bool = False
    """Whether the payment brought a suspended service back."""

    attempted_on: date | None = None
    """Day of the declined charge; None where no charge was made."""
    decline_class: DeclineClass | None = None
    next_try_on: date | None = None
    """Next automatic charge; None where none will be made."""
    deadline_on: date | None = None
    """Last day to act, inclusive: for a dunning policy the day before its end day, whose step comes at 09:00."""
    deadline_at: AwareDatetime | None = None
    consequence: EndForSubscription | None = None
    """What the end of the policy does to the subscription; None or `keep` where it has already ended."""
    promised_on: date | None = None
    """The date on which the customer promised to pay."""
    open_invoices: tuple[OpenInvoice, ...] = ()
    """Oldest first."""
    occurred_on: date | None = None
    taken_back_by: TakenBackBy | None = None

    requested_on: date | None = None
    received_at: AwareDatetime | None = None
    """When a withdrawal reached us."""
    effective_on: date | None = None
    """First day on which a change, pause, resume or suspension applies."""
    last_day_on: date | None = None
    """Last day on which the service may be used, inclusive."""
    goes_on: bool = False
    """Whether periods are still billed before that day."""
    resumes_on: date | None = None
    ended_on: date | None = None
    canceled_by: CanceledBy | None = None
    credited_minor: int | None = None
    """Unused days that were credited."""
    refunded_minor: int | None = None
    """Money on its way back."""
    credit_note_number: str | None = None
    closes_minor: int | None = None
    """What a credit note takes off an invoice that is still open."""
    balance_added_minor: int | None = None
    """What it adds to the customer's balance."""
    kept_minor: int | None = None
    """A payment that was under way at the cancel, succeeded and is kept (engine 4)."""
    final_invoice_on: date | None = None
    """When what was used and is not billed yet comes on a last invoice, after the end."""

    order: MailOrder | None = None
    renews_on: date | None = None
    trial_end: TrialEnd | None = None
    next_charge_on: date | None = None
    next_amount_minor: int | None = None

    pay_url: Link | None = None
    portal_url: Link | None = None
    cancel_url: Link | None = None

    @property
    def language(self) -> Language:
        """The language to write in."""
        return Language.of(self.locale)

    @property
    def open_totals(self) -> tuple[tuple[str, int], ...]:
        """What is owed on `open_invoices`: (currency, minor units) per currency, in order of appearance."""
        totals: dict[str, int] = {}
        for invoice in self.open_invoices:
            totals[invoice.currency] = totals.get(invoice.currency, 0) + invoice.open_minor
        return tuple(totals.items())


def check_complete(kind: MailKind, context: MailContext) -> None:
    """Refuse a context that lacks what `kind` must say.

    Raises:
        MissingMailField: naming the first missing field in the order of the registry.
    """
    for field in KINDS[kind].requires:
        if getattr(context, field) in (None, (), ""):
            raise MissingMailField(kind, field)
