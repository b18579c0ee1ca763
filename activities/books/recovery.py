"""What dunning brought back, counted over the books: by attempt, decline code, method and policy version.

It is about invoices that were issued in a span of days, by the seller's dates (rules 1); `docs/dunning.md` defines each
figure. First payments are kept apart from everything else (rules 24).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, exists, func, not_, or_, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.case import FAILED_STATES, Role
from billing.payment import LIVE_STATES, AttemptState, DeclineClass, Trigger
from billing.policy_choice import MethodKind
from billing.values import Value
from models.tables import (
    Collection,
    DunningPolicyVersion,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    PaymentMethod,
)

_AUTOMATIC: Final = [trigger for trigger in Trigger if trigger.is_automatic]
_LIVE: Final = sorted(LIVE_STATES - {AttemptState.QUEUED})


@dataclass(frozen=True)
class Scope:
    """Which invoices are looked at."""

    from_on: date
    to_on: date
    """The last day of issue."""
    entity_id: str | None = None
    """One seller; None is all."""
    clock_id: str | None = None
    """A test clock; None is real life."""

    def holds(self) -> ColumnElement[bool]:
        """The condition on an invoice, whenever it was issued."""
        clock = col(Invoice.clock_id)
        here = clock.is_(None) if self.clock_id is None else clock == self.clock_id
        return here if self.entity_id is None else and_(here, col(Invoice.entity_id) == self.entity_id)

    def issued(self) -> ColumnElement[bool]:
        """The condition on an invoice that it was issued within the days."""
        return and_(self.holds(), col(Invoice.issued_on).between(self.from_on, self.to_on))


class AttemptFigures(Value):
    """How often one attempt of a chase was made, and how often it brought the money."""

    number: int | None
    """1 is the first charge, 2 the first retry ...; None stands for all that a person asked for."""
    currency: str
    made: int
    paid: int
    under_way: int
    """Without an outcome so far."""
    paid_minor: int
    rate_percent: Decimal | None
    """Paid, of those with an outcome."""


class RecoveryFigures(Value):
    """What became of invoices that were not paid when they should have been."""

    of: str | None
    """The code, the kind of method or the policy version; None where there was none."""
    currency: str
    chased: int
    recovered: int
    running: int
    lost: int
    asked_minor: int
    recovered_minor: int
    rate_percent: Decimal | None
    """Recovered, of all chased."""


class Recovery(Value):
    """The figures of renewals, or of first payments."""

    total: tuple[RecoveryFigures, ...]
    """By currency."""
    attempts: tuple[AttemptFigures, ...]
    decline_codes: tuple[RecoveryFigures, ...]
    """By the code of the first try of the chase that failed."""
    methods: tuple[RecoveryFigures, ...]
    policies: tuple[RecoveryFigures, ...]


class _Fate(StrEnum):
    RECOVERED = "recovered"
    RUNNING = "running"
    LOST = "lost"


@dataclass(frozen=True)
class _Chases:
    """Some chases that have all of this in common."""

    first_payment: bool
    currency: str
    code: str | None
    method: str | None
    policy: str
    fate: _Fate
    count: int
    asked_minor: int
    recovered_minor: int


async def recovery(session: AsyncSession, scope: Scope) -> tuple[Recovery, Recovery]:
    """The figures of renewals and all other invoices, and those of first payments alone."""
    attempts, chases = await _attempts(session, scope), await _chases(session, scope)
    renewals, first_payments = (
        _recovery(
            [figures for is_first, figures in attempts if is_first == wanted],
            [each for each in chases if each.first_payment == wanted],
        )
        for wanted in (False, True)
    )
    return renewals, first_payments


def _recovery(attempts: Iterable[AttemptFigures], chases: Sequence[_Chases]) -> Recovery:
    return Recovery(
        total=_by(chases, lambda _: None),
        attempts=tuple(attempts),
        decline_codes=_by(chases, lambda each: each.code),
        methods=_by(chases, lambda each: each.method),
        policies=_by(chases, lambda each: each.policy),
    )


def _by(chases: Iterable[_Chases], what: Callable[[_Chases], str | None]) -> tuple[RecoveryFigures, ...]:
    groups: dict[tuple[str, str | None], list[_Chases]] = {}
    for each in chases:
        groups.setdefault((each.currency, what(each)), []).append(each)
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], group[0][1] or ""))
    return tuple(_figures(of, currency, group) for (currency, of), group in ordered)


def _figures(of: str | None, currency: str, group: list[_Chases]) -> RecoveryFigures:
    fates = {fate: sum(each.count for each in group if each.fate is fate) for fate in _Fate}
    chased = sum(fates.values())
    return RecoveryFigures(
        of=of,
        currency=currency,
        chased=chased,
        recovered=fates[_Fate.RECOVERED],
        running=fates[_Fate.RUNNING],
        lost=fates[_Fate.LOST],
        asked_minor=sum(each.asked_minor for each in group),
        recovered_minor=sum(each.recovered_minor for each in group),
        rate_percent=percent(fates[_Fate.RECOVERED], chased),
    )


def percent(part: int, whole: int) -> Decimal | None:
    """A share to one decimal, half up; None of nothing."""
    return tenths(Decimal(part * 100) / whole) if whole else None


def tenths(value: Decimal) -> Decimal:
    """To one decimal, half up."""
    return value.quantize(Decimal("0.1"), ROUND_HALF_UP)


# In SQL


def _ran() -> ColumnElement[bool]:
    """Whether an attempt reached the provider: it is not waiting to be sent, nor was it dropped unsent."""
    state = col(PaymentAttempt.state)
    left_a_trace = or_(
        state != AttemptState.ABANDONED,
        col(PaymentAttempt.decline_code).is_not(None),
        col(PaymentAttempt.decline_class).is_distinct_from(DeclineClass.RETRY),
    )
    return and_(state != AttemptState.QUEUED, left_a_trace)


def _sum_where(condition: ColumnElement[bool], value: ColumnElement[int] | int = 1) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, value), else_=0)), 0)


async def _attempts(session: AsyncSession, scope: Scope) -> list[tuple[bool, AttemptFigures]]:
    """Automatic tries by their place in the chase, those that a person asked for together (rules 23).

    Each with whether it is of first payments.

    The payment of a sign-up or a conditional change, for which the customer is there, is none of them, unless it was
    chased after all (rules 13).
    """
    automatic = col(PaymentAttempt.trigger).in_(_AUTOMATIC)
    place = func.row_number().over(
        partition_by=(col(PaymentAttempt.invoice_id), col(PaymentAttempt.chase), automatic),
        order_by=col(PaymentAttempt.number),
    )
    was_chased = exists().where(
        col(Collection.invoice_id) == col(Invoice.id), col(Collection.role) != Role.GATED.value
    )
    tries = (
        select(
            col(Invoice.first_payment).label("first_payment"),
            col(Invoice.currency).label("currency"),
            case((automatic, place), else_=0).label("place"),
            col(PaymentAttempt.state).label("state"),
            col(PaymentAttempt.amount_minor).label("amount_minor"),
        )
        .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
        .where(
            _ran(),
            scope.issued(),
            or_(not_(col(Invoice.gated)), was_chased),
        )
        .subquery()
    )
    paid = tries.c.state == AttemptState.SUCCEEDED
    live = tries.c.state.in_(_LIVE)
    query: Any = (
        select(
            tries.c.first_payment,
            tries.c.currency,
            tries.c.place,
            func.count(),
            _sum_where(paid),
            _sum_where(live),
            _sum_where(paid, tries.c.amount_minor),
        )
        .group_by(tries.c.first_payment, tries.c.currency, tries.c.place)
        .order_by(tries.c.currency, tries.c.place == 0, tries.c.place)
    )
    return [
        (
            first_payment,
            AttemptFigures(
                number=place or None,
                currency=currency,
                made=made,
                paid=int(brought),
                under_way=int(waiting),
                paid_minor=int(paid_minor),
                rate_percent=percent(int(brought), made - int(waiting)),
            ),
        )
        for first_payment, currency, place, made, brought, waiting, paid_minor in (
            await session.exec(query)
        ).all()
    ]


async def _chases(session: AsyncSession, scope: Scope) -> list[_Chases]:
    """The chases in which something failed, or of which the customer was told, grouped by all that they differ in."""
    failures = _first_failures(scope)
    is_latest = col(Collection.chase) == col(Invoice.chase)
    money = col(Invoice.paid_minor) - col(Invoice.balance_minor)
    fate = case(
        (and_(is_latest, col(Invoice.status) == InvoiceStatus.PAID, money > 0), _Fate.RECOVERED.value),
        (
            and_(is_latest, col(Invoice.status) == InvoiceStatus.OPEN, not_(col(Collection.ended))),
            _Fate.RUNNING.value,
        ),
        else_=_Fate.LOST.value,
    )
    keys = (
        col(Invoice.first_payment),
        col(Invoice.currency),
        failures.c.decline_code,
        col(PaymentMethod.kind),
        col(Collection.policy_version_id),
        fate,
    )
    query: Any = (
        select(
            *keys,
            func.count(),
            func.sum(col(Invoice.total_minor) - col(Invoice.balance_minor)),
            _sum_where(is_latest, money),
        )
        .select_from(Collection)
        .join(Invoice, col(Collection.invoice_id) == col(Invoice.id))
        .outerjoin(
            failures,
            and_(
                failures.c.invoice_id == col(Collection.invoice_id),
                failures.c.chase == col(Collection.chase),
                failures.c.place == 1,
            ),
        )
        .outerjoin(PaymentMethod, col(PaymentMethod.id) == failures.c.method_id)
        .where(
            scope.issued(),
            col(Collection.role) != Role.GATED.value,
            or_(
                failures.c.invoice_id.is_not(None),
                col(Collection.chase) > 1,
                col(Collection.noticed_through_day) >= 0,
            ),
        )
        .group_by(*keys)
    )
    found = (await session.exec(query)).all()
    used: Any = select(DunningPolicyVersion).where(
        col(DunningPolicyVersion.id).in_({version_id for *_, version_id, _, _, _, _ in found})
    )
    policies = {version.id: version.policy for (version,) in (await session.exec(used)).all()}
    return [
        _Chases(
            first_payment=first_payment,
            currency=currency,
            code=code,
            method=method if policies[version_id].charges else MethodKind.TRANSFER.value,
            policy=policies[version_id].title,
            fate=_Fate(fate_),
            count=count,
            asked_minor=int(asked),
            recovered_minor=int(recovered),
        )
        for first_payment, currency, code, method, version_id, fate_, count, asked, recovered in found
    ]


def _first_failures(scope: Scope) -> Any:  # noqa: ANN401 - a subquery has no useful type
    """Of each chase the first try that failed."""
    return (
        select(
            col(PaymentAttempt.invoice_id).label("invoice_id"),
            col(PaymentAttempt.chase).label("chase"),
            col(PaymentAttempt.decline_code).label("decline_code"),
            col(PaymentAttempt.method_id).label("method_id"),
            func.row_number()
            .over(
                partition_by=(col(PaymentAttempt.invoice_id), col(PaymentAttempt.chase)),
                order_by=col(PaymentAttempt.number),
            )
            .label("place"),
        )
        .join(Invoice, col(PaymentAttempt.invoice_id) == col(Invoice.id))
        .where(_ran(), scope.issued(), col(PaymentAttempt.state).in_(sorted(FAILED_STATES)))
        .subquery()
    )
