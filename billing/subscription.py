"""A subscription as one value: what the workflow carries, what a query answers, what its row stores."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import Field, model_validator

from billing.announced import Announced
from billing.calendar import Period, Schedule, local_date, starts_at
from billing.discounts import MAX_DISCOUNTS, Discount
from billing.terms import Terms
from billing.upgrade import SCHEMA_NUMBER, upgraded
from billing.values import Value

TOLD_AHEAD: Final = timedelta(days=1)
"""How long before `access_until` passes a parked subscription tells a later one: deliveries take their time."""
MOVED_ON_BY: Final = timedelta(days=7)


class Status(StrEnum):
    """Where a subscription stands; the table in the rules says what each may do."""

    SCHEDULED = "scheduled"
    TRIALING = "trialing"
    INCOMPLETE = "incomplete"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"
    INCOMPLETE_EXPIRED = "incomplete_expired"

    @property
    def is_over(self) -> bool:
        """Whether the subscription has ended for good; a return is a new one that names it."""
        return self in (Status.CANCELED, Status.INCOMPLETE_EXPIRED)

    @property
    def bills(self) -> bool:
        """Whether renewals are issued on their dates."""
        return self in (Status.ACTIVE, Status.PAST_DUE)


class CustomerKind(StrEnum):
    """Who buys, as far as the law treats them differently (rules 18)."""

    CONSUMER = "consumer"
    NON_PROFESSIONAL = "non_professional"
    BUSINESS = "business"
    PUBLIC_BODY = "public_body"


class Parked(Value):
    """The workflow waits for a person. No status: status and entitlement stay (U14)."""

    reason: str
    since: datetime
    remedy: str
    access_until: datetime | None = None
    """Until when backends were told to let the customer in; moved on before it has passed (U14)."""


class Subscription(Value):
    """One subscription. Holds ids only: nothing here identifies a person.

    Dates are local to the customer's zone, instants are UTC, ends are exclusive.
    """

    schema_number: int = SCHEMA_NUMBER
    id: str
    customer_id: str
    customer_kind: CustomerKind = CustomerKind.CONSUMER
    timezone: str
    status: Status
    terms: Terms
    signed_up_at: datetime
    early_start_requested: bool = False
    """A consumer asked expressly that the service begin within the time for withdrawal (rules 32)."""
    starts_on: date
    """First local date of service, trial included."""
    anchor: date | None = None
    """Every period starts on anchor + k intervals; set on the first paid day (rules 2, 3)."""
    period: Period | None = None
    """The current or last billed period; None before the first."""
    trial_end_on: date | None = None
    """First day after the trial."""
    covered_until: date | None = None
    """First day that no invoice covers which is paid or still to be paid."""
    paid_elsewhere_until: date | None = None
    """Of one that came from another billing system: the first day that was not paid there."""
    boundary_offset_seconds: int = 0
    """Deterministic spread of the work instants within a window (engine 23)."""
    discounts: tuple[Discount, ...] = Field(default=(), max_length=MAX_DISCOUNTS)
    """Coupons that were given to it; they stay through a change of plan."""
    fees_left: tuple[str, ...] = ()
    """Ids of prices billed once that terms before the present ones had: they are not billed again."""
    committed_until: date | None = None
    """First day after the periods that the customer agreed to."""
    pending_terms: Terms | None = None
    """Terms to apply at the period's end, at the resume or on the return."""
    pending_discounts: tuple[Discount, ...] | None = None
    """Likewise; None leaves them."""
    announced: Announced | None = None
    """New prices that the seller announced, for a later renewal."""
    conditional_change: str | None = None
    """Command id of a change that waits for its payment."""
    usage_wait_hours: int = 24
    """How long late usage is waited for."""
    usage_closes_at: datetime | None = None
    """Until when late usage is waited for; then what was used is billed."""
    cancel_at_end: bool = False
    cancel_on: date | None = None
    """A cancel for a date beyond the period that runs: it ends with the first period that ends on or after it."""
    pause_at_end: bool = False
    access_ends_at: datetime | None = None
    """While paused: when the paid time is used up; None once it is."""
    suspended: bool = False
    """The policy ended while paused: `resume` waits until nothing is in arrears (U8)."""
    past_due_since: datetime | None = None
    unpaid_since: datetime | None = None
    unpaid_cancel_days: int = 90
    """After how many days unpaid it is cancelled; 0 is never (U10)."""
    policy_ends_at: datetime | None = None
    """While past due: when the policy takes the service away, if it does."""
    access_told_until: datetime | None = None
    """What backends were told while it was parked: it holds until what fell due meanwhile is done (U14)."""
    ended_at: datetime | None = None
    end_reason: str | None = None
    open_invoices: tuple[str, ...] = ()
    in_arrears: tuple[str, ...] = ()
    owed: int = 0
    """Number of open or uncollectible invoices: what is paid before it comes back from unpaid (U11)."""
    gated_invoice: str | None = None
    has_method: bool = False
    method_expires_on: date | None = None
    """Last day on which the default card is valid."""
    notified: tuple[str, ...] = ()
    """Notices of this period that were written already."""
    free_exit: bool = False
    """The renewal notice was not sent in time: leaving at any time refunds pro rata (rules 30)."""
    parked: Parked | None = None
    clock_id: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _bring_up(cls, state: object) -> object:
        return upgraded(state) if isinstance(state, Mapping) else state

    @property
    def is_over(self) -> bool:
        """Whether it has ended for good."""
        return self.status.is_over

    @property
    def is_done(self) -> bool:
        """Whether nothing is issued any more: over, and the last usage is billed."""
        return self.is_over and self.usage_closes_at is None

    @property
    def schedule(self) -> Schedule:
        """The schedule from which every period is computed.

        Raises:
            ValueError: there is no anchor yet.
        """
        if self.anchor is None:
            raise ValueError(f"{self.id} has no anchor before its first paid day")
        return Schedule(
            anchor=self.anchor,
            interval=self.terms.interval,
            timezone=self.timezone,
            alignment=self.terms.alignment,
            billing_day=self.terms.billing_day,
        )

    @property
    def spread(self) -> timedelta:
        """The deterministic offset of the work instants."""
        return timedelta(seconds=self.boundary_offset_seconds)

    @property
    def boundary_on(self) -> date | None:
        """The local date on which the current period, the trial or the wait for the start ends."""
        if self.status is Status.SCHEDULED:
            return self.starts_on
        if self.status is Status.TRIALING:
            return self.trial_end_on
        return self.period.end if self.period is not None else None

    @property
    def starts_at_signup(self) -> bool:
        """Whether it starts while the customer is there, and not on a later date (U1)."""
        return self.starts_on <= local_date(self.signed_up_at, self.timezone)

    @property
    def boundary_at(self) -> datetime | None:
        """The work instant of that boundary (engine 23); a start at the sign-up is not spread."""
        if self.status is Status.SCHEDULED and self.starts_at_signup:
            return self.signed_up_at
        day = self.boundary_on
        return None if day is None else starts_at(day, self.timezone) + self.spread

    @property
    def cancel_is_pending(self) -> bool:
        """Whether a cancel was asked for that has not taken effect."""
        return self.cancel_at_end or self.cancel_on is not None

    @property
    def ends_with_period(self) -> bool:
        """Whether a cancel ends it with the period, the trial or the paid time that runs, and nothing renews."""
        if self.cancel_at_end or self.cancel_on is None:
            return self.cancel_at_end
        boundary = self.boundary_on if self.status.bills or self.status is Status.TRIALING else None
        return boundary is not None and self.cancel_on <= boundary

    @property
    def next_billing_at(self) -> datetime | None:
        """When the next invoice is due to be issued, if one is planned; of what is over, the one of its last usage."""
        if self.status.bills or self.status is Status.SCHEDULED or self.status is Status.TRIALING:
            return None if self.ends_with_period or self.pause_at_end else self.boundary_at
        return self.usage_closes_at if self.is_over else None

    def entitled_at(self, at: datetime) -> bool:
        """Whether the customer may use the service at this instant (the rules' table)."""
        if self.status in (Status.TRIALING, Status.ACTIVE, Status.PAST_DUE):
            return True
        if self.status is Status.PAUSED:
            return self.access_ends_at is not None and at < self.access_ends_at
        return False

    def access_until(self, at: datetime, *, window: timedelta, grace: timedelta) -> datetime | None:
        """Until when a backend may let the customer in without asking again (rules 19).

        Args:
            at: the instant of asking.
            window: width of the spread of work instants (engine 23).
            grace: how long an answer stays good after the period's end.

        Returns:
            The end already decided, else the period's end plus window and grace; None when not entitled.
        """
        if not self.entitled_at(at):
            return None
        until = self._decided_end()
        if until is None:
            day = self.boundary_on or self.starts_on
            until = starts_at(day, self.timezone) + window + grace
            if until <= at and self.access_told_until is not None:
                until = max(until, self.access_told_until)
        if self.parked is not None and self.status is not Status.PAUSED:
            while until - TOLD_AHEAD <= at:
                until += MOVED_ON_BY
        return until

    @property
    def access_moves_on_at(self) -> datetime | None:
        """When a parked subscription tells backends of a later `access_until`; the paid time of a pause just ends."""
        if self.parked is None or self.parked.access_until is None or self.status is Status.PAUSED:
            return None
        return self.parked.access_until - TOLD_AHEAD

    def _decided_end(self) -> datetime | None:
        if self.status is Status.PAUSED:
            return self.access_ends_at
        boundary = self.boundary_on
        by_policy = self.policy_ends_at if self.status is Status.PAST_DUE else None
        if boundary is None or not (self.ends_with_period or self.pause_at_end or self._trial_leads_nowhere):
            return by_policy
        ends_at = starts_at(boundary, self.timezone)
        # The policy's end does nothing once a cancel is pending (U7), but comes before a pause.
        return ends_at if by_policy is None or self.ends_with_period else min(ends_at, by_policy)

    @property
    def _trial_leads_nowhere(self) -> bool:
        return (
            self.status is Status.TRIALING
            and not self.has_method
            and self.terms.collection_method == "charge"
            and self.terms.without_method_at_trial_end != "invoice"
        )

    @property
    def entitlement_reason(self) -> str:
        """One plain sentence that says why the customer may, or may not, use the service."""
        reasons = {
            Status.SCHEDULED: f"starts on {self.starts_on}",
            Status.TRIALING: f"in trial until {self.trial_end_on}",
            Status.INCOMPLETE: "waits for the first payment",
            Status.ACTIVE: "active",
            Status.PAST_DUE: "a payment is overdue; service goes on until the end of the dunning policy",
            Status.UNPAID: "service was suspended at the end of the dunning policy",
            Status.PAUSED: "paused",
            Status.CANCELED: "canceled",
            Status.INCOMPLETE_EXPIRED: "the first payment never came",
        }
        return reasons[self.status]
