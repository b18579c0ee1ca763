"""What can come of a payment attempt. Business outcomes are values; only faults are exceptions."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from billing.values import Value


class DeclineClass(StrEnum):
    """What a decline allows next (design 6.4)."""

    RETRY = "retry"
    """Technical: once more within hours, then as `retry_later`."""
    RETRY_LATER = "retry_later"
    """On the schedule, days later."""
    NEEDS_CUSTOMER = "needs_customer"
    """No automatic try; the payer must authenticate, re-enter or call the bank."""
    NEW_PAYMENT_METHOD = "new_payment_method"
    """This instrument is dead; ask for another."""
    FRAUD_STOP = "fraud_stop"
    """Never again on this instrument; no reason is ever shown to the payer."""

    @property
    def allows_automatic_retry(self) -> bool:
        """Whether the same instrument may be charged again without a person asking."""
        return self in (DeclineClass.RETRY, DeclineClass.RETRY_LATER)

    @property
    def is_dead(self) -> bool:
        """Whether the instrument will not pay, whatever the customer does about it."""
        return self in (DeclineClass.NEW_PAYMENT_METHOD, DeclineClass.FRAUD_STOP)


class AttemptState(StrEnum):
    """States of a payment attempt (engine 1)."""

    QUEUED = "queued"
    STARTED = "started"
    PROCESSING = "processing"
    ACTION_REQUIRED = "action_required"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    ABANDONED = "abandoned"
    RETURNED = "returned"

    @property
    def is_live(self) -> bool:
        """Whether money may still move for this attempt; at most one such attempt per invoice."""
        return self in LIVE_STATES


LIVE_STATES = frozenset(
    {
        AttemptState.QUEUED,
        AttemptState.STARTED,
        AttemptState.PROCESSING,
        AttemptState.ACTION_REQUIRED,
        AttemptState.UNKNOWN,
    }
)


class Trigger(StrEnum):
    """Why an attempt was made."""

    FIRST = "first"
    """The charge of day 0."""
    REPEAT = "repeat"
    """The one repeat of a technical decline, hours later (rules 23)."""
    RETRY = "retry"
    """A retry on a day of the policy."""
    PROMISE = "promise"
    """The charge on the day to which the customer promised to pay (rules 25)."""
    BACKUP = "backup"
    """The first charge of the backup method, at once, since the default one is dead."""
    RENEWED = "renewed"
    """A charge of the same method at once, since its card was renewed by the bank."""
    METHOD_REPLACED = "method_replaced"
    CUSTOMER = "customer"
    """Pay now, from the portal or a link."""
    SUPPORT = "support"
    """Retry now, by a person of the merchant."""

    @property
    def is_automatic(self) -> bool:
        """Whether it counts against the first charge and four retries of rules 23."""
        return self not in (Trigger.METHOD_REPLACED, Trigger.CUSTOMER, Trigger.SUPPORT)

    @property
    def is_repeat(self) -> bool:
        """Whether it tries a card again that was declined, without a person asking (rules 27)."""
        return self.is_automatic and self is not Trigger.FIRST


class Paid(Value):
    """The money was taken."""

    outcome: Literal["paid"] = "paid"
    payment_intent: str
    charge: str | None = None


class ProviderFee(Value):
    """What the provider keeps of us for a payment that brought nothing."""

    id: str
    """The provider's, of the movement that took it."""
    amount_minor: int
    """ISO 4217 minor units; negative where a fee is given back."""
    currency: str
    """ISO 4217 code, in capitals: that of our account, which need not be that of the payment."""


class Declined(Value):
    """The bank, or the provider on its behalf, said no. News, not a fault."""

    outcome: Literal["declined"] = "declined"
    payment_intent: str | None = None
    code: str
    """The most precise code that the provider gave, e.g. `insufficient_funds`."""
    decline_class: DeclineClass
    not_before: datetime | None = None
    """Earliest instant of another automatic try, where the network named one."""
    never_again: bool = False
    """The card's network allows no repeat at all (rules 27)."""
    fees: tuple[ProviderFee, ...] = ()
    """Of a debit that failed days later: what that costs us."""


class Processing(Value):
    """Accepted, settles later (SEPA: days)."""

    outcome: Literal["processing"] = "processing"
    payment_intent: str
    expected_on: date | None = None
    """When the provider expects a direct debit on the payer's account, where it says so."""


class ActionRequired(Value):
    """The payer must authenticate. Counts as a decline for the networks' caps (design 6.3)."""

    outcome: Literal["action_required"] = "action_required"
    payment_intent: str
    code: str = "authentication_required"


class Unknown(Value):
    """No answer that can be trusted. Never treated as failed: reconcile first."""

    outcome: Literal["unknown"] = "unknown"
    payment_intent: str | None = None


class Canceled(Value):
    """The PaymentIntent was seen cancelled: no money will move under it any more."""

    outcome: Literal["canceled"] = "canceled"
    payment_intent: str


Outcome = Annotated[
    Paid | Declined | Processing | ActionRequired | Unknown | Canceled, Field(discriminator="outcome")
]
