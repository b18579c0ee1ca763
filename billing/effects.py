"""What a decision about a subscription asks for beside its new value. Carried out in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from billing.calendar import Period
from billing.subscription import Subscription
from billing.terms import Terms


class InvoiceReason(StrEnum):
    """Why an invoice exists; part of its unique key (design 4.4)."""

    SIGNUP = "signup"
    PERIOD = "period"
    RESUME = "resume"


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
    """

    period: Period
    terms: Terms
    reason: InvoiceReason
    gated: bool = False
    first_payment: bool = False
    delay_days: int = 0
    draft: bool = False


@dataclass(frozen=True)
class CreditUnused:
    """Credit the days from `from_day` to the end of the paid period (rules 8, 12)."""

    from_day: date
    reason: str


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
class DecideDrafts:
    """Issue the drafts of missed periods that a person chose, drop the others; None issues all (rules 4)."""

    starts: tuple[date, ...] | None


Effect = Issue | CreditUnused | Notify | Emit | SettleDebtOnCancel | DropGatedDraft | DecideDrafts


@dataclass(frozen=True)
class Transition:
    """A decision: the subscription as it is afterwards, and what else is to be done."""

    after: Subscription
    effects: tuple[Effect, ...] = ()

    def then(self, *effects: Effect) -> Transition:
        """The same decision with more to be done."""
        return Transition(self.after, (*self.effects, *effects))
