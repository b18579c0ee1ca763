"""What a subscription does next by itself, when, and why. Pure: query, UI and workflow agree (engine 22)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from billing.calendar import add_months, at_local_time, first_of_month, local_date, starts_at
from billing.subscription import CustomerKind, Status, Subscription

NOTICE_HOUR: Final = 9
TRIAL_NOTICE_DAYS: Final = 3
"""How long before the trial's end its notice goes out."""
CARD_NOTICE_DAYS: Final = 30
"""How long before a charge that the card will not live to see."""
RENEWAL_NOTICE_DAYS: Final = 45
"""Before the end of the opt-out period (rules 30)."""


class StepKind(StrEnum):
    """The kinds of steps that a subscription takes by itself."""

    START = "start"
    END_TRIAL = "end_trial"
    BOUNDARY = "boundary"
    END_ACCESS = "end_access"
    GIVE_UP = "give_up"
    NOTIFY = "notify"
    CLOSE_USAGE = "close_usage"
    MOVE_ACCESS_ON = "move_access_on"
    WAIT = "wait"
    """Nothing by itself: somebody else has to move."""

    @property
    def closes_run(self) -> bool:
        """Whether the workflow continues as new after it: one run is one billing period."""
        return self not in (
            StepKind.NOTIFY,
            StepKind.CLOSE_USAGE,
            StepKind.MOVE_ACCESS_ON,
            StepKind.WAIT,
        )


@dataclass(frozen=True)
class Step:
    """One planned step.

    Attributes:
        kind: what is done.
        due: the instant; None for `wait`.
        why: a plain sentence for people.
        notice: for `notify`, the mail's step name.
        occurrence: for `notify`, which one of its kind.
    """

    kind: StepKind
    due: datetime | None
    why: str
    notice: str = ""
    occurrence: str = ""

    @property
    def key(self) -> str:
        """What identifies a notice among those of its period."""
        return f"{self.notice}:{self.occurrence}"

    @property
    def for_people(self) -> Step:
        """Whoever reads what comes next of a parked subscription wants to know for what it waits."""
        return Step(StepKind.WAIT, None, self.why) if self.kind is StepKind.MOVE_ACCESS_ON else self


def next_step(subscription: Subscription, now: datetime) -> Step:
    """The first step that is due, or the reason for which there is none.

    Args:
        subscription: as it is.
        now: the present instant; notices whose moment has gone are skipped by it.
    """
    candidates = [step for step in _steps(subscription, now) if step.due is not None]
    if not candidates:
        return Step(StepKind.WAIT, None, _waits_for(subscription))
    return min(candidates, key=lambda step: (step.due or now, step.kind is not StepKind.NOTIFY))


def _steps(sub: Subscription, now: datetime) -> list[Step]:
    if sub.parked is not None:
        return [Step(StepKind.MOVE_ACCESS_ON, sub.access_moves_on_at, _waits_for(sub))]
    return [*_usage_step(sub), *_steps_by_status(sub, now)]


def _usage_step(sub: Subscription) -> list[Step]:
    if sub.usage_closes_at is None:
        return []
    return [
        Step(StepKind.CLOSE_USAGE, sub.usage_closes_at, "what was used is billed; late usage had its time")
    ]


def _steps_by_status(sub: Subscription, now: datetime) -> list[Step]:
    boundary = sub.boundary_at
    match sub.status:
        case Status.SCHEDULED:
            return [Step(StepKind.START, boundary, f"the subscription starts on {sub.starts_on}")]
        case Status.TRIALING:
            notices = [] if sub.ends_with_period or sub.pause_at_end else _trial_notice(sub)
            return [
                *notices,
                Step(StepKind.END_TRIAL, boundary, f"the trial ends on {sub.trial_end_on}"),
            ]
        case Status.ACTIVE | Status.PAST_DUE:
            end = sub.boundary_on
            notices = [] if sub.ends_with_period or sub.pause_at_end else _renewal_notices(sub, now)
            return [*notices, Step(StepKind.BOUNDARY, boundary, _boundary_reason(sub, end))]
        case Status.PAUSED if sub.access_ends_at is not None:
            return [Step(StepKind.END_ACCESS, sub.access_ends_at, "the paid time is used up")]
        case Status.PAUSED:
            return _wished_end(sub, StepKind.END_ACCESS)
        case Status.UNPAID:
            return [*_giving_up(sub), *_wished_end(sub, StepKind.GIVE_UP)]
        case _:
            return []


def _giving_up(sub: Subscription) -> list[Step]:
    if not sub.unpaid_cancel_days or sub.unpaid_since is None:
        return []
    due = sub.unpaid_since + timedelta(days=sub.unpaid_cancel_days)
    return [Step(StepKind.GIVE_UP, due, f"unpaid for {sub.unpaid_cancel_days} days")]


def _wished_end(sub: Subscription, kind: StepKind) -> list[Step]:
    """A cancel for a date, where no period runs that could end."""
    if sub.cancel_on is None:
        return []
    due = starts_at(sub.cancel_on, sub.timezone) + sub.spread
    return [Step(kind, due, f"canceled for {sub.cancel_on}")]


def _boundary_reason(sub: Subscription, end: date | None) -> str:
    if sub.ends_with_period:
        return f"canceled at the period's end on {end}"
    if sub.pause_at_end:
        return f"paused at the period's end on {end}"
    if sub.pending_terms is not None:
        return f"plan change and renewal on {end}"
    if sub.announced is not None and end is not None and sub.announced.from_on <= end:
        return f"renewal at the announced price on {end}"
    return f"renewal on {end}"


def _trial_notice(sub: Subscription) -> list[Step]:
    end = sub.trial_end_on
    if end is None or (end - sub.starts_on).days <= TRIAL_NOTICE_DAYS:
        return []
    due = at_local_time(end - timedelta(days=TRIAL_NOTICE_DAYS), NOTICE_HOUR, 0, sub.timezone)
    return _unless_done(
        sub, Step(StepKind.NOTIFY, due, "notice before the trial's end", "trial_ending", str(end))
    )


def _renewal_notices(sub: Subscription, now: datetime) -> list[Step]:
    steps: list[Step] = []
    if (window := renewal_notice_window(sub)) is not None and local_date(now, sub.timezone) <= window.latest:
        due = at_local_time(window.planned, NOTICE_HOUR, 0, sub.timezone)
        why = f"renewal notice, opt-out until {window.opt_out_until}"
        steps += _unless_done(sub, Step(StepKind.NOTIFY, due, why, "renewal_notice", str(window.renews_on)))
    return steps + _card_notices(sub, now)


def _card_notices(sub: Subscription, now: datetime) -> list[Step]:
    """On the first of the card's last month, and before a charge that falls after it, however long after."""
    expires, end = sub.method_expires_on, sub.boundary_on
    if expires is None or end is None:
        return []
    why = f"the card is valid until {expires}"
    is_valid = local_date(now, sub.timezone) <= expires
    days = [(first_of_month(expires), f"{expires}:month")] if is_valid else []
    if end > expires:
        days.append((end - timedelta(days=CARD_NOTICE_DAYS), f"{expires}:charge"))
    steps = []
    for day, occurrence in days:
        due = at_local_time(day, NOTICE_HOUR, 0, sub.timezone)
        steps += _unless_done(sub, Step(StepKind.NOTIFY, due, why, "card_expiring", occurrence))
    return steps


def _unless_done(sub: Subscription, step: Step) -> list[Step]:
    return [] if step.key in sub.notified else [step]


@dataclass(frozen=True)
class RenewalNoticeWindow:
    """When the law wants the renewal notice (rules 30). All dates are inclusive."""

    earliest: date
    planned: date
    latest: date
    opt_out_until: date

    @property
    def renews_on(self) -> date:
        """The first day of what is renewed."""
        return self.opt_out_until + timedelta(days=1)


def renewal_notice_window(sub: Subscription) -> RenewalNoticeWindow | None:
    """The window for the notice before the coming renewal, or None where the law asks for none.

    Asked of consumers and non-professionals, with an interval longer than three months or for the end of a commitment.
    """
    end = _term_ends_on(sub)
    protected = sub.customer_kind in (CustomerKind.CONSUMER, CustomerKind.NON_PROFESSIONAL)
    is_wished_before = end is not None and sub.cancel_on is not None and sub.cancel_on <= end
    if end is None or not protected or is_wished_before:
        return None
    return notice_window(end - timedelta(days=1))


def _term_ends_on(sub: Subscription) -> date | None:
    """The first day after the fixed term that runs, if one does; a commitment may end periods after this one."""
    boundary, committed = sub.boundary_on, sub.committed_until
    if boundary is not None and committed is not None and committed >= boundary:
        return committed
    return boundary if sub.terms.interval.is_longer_than_three_months else None


def notice_window(opt_out_until: date) -> RenewalNoticeWindow:
    """The window for an opt-out period that ends on this (inclusive) date."""
    return RenewalNoticeWindow(
        earliest=add_months(opt_out_until, -3),
        planned=opt_out_until - timedelta(days=RENEWAL_NOTICE_DAYS),
        latest=add_months(opt_out_until, -1),
        opt_out_until=opt_out_until,
    )


def _waits_for(sub: Subscription) -> str:
    if sub.parked is not None:
        return f"parked: {sub.parked.reason} {sub.parked.remedy}"
    waits = {
        Status.INCOMPLETE: "waits for the first payment",
        Status.PAUSED: "paused until it is resumed",
        Status.UNPAID: "waits for what is owed to be paid",
        Status.CANCELED: "the subscription has ended",
        Status.INCOMPLETE_EXPIRED: "the first payment never came",
    }
    return waits.get(sub.status, "waits for a person")
