"""What a decision about a subscription asks for beside its new value. Carried out in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from billing.calendar import Period
from billing.commands import CreditTo
from billing.discounts import Discount
from billing.subscription import Subscription
from billing.terms import Terms
from billing.values import Value


class InvoiceReason(StrEnum):
    """Why an invoice exists; part of its unique key (design 4.4)."""

    SIGNUP = "signup"
    PERIOD = "period"
    RESUME = "resume"
    CHANGE = "change"
    USAGE = "usage"
    """Usage only: after a cancel, a pause or a change of rhythm."""
    EARLY_EXIT = "early_exit"
    BROUGHT_IN = "brought_in"
    """A debt of another billing system: no document of ours."""


@dataclass(frozen=True)
class Issue:
    """Issue the invoice of a period.

    Attributes:
        period: what it covers.
        terms: what it is priced by.
        reason: why it exists.
        gated: a draft without number until it is paid or processing (rules 13).
        first_payment: its failure follows the policy for first payments (rules 24).
        delay_days: how many days after the issue its first charge is due (catch-up, rules 4).
        draft: written without number for a person to decide (rules 4).
        discounts: those of the period.
        once: the ids of prices billed once that are on it.
        waits_for_usage: a draft that is issued when late usage of the period before is in.
    """

    period: Period
    terms: Terms
    reason: InvoiceReason
    gated: bool = False
    first_payment: bool = False
    delay_days: int = 0
    draft: bool = False
    discounts: tuple[Discount, ...] = ()
    once: frozenset[str] = frozenset()
    waits_for_usage: bool = False


class TermsChange(Value):
    """What a change of terms makes of a subscription, from a day of the current period on.

    Kept beside the subscription while it waits for its payment.
    """

    command_id: str
    change_on: date
    terms: Terms
    discounts: tuple[Discount, ...] = ()
    anchor: date
    period: Period
    """The subscription's current period once it applies."""
    billed_period: Period
    """What the new terms bill: the rest of the same period, or of a period of another rhythm."""
    prorate: bool = True


@dataclass(frozen=True)
class BillChange:
    """Give back and bill the days from the change on (rules 8, 12).

    Attributes:
        change: what it becomes.
        old: the terms before it.
        fees_left: ids of prices billed once that terms before the old ones had; they are not billed again.
        if_paid: written as a gated draft and applied when that is paid; else applied already (rules 13).
    """

    change: TermsChange
    old: Terms
    fees_left: tuple[str, ...] = ()
    if_paid: bool = False


@dataclass(frozen=True)
class CreditUnused:
    """Give back the days from `from_day` on that were billed (rules 8, 12)."""

    from_day: date
    reason: str
    credit_to: CreditTo = CreditTo.BALANCE


@dataclass(frozen=True)
class GiveAllBack:
    """Give back everything that was billed (rules 32)."""

    reason: str
    credit_to: CreditTo = CreditTo.REFUND


@dataclass(frozen=True)
class BillEarlyExit:
    """Bill what leaving within a commitment costs.

    Attributes:
        from_day: first day that is not used.
        until: end of the commitment, exclusive.
        percent: share of what these days would have cost.
    """

    from_day: date
    until: date
    percent: Decimal


@dataclass(frozen=True)
class TurnMeters:
    """Usage up to this instant belongs to `before`, usage from it on to `after`.

    Attributes:
        before: the terms that ended; None where nothing was counted.
        after: the terms that begin; None where nothing is counted any more.
        at: when.
        on: local date of the turn.
        goes_on: the meters that count on as they did.
    """

    before: Terms | None
    after: Terms | None
    at: datetime
    on: date
    goes_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class CloseUsage:
    """The wait for late usage is over: issue the draft that waits for it, or an invoice of its own."""


@dataclass(frozen=True)
class Notify:
    """Write a mail; unique by (subscription, step, occurrence)."""

    step: str
    occurrence: str
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Emit:
    """Write a business event; entitlement and access are added when it is stored."""

    name: str
    data: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SettleDebtOnCancel:
    """Do what the policy's `after_cancel` says with each open invoice (rules 21)."""


@dataclass(frozen=True)
class DropGatedDraft:
    """Drop the gated draft: it never gets a number (rules 13)."""


@dataclass(frozen=True)
class DropWaitingDrafts:
    """What waits for usage is never issued: no debt for a service that was cut (the rules' table of statuses)."""


@dataclass(frozen=True)
class DecideDrafts:
    """Issue the drafts of missed periods that a person chose, drop the others; None issues all (rules 4)."""

    starts: tuple[date, ...] | None


Effect = (
    Issue
    | BillChange
    | CreditUnused
    | GiveAllBack
    | BillEarlyExit
    | TurnMeters
    | CloseUsage
    | Notify
    | Emit
    | SettleDebtOnCancel
    | DropGatedDraft
    | DropWaitingDrafts
    | DecideDrafts
)


@dataclass(frozen=True)
class Transition:
    """A decision: the subscription as it is afterwards, and what else is to be done."""

    after: Subscription
    effects: tuple[Effect, ...] = ()

    def then(self, *effects: Effect) -> Transition:
        """The same decision with more to be done."""
        return Transition(self.after, (*self.effects, *effects))
