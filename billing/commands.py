"""What people and backends ask of a subscription. Every command carries an id: asking twice is asking once."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from billing.agreed import Agreed
from billing.discounts import Discount
from billing.terms import Terms
from billing.values import Value


class When(StrEnum):
    """When a command takes effect; the caller chooses, it is never guessed from prices."""

    NOW = "now"
    PERIOD_END = "period_end"


class CreditTo(StrEnum):
    """Where the money of a credit goes, once it has closed what was open (rules 12)."""

    BALANCE = "balance"
    """It pays later invoices."""
    REFUND = "refund"
    """It goes back the way it came."""
    NONE = "none"
    """Nothing is credited: the days were paid and stay paid."""


class BaseCommand(Value):
    """What every command carries."""

    kind: str
    command_id: str = Field(min_length=1, max_length=100)
    by: str = Field(default="api", max_length=100)
    """Who asked: an operator's or a key's name, never a customer's personal data."""
    reason: str = Field(default="", max_length=200)
    as_of: datetime | None = None
    """The sender's now on a test clock; the receiver takes the larger (engine 24)."""


class Change(BaseCommand):
    """What every change of terms says beside what changes.

    A change now bills the rest of the period at the new terms and gives the old ones back; several in one period are
    counted one on the other. At the period's end the last one asked for wins.
    """

    when: When = When.PERIOD_END
    prorate: bool = True
    """Only with `now`: bill and give back days. Without, the period stays as it was billed."""
    if_paid: bool = False
    """Only with `now`: apply it when what it bills is paid, and never otherwise (rules 13, engine 16)."""
    keep_anchor: bool = False
    """Only with `now` and another rhythm: count the new periods from the old anchor (rules 8)."""
    previewed_on: date | None = None
    """The customer's date of the preview that this follows; on another day the change is refused."""


class ChangePlan(Change):
    """Another plan."""

    kind: Literal["change_plan"] = "change_plan"
    plan_id: str
    quantity: int | None = None
    """None keeps the present one."""
    terms: Terms | None = None
    """The plan's terms as the client read them; None lets the subscription look them up."""


class ChangeQuantity(Change):
    """Another number of seats."""

    kind: Literal["change_quantity"] = "change_quantity"
    quantity: int = Field(ge=1, le=1_000_000)


class ChangeTerms(Change):
    """Anything else that was agreed with this one customer; the plan stays."""

    kind: Literal["change_terms"] = "change_terms"
    agreed: Agreed = Agreed()
    add_discount: Discount | None = None
    remove_discount: str | None = Field(default=None, max_length=64)
    """Id of the coupon whose discount ends."""


class MigratePlan(BaseCommand):
    """The seller moves a subscription to another plan's prices: told now, applied at a renewal after the notice."""

    kind: Literal["migrate_plan"] = "migrate_plan"
    from_plan_id: str
    """Of the plan whose subscribers are moved; a subscription with another one is left alone."""
    plan_id: str
    notice_days: int = Field(ge=1, le=365)
    old: Terms | None = None
    """That plan's terms; None lets the books look them up."""
    new: Terms | None = None


class AddCoupon(BaseCommand):
    """A coupon on offer, taken off from the next billed period on. It is counted once and for good."""

    kind: Literal["add_coupon"] = "add_coupon"
    code: str = Field(min_length=1, max_length=64)
    """As the customer typed it."""
    discount: Discount | None = None
    """The coupon's as the client read it; None lets the subscription look it up. What counts is the coupon's own."""


class UndoChange(BaseCommand):
    """Takes back a change that has not taken effect: one for the period's end, or one that waits for its payment.

    Where there is none, a price that was announced.
    """

    kind: Literal["undo_change"] = "undo_change"


class Cancel(BaseCommand):
    """The end: now, with the period, or with the first period that ends on or after a date."""

    kind: Literal["cancel"] = "cancel"
    when: When = When.PERIOD_END
    on: date | None = None
    """Only with `period_end`: the customer's date up to which it goes on and is billed (rules 20)."""
    credit_to: CreditTo = CreditTo.BALANCE
    """Only with `now`: what becomes of the days that were paid and are not used."""


class Withdraw(BaseCommand):
    """A consumer goes back on the contract within the legal time: the end at once, and the money back (rules 32)."""

    kind: Literal["withdraw"] = "withdraw"


class KeepSubscription(BaseCommand):
    """Takes back a cancel or a pause that has not taken effect yet."""

    kind: Literal["keep"] = "keep"


class Pause(BaseCommand):
    """A pause, now or from the period's end."""

    kind: Literal["pause"] = "pause"
    when: When = When.PERIOD_END
    credit: bool = False
    """Only with `now`: credit the unused days and end access at once."""
    credit_to: CreditTo = CreditTo.BALANCE
    """Where that credit goes, as far as it was paid."""


class Resume(BaseCommand):
    """Back from a pause, from unpaid, or from parked."""

    kind: Literal["resume"] = "resume"
    issue: tuple[date, ...] | None = None
    """Parked for too many missed periods: the starts of those to issue; the other drafts are dropped."""


class RetryNow(BaseCommand):
    """Charge what is open at once; passed on to the collection that drives."""

    kind: Literal["retry_now"] = "retry_now"


Command = Annotated[
    ChangePlan
    | ChangeQuantity
    | ChangeTerms
    | MigratePlan
    | AddCoupon
    | UndoChange
    | Cancel
    | Withdraw
    | KeepSubscription
    | Pause
    | Resume
    | RetryNow,
    Field(discriminator="kind"),
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)


def ends_now(command: Command) -> bool:
    """Whether the subscription ends with this command: nothing is charged from then on that nobody asks for (I5)."""
    return isinstance(command, Withdraw) or (isinstance(command, Cancel) and command.when is When.NOW)
