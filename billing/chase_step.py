"""A step of a chase: what it does, when, and why. What comes next is decided in `billing.chase`."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from billing.calendar import local_date
from billing.case import Case
from billing.payment import Trigger
from billing.reason import Because, Reason
from billing.values import Value


class StepKind(StrEnum):
    """What is done at a step."""

    CHARGE = "charge"
    """Make an attempt with the step's trigger, or the queued one whose number it names."""
    LATE = "late"
    """The tolerance for a transfer is over: from now on the invoice is in arrears (rules 20, 22)."""
    NOTICE = "notice"
    """Write the mail's row."""
    END = "end"
    """Carry out the policy's two end actions and write their mail; a gated draft is dropped."""
    SETTLE = "settle"
    """Ask the provider what became of a live attempt and write the answer down; one that waits for the payer
    is closed as abandoned, one that was never sent is dropped."""
    REST = "rest"
    """Nothing is due: waits for what the reason names."""
    CLOSED = "closed"
    """Nothing is owed any more: the collection may return."""


class Mail(StrEnum):
    """The mails of a chase, but for the one that END writes."""

    PAYMENT_FAILED = "payment_failed"
    REMINDER = "reminder"
    LAST_NOTICE = "last_notice"
    PAYMENT_LINK = "payment_link"
    DEBIT_NOTICE = "debit_notice"
    """A direct debit is going to be made (rules 28)."""


class NextStep(Value):
    """One step of a chase."""

    kind: StepKind
    due: datetime | None = None
    """Its planned instant, in the past where it is late; None where the chase only waits."""
    policy_day: int | None = None
    """The policy day that the step stands for; after missed days the latest of them."""
    trigger: Trigger | None = None
    attempt: int | None = None
    """Number of an attempt that exists already: the one to settle, or the queued one to make."""
    mail: Mail | None = None
    debit_on: date | None = None
    """Of the notice of a direct debit: the day that it announces."""
    why: Reason

    @property
    def key(self) -> str | None:
        """What identifies a mail within its chase: `payment_failed`, `reminder:7`, `debit_notice:2027-03-30`."""
        if self.mail is Mail.DEBIT_NOTICE:
            return f"{self.mail}:{self.debit_on}"
        return f"{self.mail}:{self.policy_day}" if self.mail is Mail.REMINDER else self.mail


def last_code(case: Case) -> str | None:
    """The code of the last failed attempt."""
    failure = case.last_failure
    return failure.decline_code if failure is not None else None


def reason_for(case: Case, because: Because, *, due: datetime | None = None) -> Reason:
    """Why a step comes, as far as every step knows."""
    on = local_date(due, case.timezone) if due is not None else None
    return Reason(because=because, policy=case.policy.title, on=on)
