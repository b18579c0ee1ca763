"""One invoice being chased: all that decides what happens to it next, as one value.

SQL fills it, `billing.chase` reads it. Nothing here waits, charges or writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from pydantic import Field, model_validator

from billing.calendar import at_local_time, local_date
from billing.declines import tries_allowed
from billing.dunning import MOST_DEBIT_REPEATS, DunningPolicy
from billing.errors import InvalidInput
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.values import Value

FAILED_STATES: Final = frozenset(
    {AttemptState.DECLINED, AttemptState.ABANDONED, AttemptState.ACTION_REQUIRED}
)
"""No money came and the customer can be told so."""
UNDER_WAY_STATES: Final = frozenset({AttemptState.STARTED, AttemptState.PROCESSING, AttemptState.UNKNOWN})
"""Money may be moving and no answer of ours changes that."""
TURN: Final = timedelta(minutes=1)
"""Between the charges of a customer's chases on one morning: longer than the bank takes to answer (rules 26)."""
MOST_TURNS: Final = 59


class Role(StrEnum):
    """What the chase of this invoice does for its subscription (engine 5, 8)."""

    DRIVING = "driving"
    """The oldest in arrears: its policy runs."""
    JOINED = "joined"
    """Rests beside the driver, whose mails list it."""
    GATED = "gated"
    """A draft that gets its number when it is paid; only its deadline ends it (rules 13)."""


class Attempt(Value):
    """One payment attempt, as its row says."""

    number: int
    trigger: Trigger
    state: AttemptState
    begun_at: datetime
    """For a queued one, when it was written."""
    settled_at: datetime | None = None
    """When it left the live states."""
    decline_class: DeclineClass | None = None
    """Of a decline. One that waited for the payer in vain counts as `needs_customer` where this is None."""
    decline_code: str | None = None
    payment_method_id: str | None = None
    not_before: datetime | None = None
    """No automatic repeat on this card sooner, where the network named a wait."""
    never_again: bool = False
    """The network allows no repeat on this card (rules 27)."""
    looked_at: datetime | None = None
    """When the provider was last asked what became of it."""
    is_of_earlier_payment: bool = False
    """Of a PaymentIntent that another one has followed: a success is booked, and says nothing of what is open now."""
    card_renewed: bool = False
    """The method has another number or expiry since: what the bank said then says nothing of it now."""

    @property
    def never_ran(self) -> bool:
        """Whether the provider knows nothing of it: nobody declined anything."""
        said_nothing = self.decline_code is None and self.decline_class is DeclineClass.RETRY
        return self.state is AttemptState.ABANDONED and said_nothing

    @property
    def is_decline(self) -> bool:
        """Whether the networks count it: the bank said no, or asked for the payer, who may not have come since."""
        asked = self.state in (AttemptState.ACTION_REQUIRED, AttemptState.ABANDONED)
        return self.state is AttemptState.DECLINED or (asked and self.decline_code is not None)

    @property
    def verdict(self) -> DeclineClass | None:
        """What its outcome says about another try on the same method; None where nothing was said."""
        if self.state not in FAILED_STATES:
            return None
        return self.decline_class or DeclineClass.NEEDS_CUSTOMER


class Backup(Value):
    """The card that stands in for the default method, as the customer agreed; fields as those of the case."""

    method: str
    elsewhere: tuple[Attempt, ...] = ()
    method_stopped: bool = False
    repeats_forbidden: bool = False


class Case(Value):
    """The chase of one invoice at one moment.

    Raises:
        InvalidInput: a gated case has no deadline; field `deadline_at`.
    """

    invoice_id: str
    role: Role = Role.DRIVING
    is_open: bool = True
    """Issued and open, or a gated draft."""
    due_minor: int = Field(ge=0)
    minimum_minor: int = 0
    """Below this the invoice is not dunned; it waits for the next one (rules 10)."""
    in_arrears: bool = False
    """Of a transfer: the tolerance is over (rules 20)."""
    policy: DunningPolicy
    day0: date
    timezone: str
    attempts: tuple[Attempt, ...] = ()
    """Those of this chase, oldest first; an invoice that is opened again starts a new chase."""
    done_through_day: int = -1
    """Charges of policy days up to this one were made or dropped. -1: not even day 0."""
    noticed_through_day: int = -1
    """Mails of policy days up to this one were written or dropped. A held-back charge does not hold them."""
    method: str | None = None
    """The usable payment method, if there is one."""
    backup: Backup | None = None
    """What may stand in for it; see `in_charge`."""
    on_backup: bool = False
    """The method is the backup, in the place of the default one."""
    by_direct_debit: bool = False
    """That method is a direct debit."""
    notice_days: int = 0
    """Of a direct debit: how long before it the payer is told, as the mandate says (`billing.debits`)."""
    debit_on: date | None = None
    """The day of a debit that the payer was told of and that was not made yet."""
    method_disputed: bool = False
    """There is none because the payer disputes a payment with that card, and the bank has yet to decide (U17)."""
    method_stopped: bool = False
    """Its card was stopped for fraud, with whichever method or customer that came to light."""
    repeats_forbidden: bool = False
    """The network allows no repeat on its card, and nothing went through since (rules 27)."""
    elsewhere: tuple[Attempt, ...] = ()
    """The latest declines and open tries on its card that are not among `attempts`: those for other invoices, or for an
    earlier chase of this one (rules 27)."""
    turn: int = Field(default=0, ge=0)
    """How many older chases of the same customer go first on the same morning (rules 26)."""
    good_days: tuple[date, ...] = ()
    """Local dates on which a charge of this payer went through after a decline, latest first."""
    country: str = ""
    """The customer's, ISO 3166 alpha-2, for its public holidays; empty where it is not known."""
    by_transfer: bool = False
    """By its terms as they are now the customer sends the money: nothing is charged automatically (rules 22)."""
    stopped: bool = False
    """Automatic collecting was stopped by a cancel now (rules 21)."""
    frozen: bool = False
    """A dispute is open (U17)."""
    end_held: bool = False
    """The subscription is parked: everything goes on but the end (U14)."""
    promise_on: date | None = None
    """The customer promised to pay on this date; leave it here after the date has passed (rules 25)."""
    held_until: date | None = None
    """A person paused the chase until this date; as a promise, but without a charge."""
    last_notice_on: date | None = None
    """The date on which the last notice was written."""
    end_on: date | None = None
    """The end is not before this date, where something moved it."""
    ended: bool = False
    """The policy's end was carried out."""
    deadline_at: datetime | None = None
    """Of a gated draft."""
    asked: tuple[Trigger, ...] = ()
    """Charges that were asked for and not yet made, oldest first."""
    payer_present: bool = False
    """The customer who asked waits at a browser, where their bank can ask them to confirm."""

    @model_validator(mode="after")
    def _gated_has_deadline(self) -> Case:
        if self.role is Role.GATED and self.deadline_at is None:
            raise InvalidInput("A gated draft needs the instant at which it is dropped.", field="deadline_at")
        return self

    @property
    def live_attempt(self) -> Attempt | None:
        """The attempt for which money may still move; there is at most one."""
        return next((a for a in reversed(self.attempts) if a.state.is_live), None)

    @property
    def last_failure(self) -> Attempt | None:
        """The latest attempt that brought no money."""
        return next((a for a in reversed(self.attempts) if a.state in FAILED_STATES), None)

    @property
    def on_method(self) -> tuple[Attempt, ...]:
        """What was tried in this chase with the method as it is now."""
        return tuple(tried_with(self.method, self.attempts))

    @property
    def planned_notice_on(self) -> date:
        """The date of the last notice by the policy alone."""
        return self.day0 + timedelta(days=self.policy.last_notice_day)

    @property
    def is_method_stopped(self) -> bool:
        """Whether the method may never be charged again, by anybody (rules 27)."""
        return self.method_stopped or any(
            a.decline_class is DeclineClass.FRAUD_STOP and a.payment_method_id == self.method
            for a in self.attempts
        )

    def at_day(self, day: int) -> datetime:
        """The instant of a policy day: its hour in the customer's zone (rules 22)."""
        return self.morning(self.day0 + timedelta(days=day))

    def morning(self, on: date) -> datetime:
        """The instant on `on` at which steps are made."""
        return at_local_time(on, self.policy.hour, 0, self.timezone)

    def in_turn(self, at: datetime) -> datetime:
        """`at`; where that is a morning, a minute later for each older chase of the customer (rules 26)."""
        is_morning = at == self.morning(local_date(at, self.timezone))
        return at + min(self.turn, MOST_TURNS) * TURN if is_morning else at

    def first_morning(self, not_before: datetime) -> datetime:
        """The first morning at or after an instant (rules 23: a held-back step)."""
        on = local_date(not_before, self.timezone)
        morning = self.morning(on)
        return morning if morning >= not_before else self.morning(on + timedelta(days=1))

    def reached(self, at: datetime, days: tuple[int, ...]) -> int:
        """The latest of `days` (increasing) whose instant has come at `at`; -1 where none has."""
        return max((day for day in days if self.at_day(day) <= at), default=-1)

    @property
    def hold_on(self) -> date | None:
        """The date until which a promise or a pause holds every step (rules 25)."""
        return max((day for day in (self.promise_on, self.held_until) if day), default=None)

    @property
    def dropped_through_day(self) -> int:
        """The latest policy day that a promise or a pause dropped: those before its date."""
        if self.hold_on is None:
            return -1
        days_held = (self.hold_on - self.day0).days
        return max((day for day in self.policy.step_days if day < days_held), default=-1)


def tried_with(method: str | None, attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    """The attempts with a payment method as it is now."""
    return (a for a in attempts if a.payment_method_id == method and not a.card_renewed)


def gives_way(method: str | None, attempts: Iterable[Attempt]) -> bool:
    """Whether the default method leaves automatic charges to the backup: there is none, or it was declined for good.

    For good as far as we are concerned: the next automatic try would need the customer, or another instrument. A
    decline that time may mend is no reason, since the customer chose the default.

    Args:
        method: the default; None where there is none, or it was stopped.
        attempts: those of the chase.
    """
    verdicts = [a.verdict for a in tried_with(method, attempts) if a.verdict is not None]
    return method is None or (bool(verdicts) and not verdicts[-1].allows_automatic_retry)


def in_charge(case: Case) -> Case:
    """The case as automatic charges see it: with the backup as its method, where the default one gives way.

    What a person asks for is charged to the default method. While its owner disputes a payment with that one, nothing
    is charged in its place.
    """
    backup = case.backup
    if backup is None or case.method_disputed:
        return case
    if not (case.is_method_stopped or gives_way(case.method, case.attempts)):
        return case
    card = {"by_direct_debit": False, "notice_days": 0, "debit_on": None}
    seen = {**dict(backup), **card, "backup": None, "on_backup": True}
    return case.model_copy(update=seen)


def retries_left(case: Case) -> int:
    """Automatic tries that rules 23 still allows after the first charge; the policy may have fewer days."""
    made = [a for a in case.attempts if a.trigger.is_repeat]
    left = max(0, case.policy.most_retries - len(made))
    if not case.by_direct_debit:
        return left
    repeats = sum(a.payment_method_id == case.method and not a.never_ran for a in made)
    return min(left, max(0, MOST_DEBIT_REPEATS - repeats))


def ends_on(case: Case, now: datetime) -> date:
    """The local date on which the chase ends if nothing is paid.

    The policy's end day, later where the last notice, a promise, a pause or a person moved it: the end keeps
    its distance from all of them (rules 4, 25), and comes after a debit that was announced. For a gated draft the
    date of its deadline.
    """
    if case.deadline_at is not None:
        return local_date(case.deadline_at, case.timezone)
    policy = case.policy
    notice = case.last_notice_on or max(case.planned_notice_on, local_date(now, case.timezone))
    if case.hold_on is not None and case.hold_on > case.planned_notice_on:
        notice = max(notice, case.hold_on)
    earliest = [case.day0 + timedelta(days=policy.end_day), notice + timedelta(days=policy.notice_days)]
    if case.debit_on is not None:
        earliest.append(case.debit_on + timedelta(days=1))
    return max(*earliest, case.end_on or earliest[0])


def ends_at(case: Case, now: datetime) -> datetime:
    """The instant of `ends_on`: the policy's hour of that date, or a gated draft's deadline."""
    return case.deadline_at or case.morning(ends_on(case, now))


def no_automatic_charge(case: Case, trigger: Trigger) -> str | None:
    """Why no automatic charge may be made at all, in words; None where one may (rules 21 to 25, 27).

    Waits are no reason: they only move a charge (`billing.planning`).
    """
    return next(_hindrances(in_charge(case), trigger), None)


def _hindrances(case: Case, trigger: Trigger) -> Iterator[str]:
    if case.by_transfer or not case.policy.charges:
        yield "the customer pays by transfer"
    if case.stopped:
        yield "automatic collecting was stopped by the cancel"
    if case.method is None:
        yield (
            "a dispute about the card is open"
            if case.method_disputed
            else "there is no usable payment method"
        )
    if trigger is not Trigger.FIRST and retries_left(case) == 0:
        yield _used_up(case)
    if trigger.is_repeat and case.repeats_forbidden:
        yield "the card's network allows no repeat"
    yield from _method_hindrances(case)


def _used_up(case: Case) -> str:
    if case.policy.most_retries == 0:
        return "no retries"
    if case.by_direct_debit:
        return "a direct debit is repeated once"
    return f"all {case.policy.most_retries} retries are used up"


def _method_hindrances(case: Case) -> Iterator[str]:
    """What the answers to earlier attempts say about this method."""
    on_method = case.on_method
    if case.is_method_stopped:
        yield "the payment method was stopped for good"
    last = next((a for a in reversed(on_method) if a.verdict is not None), None)
    if last is None or last.verdict is None:
        return
    if not last.verdict.allows_automatic_retry:
        said = (last.decline_code or "the last answer").replace("_", " ")
        yield f"{said} {_WHAT_HELPS[last.verdict]}"
    code = last.decline_code
    allowed = tries_allowed(code) if code else None
    tries = sum(a.trigger.is_automatic and a.decline_code == code for a in on_method)
    if allowed is not None and tries >= allowed:
        yield f"{code} is not known and was tried {tries} times"


_WHAT_HELPS: Final = {
    DeclineClass.NEEDS_CUSTOMER: "needs the customer",
    DeclineClass.NEW_PAYMENT_METHOD: "needs a new payment method",
    DeclineClass.FRAUD_STOP: "allows no other try",
}
