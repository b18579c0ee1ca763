"""Subscriptions in every status, as they stand on 10 June 2041 at noon in Paris, and decisions told as sentences."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.calendar import Interval, Period
from billing.effects import (
    BillChange,
    BillEarlyExit,
    CloseUsage,
    CreditUnused,
    DecideDrafts,
    DropGatedDraft,
    DropWaitingDrafts,
    Effect,
    Emit,
    GiveAllBack,
    Issue,
    Notify,
    SettleDebtOnCancel,
    Transition,
    TurnMeters,
)
from billing.prices import Charging, Price, PricingModel
from billing.standing import Standing
from billing.subscription import Status, Subscription
from billing.terms import Terms

NOW = datetime(2041, 6, 10, 10, 0, tzinfo=UTC)
SEATS = Price(id="base", model=PricingModel.PER_UNIT, unit_amount=Decimal("12.00"))
TEAM = Terms(
    plan_id="plan_team",
    plan_name="Team",
    currency="EUR",
    interval=Interval.parse("monthly"),
    prices=(SEATS,),
    quantity=5,
)
PRO = TEAM.model_copy(
    update={
        "plan_id": "plan_pro",
        "plan_name": "Pro",
        "prices": (Price(id="base", unit_amount=Decimal("49.00")),),
        "quantity": 1,
    }
)
METERED = PRO.model_copy(
    update={
        "plan_id": "plan_metered",
        "plan_name": "Metered",
        "prices": (
            *PRO.prices,
            Price(id="calls", charging=Charging.METERED, model=PricingModel.PER_UNIT, meter="calls"),
        ),
    }
)
YEAR = PRO.model_copy(
    update={"plan_id": "plan_year", "plan_name": "Year", "interval": Interval.parse("annual")}
)
DOLLAR = PRO.model_copy(update={"plan_id": "plan_dollar", "plan_name": "Dollar", "currency": "USD"})


def month(start: str, end: str, index: int = 0) -> Period:
    """A whole period."""
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    return Period(index=index, start=first, end=last, whole_start=first, whole_end=last)


MAY = month("2041-05-01", "2041-06-01")
JUNE = month("2041-06-01", "2041-07-01", 1)
MIDNIGHT_1_JULY = datetime(2041, 6, 30, 22, 0, tzinfo=UTC)
MIDNIGHT_15_JUNE = datetime(2041, 6, 14, 22, 0, tzinfo=UTC)
_PAID_JUNE = {"period": JUNE, "covered_until": date(2041, 7, 1)}

IN_STATUS: dict[Status, dict[str, Any]] = {
    Status.SCHEDULED: {"starts_on": date(2041, 7, 1), "anchor": None},
    Status.TRIALING: {"starts_on": date(2041, 6, 1), "trial_end_on": date(2041, 6, 15), "anchor": None},
    Status.INCOMPLETE: {
        "starts_on": date(2041, 6, 10),
        "anchor": date(2041, 6, 10),
        "period": month("2041-06-10", "2041-07-10"),
        "gated_invoice": "in_gated",
    },
    Status.ACTIVE: _PAID_JUNE,
    Status.PAST_DUE: {
        **_PAID_JUNE,
        "open_invoices": ("in_june",),
        "in_arrears": ("in_june",),
        "owed": 1,
        "past_due_since": datetime(2041, 5, 31, 22, 0, tzinfo=UTC),
        "policy_ends_at": datetime(2041, 6, 22, 7, 0, tzinfo=UTC),
    },
    Status.UNPAID: {
        "period": MAY,
        "covered_until": date(2041, 6, 1),
        "open_invoices": ("in_may",),
        "in_arrears": ("in_may",),
        "owed": 1,
        "unpaid_since": datetime(2041, 5, 22, 7, 0, tzinfo=UTC),
    },
    Status.PAUSED: {"period": MAY, "covered_until": date(2041, 6, 1)},
    Status.CANCELED: {
        "period": MAY,
        "ended_at": datetime(2041, 5, 31, 22, 0, tzinfo=UTC),
        "end_reason": "canceled at the end of the period",
    },
    Status.INCOMPLETE_EXPIRED: {
        "ended_at": datetime(2041, 6, 2, 9, 0, tzinfo=UTC),
        "end_reason": "the first payment never came",
    },
}


def a_subscription(status: Status = Status.ACTIVE, **changes: Any) -> Subscription:
    """Five seats of Team at 12.00 a month, in Paris, on the first of the month."""
    given: dict[str, Any] = {
        "id": "sub_1",
        "customer_id": "cus_1",
        "timezone": "Europe/Paris",
        "status": status,
        "terms": TEAM,
        "signed_up_at": datetime(2041, 5, 1, 8, 0, tzinfo=UTC),
        "starts_on": date(2041, 5, 1),
        "anchor": date(2041, 5, 1),
        "has_method": True,
    }
    return Subscription(**given | IN_STATUS[status] | changes)


def in_paid_time(**changes: Any) -> Subscription:
    """Paused, with access to the end of June, which is paid."""
    return a_subscription(Status.PAUSED, **_PAID_JUNE | {"access_ends_at": MIDNIGHT_1_JULY} | changes)


def books(*invoices: str, arrears: tuple[str, ...] = (), **changes: Any) -> Standing:
    """What the books say: open invoices, which of them are in arrears; June is covered."""
    given: dict[str, Any] = {
        "open_invoices": invoices,
        "in_arrears": arrears,
        "owed": len(invoices),
        "covered_until": date(2041, 7, 1),
        "gated_paid": False,
        "policy_ends_at": None,
    }
    return Standing(**given | changes)


def told(before: Subscription, transition: Transition) -> list[str]:
    """All that a decision changes and asks for, as sentences; nothing is left out."""
    return [*_changes(before, transition.after), *(_sentence(effect) for effect in transition.effects)]


def _changes(before: Subscription, after: Subscription) -> list[str]:
    was, now = before.model_dump(), after.model_dump()
    return [f"{name}: {_value(after, name)}" for name in now if now[name] != was[name]]


def _value(sub: Subscription, name: str) -> str:
    value = getattr(sub, name)
    match value:
        case Terms():
            return f"{value.plan_name} x{value.quantity}"
        case Period():
            return f"{value.start} to {value.end}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case Status():
            return value.value
        case _ if name == "parked" and value is not None:
            return str(value.reason)
        case _:
            return str(value)


PLAIN: dict[type[Effect], str] = {
    SettleDebtOnCancel: "settle the debt",
    DropGatedDraft: "drop the gated draft",
    DropWaitingDrafts: "drop what waits for usage",
    CloseUsage: "close usage",
}


def _issued(issue: Issue) -> str:
    marks = [word for word in ("gated", "first_payment", "draft", "waits_for_usage") if getattr(issue, word)]
    marks += [f"{issue.delay_days} days later"] if issue.delay_days else []
    billed = f"issue {issue.reason.value} {issue.terms.plan_name} {issue.period.start} to {issue.period.end}"
    return " ".join([billed, *marks])


def _meters(turn: TurnMeters) -> str:
    sides = [terms.plan_name if terms is not None else "nothing" for terms in (turn.before, turn.after)]
    return f"meters turn on {turn.on} from {sides[0]} to {sides[1]}"


def _sentence(effect: Effect) -> str:
    return _of_documents(effect) or _of_the_rest(effect)


def _of_documents(effect: Effect) -> str:
    """What bills or gives back; empty for all else."""
    match effect:
        case Issue():
            return _issued(effect)
        case BillChange(change=change, if_paid=if_paid):
            return f"bill change on {change.change_on} to {change.terms.plan_name}{' if paid' if if_paid else ''}"
        case BillEarlyExit(from_day=day, until=until, percent=percent):
            return f"bill early exit from {day} to {until} at {percent} %"
        case GiveAllBack(reason=reason):
            return f"give all back: {reason}"
        case CreditUnused(from_day=day, reason=reason):
            return f"credit from {day}: {reason}"
        case _:
            return ""


def _of_the_rest(effect: Effect) -> str:
    match effect:
        case Emit(name=name):
            return f"event {name}"
        case Notify(step=step, occurrence=occurrence):
            return f"mail {step} {occurrence}"
        case TurnMeters():
            return _meters(effect)
        case SettleDebtOnCancel() | DropGatedDraft() | DropWaitingDrafts() | CloseUsage():
            return PLAIN[type(effect)]
        case DecideDrafts(starts=starts):
            which = "all drafts" if starts is None else f"the drafts of {', '.join(map(str, starts))}"
            return f"issue {which}"
        case _:
            raise AssertionError(effect)
