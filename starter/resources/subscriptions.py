"""Subscriptions: starting them, what is asked of them, and how they stand."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from billing.agreed import Agreed
from billing.commands import CreditTo, When
from billing.discounts import MAX_DISCOUNTS
from billing.subscription import Parked
from starter.resources.common import (
    Body,
    Day,
    EntityId,
    Instant,
    Key,
    Metadata,
    Money,
    Reason,
    Reference,
    Resource,
    example,
)

Quantity = Annotated[int, Field(ge=1, le=1_000_000)]
CouponCode = Annotated[str, Field(min_length=1, max_length=64, examples=["WELCOME20"])]


class SubscriptionContent(Body):
    """What a subscription starts with. What is not given is the plan's."""

    model_config = example(customer="ref:acme", plan="ref:pro-monthly", quantity=5, wait_for_payment=True)

    customer: Key
    plan: Annotated[Key, Field(examples=["ref:pro-monthly"])]
    quantity: Quantity | None = None
    """Seats."""
    amount: Money | None = None
    """Another price than the plan's, where that has a single one."""
    trial_days: Annotated[int, Field(ge=0, le=730)] | None = None
    dunning_policy: Annotated[str, Field(max_length=80)] | None = None
    agreed: Agreed = Agreed()
    """Anything else that was agreed with this customer."""
    coupons: Annotated[tuple[CouponCode, ...], Field(max_length=MAX_DISCOUNTS)] = ()
    starts_on: Day | None = None
    """First day of service where the customer lives; today, if not given."""
    early_start_requested: bool = False
    """A consumer asked expressly that the service begin within the 14 days for withdrawal."""
    metadata: Metadata = Field(default_factory=dict)
    wait_for_payment: bool = False
    """Answer when the first payment has an outcome, and say which."""


class SubscriptionUpdate(Body):
    """What is new about a subscription beside what it bills: that is changed by `change`, which says when and how."""

    model_config = example(metadata={"crm": "1234"})

    metadata: Metadata
    """In place of what there is; `{}` takes all of it away."""


class NewSubscription(SubscriptionContent):
    """A subscription to start."""

    reference: Reference | None = None
    legal_entity: EntityId | None = None


class FirstPayment(Resource):
    """What came of the payment that something waits for: the first one of a subscription, or that of a change."""

    outcome: Literal[
        "paid", "processing", "action_required", "declined", "no_method", "not_due", "over", "pending"
    ]
    """`action_required`: the customer has to confirm it with their bank (3-D Secure). `pending`: not known yet."""
    invoice: str | None
    pay_url: str | None
    """Where to send the customer to confirm, to pay, or to give another payment method."""
    decline_code: str | None
    decline_reason: str
    amount_minor: int | None = None
    """What is to be paid, after the balance; where it is not paid yet."""
    currency: str | None = None
    expires_at: datetime | None = None
    """When it is given up, unless it is paid."""


class PendingChange(Resource):
    """A change that has not taken effect."""

    takes_effect: Literal["period_end", "when_paid"]
    on: date | None
    """First day of the new terms; None where that is the day of the payment."""
    plan: str | None
    """What it has then; None for a moment after `change`, until it is drawn up."""
    plan_name: str | None
    quantity: int | None
    command: str | None
    """Id of the command that asked for it, where it waits for its payment."""
    payment: FirstPayment | None
    """How that payment stands; not paid by `expires_at`, the change is dropped."""


class Next(Resource):
    """What happens next."""

    what: str
    at: datetime | None
    """None where it waits for somebody."""
    why: str


class GivenDiscount(Resource):
    """A discount that it has."""

    coupon: str
    percent: Decimal | None
    amount: Decimal | None
    periods: int | None
    used: int


class Subscription(Resource):
    """A subscription, and who says how it stands."""

    id: Annotated[str, Field(examples=["sub_01k6xhz8m2q4v7w9y1b3d5f7"])]
    object: Literal["subscription"] = "subscription"
    reference: str | None
    customer: str
    plan: str
    plan_name: str
    quantity: int
    currency: str
    every: str
    status: Literal[
        "scheduled", "trialing", "incomplete", "active", "past_due", "unpaid", "paused", "canceled",
        "incomplete_expired",
    ]  # fmt: skip
    entitled: bool
    """Whether the customer may use the service."""
    access_until: datetime | None
    entitlement_reason: str
    starts_on: date
    current_period_start: date | None
    current_period_end: date | None
    """Exclusive."""
    trial_end_on: date | None
    cancel_at_period_end: bool
    """Whether a cancel ends it with the period, or the trial, that runs."""
    cancel_on: date | None
    """The date for which a cancel was asked, where that is beyond the period that ran then."""
    ends_on: date | None
    """First day without service, where a cancel is pending: the end of the period that the date falls into."""
    pause_at_period_end: bool
    pending_plan: str | None
    """That it has from the next period on."""
    pending_change: PendingChange | None
    """At the period's end, or when it is paid."""
    discounts: tuple[GivenDiscount, ...]
    has_payment_method: bool
    open_invoices: tuple[str, ...]
    in_arrears: tuple[str, ...]
    """Those of them whose payment failed."""
    parked: Parked | None
    """It waits for a person of the seller."""
    next: Next
    ended_at: datetime | None
    end_reason: str | None
    test_clock: str | None
    metadata: dict[str, JsonValue]
    created_at: datetime
    source: Literal["workflow", "books"]
    """`books` where no worker answered."""
    as_of: datetime
    """The instant for which the source says so; of the books, when they last changed."""
    first_payment: FirstPayment | None = None
    """Of a creation that waited for it, and while it is `incomplete`."""
    command: str | None = None
    """Id of the command that was just accepted; the subscription is then shown as it will be. What became of it is
    at `/v1/commands/{command}`."""


class Change(Body):
    """What is to be another one, and when."""

    model_config = example(plan="ref:pro-yearly", when="now", previewed_on="2027-02-15")

    plan: Key | None = None
    """Another plan."""
    quantity: Quantity | None = None
    """Another number of seats, with or without another plan."""
    agreed: Agreed | None = None
    """Anything else that was agreed with this customer; then neither plan nor quantity."""
    remove_coupon: CouponCode | None = None
    """Code of a coupon whose discount ends."""
    when: When = When.PERIOD_END
    prorate: bool = True
    """Only with `now`: bill the rest of the period and give the old one back."""
    if_paid: bool = False
    """Only with `now`: apply it when what it bills is paid, and never otherwise."""
    keep_anchor: bool = False
    """Only with `now` and another rhythm: count the new periods from the old anchor."""
    previewed_on: Day | None = None
    """`on` of the preview that this follows; on another day it is refused."""
    wait_for_payment: bool = False
    """Only with `if_paid`, and of no meaning to a preview: answer when its payment has an outcome. The plan is then
    the new one, or `pending_change` says what the payment waits for."""


class CommandStatus(Resource):
    """What became of a command to a subscription."""

    id: str
    object: Literal["command"] = "command"
    subscription: str
    kind: Annotated[str, Field(examples=["change_plan"])]
    state: Literal["accepted", "waits_for_payment", "applied", "dropped", "refused"]
    """`accepted`: its turn comes. `dropped`: a change whose payment did not come in time, or that was taken back.
    `refused`: when its turn came it could not be carried out any more, and nothing was changed."""
    reason: str
    """Why it was refused."""
    by: str
    """Name of the key, or who asked."""
    at: datetime
    payment: FirstPayment | None
    """That a change waits for."""


class Cancel(Body):
    """The end: with the period, for a date, or now."""

    model_config = example(on="2027-05-10", reason="moves abroad")

    when: When = When.PERIOD_END
    on: Day | None = None
    """Not with `now`: it ends with the first period that ends on or after this date of the customer's calendar, and
    what begins before it is billed. Not before today."""
    credit_to: CreditTo = CreditTo.BALANCE
    """Only with `now`: where the money of unused days goes."""
    reason: Reason = ""


class Pause(Body):
    """A pause."""

    model_config = example(when="period_end")

    when: When = When.PERIOD_END
    credit: bool = False
    """Only with `now`: credit the unused days and end access at once."""
    credit_to: CreditTo = CreditTo.BALANCE


class Resume(Body):
    """Back from a pause, from unpaid, or from parked."""

    model_config = example(issue=["2027-02-28"])

    issue: Annotated[tuple[Day, ...], Field(max_length=120)] | None = None
    """After a long downtime, the starts of the missed periods to issue; all, if not given."""


class Withdraw(Body):
    """A consumer goes back on the contract within 14 days."""

    reason: Reason = ""


class GiveCoupon(Body):
    """A coupon, from the next billed period on."""

    code: CouponCode


class PreviewLine(Resource):
    """A line as it would be issued."""

    kind: str
    plan_name: str
    description: str
    quantity: Decimal
    unit_amount: Decimal
    start: date
    end: date
    """Exclusive."""
    days: int
    whole_days: int
    amount_minor: int
    """Signed."""
    net_minor: int
    vat_percent: Decimal


class PreviewDocument(Resource):
    """An invoice or a credit note as it would be issued; a credit note's amounts are negative."""

    kind: str
    corrects: str | None
    lines: tuple[PreviewLine, ...]
    net_minor: int
    vat_minor: int
    total_minor: int


class Renewal(Resource):
    """The renewal that follows; usage is not known yet and not in it."""

    on: date
    """First day of its period, on which it is issued."""
    until: date
    """Exclusive."""
    currency: str
    vat_minor: int
    total_minor: int
    """With tax."""


class Preview(Resource):
    """What a change would do, if it were asked for on this day."""

    object: Literal["preview"] = "preview"
    on: date
    """The customer's date: name it with the change as `previewed_on`."""
    status: str
    currency: str
    documents: tuple[PreviewDocument, ...]
    if_paid: bool
    from_balance_minor: int
    due_minor: int
    """What would be charged, or asked for, now."""
    credited_minor: int
    credit_to: CreditTo | None
    next_invoice: Renewal | None
    """The renewal after it; of a change conditional on its payment, once that was paid."""
    ends_on: date | None
    """First day without service, where a cancel is pending."""


class UsageEvent(Body):
    """Something that was used."""

    id: Annotated[str, Field(min_length=1, max_length=100, examples=["call-7f3a"])]
    """Yours: the same event reported twice counts once."""
    meter: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_.-]{0,49}$", examples=["api_calls"])]
    quantity: Annotated[Decimal, Field(ge=-(10**12), le=10**12, examples=["12"])]
    """Negative corrects what was reported before."""
    at: Instant | None = None
    """When it was used; now, if not given."""


class ReportUsage(Body):
    """What one subscription used."""

    model_config = example(
        subscription="ref:acme", events=[{"id": "call-7f3a", "meter": "api_calls", "quantity": "12"}]
    )

    subscription: Key
    events: Annotated[tuple[UsageEvent, ...], Field(min_length=1, max_length=1000)]


class UsageReported(Resource):
    """What became of a report."""

    object: Literal["usage_report"] = "usage_report"
    received: int
    new: int
    """How many had not been reported before."""


class Usage(Resource):
    """What one meter counts, or counted, at one price."""

    object: Literal["usage"] = "usage"
    meter: str
    plan_name: str
    quantity: Decimal
    start_on: date
    end_on: date | None
    """Exclusive; None while it counts."""
    billed: Decimal | None
    """How much of it is on an invoice."""
