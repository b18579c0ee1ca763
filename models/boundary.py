"""The values that cross between workflows and activities. Ids and outcome classes only, no personal data."""

from __future__ import annotations

from datetime import date, datetime

from billing.commands import Command
from billing.payment import Outcome, Trigger
from billing.subscription import Subscription
from billing.values import Value


class ChargeOrder(Value):
    """Make one payment attempt on one invoice."""

    invoice_id: str
    number: int
    """The attempt's number within the invoice."""
    trigger: Trigger
    as_of: datetime | None = None
    """The business instant; set by the workflow that asks."""
    asked_by: str = ""


class ChargeReport(Value):
    """What came of an attempt."""

    outcome: Outcome | None = None
    """None when the gate refused, for `refused`."""
    refused: str = ""
    subscription: Subscription | None = None
    """The subscription as it is after the outcome was written."""


class Duties(Value):
    """What the rows say that the subscription's workflow still has to do."""

    charge: tuple[ChargeOrder, ...] = ()
    collect: tuple[str, ...] = ()
    """Invoices whose collection has to be started."""

    @property
    def none(self) -> bool:
        """Whether nothing is left to do."""
        return not self.charge and not self.collect


class SubscriptionReport(Value):
    """The subscription as its row has it after a step, and what follows."""

    subscription: Subscription
    duties: Duties = Duties()
    refused: str = ""
    """Why a command that had been accepted could not be carried out any more."""
    pass_on_to: str | None = None
    """The invoice whose collection a `retry_now` is meant for."""


class StepOrder(Value):
    """Take the step that is due."""

    subscription_id: str
    kind: str
    key: str = ""
    as_of: datetime


class CommandOrder(Value):
    """Carry out a command."""

    subscription_id: str
    command: Command
    as_of: datetime


class LookOrder(Value):
    """Read something afresh."""

    id: str
    as_of: datetime


class ParkOrder(Value):
    """Write down that a workflow cannot go on."""

    subscription_id: str
    reason: str
    remedy: str
    as_of: datetime


class Wish(Value):
    """A person asks that what is open be charged now; unique by its command id."""

    trigger: Trigger
    command_id: str
    as_of: datetime | None = None
    by: str = ""


class Promise(Value):
    """A promise to pay by a date (rules 25)."""

    command_id: str
    on: date
    by: str = ""
    reason: str = ""
    as_of: datetime | None = None
