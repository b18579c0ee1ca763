"""What people and backends ask of a subscription. Every command carries an id: asking twice is asking once."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from billing.terms import Terms
from billing.values import Value


class When(StrEnum):
    """When a command takes effect; the caller chooses, it is never guessed from prices."""

    NOW = "now"
    PERIOD_END = "period_end"


class BaseCommand(Value):
    """What every command carries."""

    kind: str
    command_id: str = Field(min_length=1, max_length=100)
    by: str = Field(default="api", max_length=100)
    """Who asked: an operator's or a key's name, never a customer's personal data."""
    reason: str = Field(default="", max_length=200)
    as_of: datetime | None = None
    """The sender's now on a test clock; the receiver takes the larger (engine 24)."""


class ChangePlan(BaseCommand):
    """Another plan from the period's end on."""

    kind: Literal["change_plan"] = "change_plan"
    plan_id: str
    quantity: int | None = None
    """None keeps the present one."""
    terms: Terms | None = None
    """The plan's terms as the client read them; None lets the subscription look them up."""


class ChangeQuantity(BaseCommand):
    """Another number of seats from the period's end on."""

    kind: Literal["change_quantity"] = "change_quantity"
    quantity: int = Field(ge=1, le=1_000_000)


class Cancel(BaseCommand):
    """The end, now or with the period."""

    kind: Literal["cancel"] = "cancel"
    when: When = When.PERIOD_END


class KeepSubscription(BaseCommand):
    """Takes back a cancel or a pause that has not taken effect yet."""

    kind: Literal["keep"] = "keep"


class Pause(BaseCommand):
    """A pause, now or from the period's end."""

    kind: Literal["pause"] = "pause"
    when: When = When.PERIOD_END
    credit: bool = False
    """Only with `now`: credit the unused days and end access at once."""


class Resume(BaseCommand):
    """Back from a pause, from unpaid, or from parked."""

    kind: Literal["resume"] = "resume"
    issue: tuple[date, ...] | None = None
    """Parked for too many missed periods: the starts of those to issue; the other drafts are dropped."""


class RetryNow(BaseCommand):
    """Charge what is open at once; passed on to the collection that drives."""

    kind: Literal["retry_now"] = "retry_now"


Command = Annotated[
    ChangePlan | ChangeQuantity | Cancel | KeepSubscription | Pause | Resume | RetryNow,
    Field(discriminator="kind"),
]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)
