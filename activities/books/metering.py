"""What was used: counted as it is reported, and billed in arrears once late reports had their time (rules: usage)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import AwareDatetime, Field
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.changing import Bill, draw_up_notes, write_notes
from activities.books.document_lines import BilledLine, Rated, add_to_draft, lines_of
from activities.books.issuing import Claim, claim_as_sold, issue_or_drop, rated, treatment_now, write_claim
from activities.books.work import Work
from billing.calendar import Period, local_date
from billing.discounts import Discount, TakenOff, off_usage
from billing.effects import InvoiceReason, TurnMeters
from billing.errors import InvalidInput
from billing.lines import Line, LineKind, Usage, usage_lines
from billing.money import MAX_AMOUNT_MINOR, MAX_UNIT_PLACES, to_exact_minor
from billing.prices import Aggregation
from billing.subscription import Subscription
from billing.tax import totals_by_rate
from billing.values import Value
from models.ids import derived_id
from models.tables import Invoice, InvoiceLine, InvoiceStatus, MeterStretch, SubscriptionRow, UsageEvent

FROM_THE_FUTURE: Final = timedelta(minutes=5)
"""How far a backend's clock may run ahead of ours."""
MAX_QUANTITY: Final = Decimal(10) ** 15


class UsageReport(Value):
    """One event, as a backend reports it."""

    event_id: str = Field(min_length=1, max_length=100)
    """The backend's own: the same event reported twice counts once."""
    meter: str
    quantity: Decimal
    """Negative corrects what was reported before; at most 12 decimals."""
    at: AwareDatetime | None = None
    """When it was used; None is now."""


async def turn_meters(work: Work, turn: TurnMeters) -> None:
    """Usage up to an instant belongs to the terms that end, usage from it on to those that begin."""
    for stretch in await _stretches(work.session, work.row.id, only_open=True):
        if stretch.meter in turn.goes_on:
            continue
        stretch.end_at = turn.at
        stretch.end_on = max(turn.on, stretch.start_on + timedelta(days=1))
    await work.session.flush()
    for price in () if turn.after is None else turn.after.metered_prices:
        if price.meter in turn.goes_on:
            continue
        work.session.add(
            MeterStretch(
                id=derived_id("mtr", work.row.id, price.meter or "", turn.at.isoformat(), work.command_id),
                subscription_id=work.row.id,
                meter=price.meter or "",
                price=price,
                plan_name=turn.after.plan_name if turn.after is not None else "",
                start_at=turn.at,
                start_on=turn.on,
            )
        )
    await work.session.flush()


async def close_usage(work: Work) -> list[Invoice]:
    """Bill what was used: on the draft that waits for it, else on an invoice of its own.

    After downtime several drafts wait: all are issued, and the oldest carries the usage (engine 10). Corrections that
    would make it negative are credit notes to what billed the usage (rules 10).

    Returns:
        The invoices that were issued, or dropped since they would have no line; oldest period first.
    """
    stretches = [
        stretch
        for stretch in await _stretches(work.session, work.row.id, only_open=False)
        if stretch.end_on is not None and stretch.billed != stretch.quantity
    ]
    drafts = await _waiting_drafts(work)
    now = TakenOff(discounts=off_usage(work.row.state.discounts, with_period=bool(drafts)))
    used = []
    for stretch in stretches:
        stretch.taken_off = stretch.taken_off or now
        used.append(_usage(stretch, stretch.taken_off.discounts))
        stretch.billed = stretch.quantity
    shown = [usage for usage in used if usage.quantity != usage.billed]
    lines = await _billable(work, drafts[0] if drafts else None, shown)
    if not drafts:
        return [await _issue_usage(work, lines)] if lines else []
    if lines:
        await add_to_draft(work.session, drafts[0], lines)
    for draft in drafts:
        draft.waits_for_usage = False
        await issue_or_drop(work.session, work.row, draft, work.at, work.rules)
    return list(drafts)


async def record_usage(
    session: AsyncSession, row: SubscriptionRow, reports: Sequence[UsageReport], now: datetime
) -> int:
    """Count events, each once; all of them or none.

    Args:
        session: a transaction.
        row: whose usage it is.
        reports: in any order.
        now: the business instant.

    Returns:
        How many were new.

    Raises:
        InvalidInput: a quantity or time cannot be, nothing counted that meter then, or an id was used for another
            event; `field` names it.
    """
    # Two that report the same at one moment lock the meters in one order, else each could wait for the other.
    in_order = sorted(reports, key=lambda report: (report.meter, report.at or now, report.event_id))
    return sum([await _record(session, row, report, now) for report in in_order])


async def _record(session: AsyncSession, row: SubscriptionRow, report: UsageReport, now: datetime) -> bool:
    at = report.at or now
    _check(report, at, now)
    event_id = derived_id("use", row.id, report.event_id)
    if await _is_known(session, event_id, report):
        return False
    stretch = await _stretch_at(session, row.id, report.meter, at)
    if await _is_known(session, event_id, report):  # whoever held the lock wrote it
        return False
    if stretch.billed is not None and _bills_no_more_usage(row.state):
        raise InvalidInput(
            f"The last usage of {report.meter} is billed, and the plan has no meter any more. Credit or bill the rest "
            "by hand.",
            field="at",
        )
    counted = _aggregated(stretch, Decimal(stretch.quantity), report)
    _check_can_be_billed(stretch, counted, row.state.terms.currency)
    stretch.quantity = _plain(counted)
    session.add(
        UsageEvent(
            id=event_id,
            subscription_id=row.id,
            event_id=report.event_id,
            stretch_id=stretch.id,
            meter=report.meter,
            quantity=_plain(report.quantity),
            at=at,
            received_at=now,
        )
    )
    await session.flush()
    return True


async def _is_known(session: AsyncSession, event_id: str, report: UsageReport) -> bool:
    """Whether an event was counted before.

    Raises:
        InvalidInput: with other values; field `event_id`.
    """
    known = await session.get(UsageEvent, event_id)
    if known is None:
        return False
    same_time = report.at is None or known.at == report.at
    if known.meter != report.meter or Decimal(known.quantity) != report.quantity or not same_time:
        raise InvalidInput(
            f"The event {report.event_id} was reported before with other values. Take a new id.",
            field="event_id",
        )
    return True


def _check(report: UsageReport, at: datetime, now: datetime) -> None:
    quantity = report.quantity
    if not quantity.is_finite() or quantity == 0 or abs(quantity) >= MAX_QUANTITY:
        raise InvalidInput(f"{quantity} is no quantity that can be counted.", field="quantity")
    if -int(quantity.as_tuple().exponent) > MAX_UNIT_PLACES:
        raise InvalidInput(f"A quantity has at most {MAX_UNIT_PLACES} decimals.", field="quantity")
    if at > now + FROM_THE_FUTURE:
        raise InvalidInput(f"{at.isoformat()} is in the future. Report what was used.", field="at")


def _bills_no_more_usage(sub: Subscription) -> bool:
    """Whether no invoice to come will carry usage of a time that is billed already."""
    return not sub.terms.metered_prices and sub.usage_closes_at is None


def _check_can_be_billed(stretch: MeterStretch, counted: Decimal, currency: str) -> None:
    """Refuse what no invoice could bill: nothing else of the period could be billed either."""
    amount = to_exact_minor(stretch.price.whole_amount(max(Decimal(0), counted)), currency)
    if amount > MAX_AMOUNT_MINOR:
        raise InvalidInput(
            f"{counted} of {stretch.meter} at its price is more than an invoice can bill. Look at the quantity.",
            field="quantity",
        )


def _aggregated(stretch: MeterStretch, before: Decimal, report: UsageReport) -> Decimal:
    if stretch.price.aggregation is Aggregation.SUM:
        return before + report.quantity
    if report.quantity < 0:
        raise InvalidInput("A meter that takes the maximum cannot be corrected downwards.", field="quantity")
    return max(before, report.quantity)


async def _stretch_at(session: AsyncSession, subscription_id: str, meter: str, at: datetime) -> MeterStretch:
    query = (
        select(MeterStretch)
        .where(
            MeterStretch.subscription_id == subscription_id,
            MeterStretch.meter == meter,
            col(MeterStretch.start_at) <= at,
            or_(col(MeterStretch.end_at).is_(None), col(MeterStretch.end_at) > at),
        )
        .with_for_update(key_share=True)
    )
    stretch = (await session.exec(query)).first()
    if stretch is None:
        raise InvalidInput(
            f"Nothing counted {meter} for this subscription at {at.isoformat()}. Look at the meters of its plan.",
            field="meter",
        )
    return stretch


async def _stretches(
    session: AsyncSession, subscription_id: str, *, only_open: bool
) -> Sequence[MeterStretch]:
    ended = col(MeterStretch.end_at)
    query = (
        select(MeterStretch)
        .where(
            MeterStretch.subscription_id == subscription_id,
            ended.is_(None) if only_open else ended.is_not(None),
        )
        .order_by(col(MeterStretch.start_at), col(MeterStretch.id))
        .with_for_update(key_share=True)
    )
    return (await session.exec(query)).all()


def _usage(stretch: MeterStretch, discounts: tuple[Discount, ...]) -> Usage:
    """What is to be billed of a stretch: corrections cannot take more back than was used."""
    return Usage(
        price=stretch.price,
        plan_name=stretch.plan_name,
        quantity=max(Decimal(0), Decimal(stretch.quantity)),
        billed=max(Decimal(0), Decimal(stretch.billed or 0)),
        start=stretch.start_on,
        end=stretch.end_on or stretch.start_on + timedelta(days=1),
        discounts=discounts,
        late=stretch.billed is not None,
    )


async def _waiting_drafts(work: Work) -> Sequence[Invoice]:
    query = (
        select(Invoice)
        .where(
            Invoice.subscription_id == work.row.id,
            Invoice.status == InvoiceStatus.DRAFT,
            col(Invoice.waits_for_usage).is_(True),
        )
        .order_by(col(Invoice.period_start))
    )
    return (await work.session.exec(query)).all()


async def _billable(work: Work, draft: Invoice | None, used: Sequence[Usage]) -> tuple[Rated, ...]:
    """The lines of what was used, as far as the document can carry them; what it cannot is credited."""
    terms = work.row.state.terms
    treatment = None if draft is None else draft.treatment
    treatment = treatment or await treatment_now(work.session, work.row, work.at, work.rules)
    lines = rated(usage_lines(used, terms.currency), treatment)
    written = [] if draft is None else await lines_of(work.session, draft.id)
    amounts = [(stored.line.amount_minor, stored.rate) for stored in written]
    amounts += [(line.amount_minor, rate) for line, rate in lines]
    parts = totals_by_rate(amounts, tax_included=terms.tax_included).totals.per_rate
    if all(part.base_minor >= 0 and part.vat_minor >= 0 for part in parts):
        return lines
    await _credit(work, [line for line, _ in lines if line.amount_minor < 0])
    return tuple((line, rate) for line, rate in lines if line.amount_minor >= 0)


async def _credit(work: Work, corrections: Sequence[Line]) -> None:
    """Give back what was billed of usage that was corrected: on the invoices that billed it, at their rates."""
    billed = await _billed_usage(work)
    found = [(billed[key], line) for line in corrections if (key := _stretch_key(line)) in billed]
    homes, lines = [home for home, _ in found], [line for _, line in found]
    notes = await draw_up_notes(work, homes, lines, date.max)  # and on no other invoice
    bill = Bill(None, notes, (), local_date(work.at, work.row.state.timezone))
    named = replace(work, command_id=_usage_command(work))
    await write_notes(named, bill, reason="usage was corrected", tells=True)


async def _billed_usage(work: Work) -> dict[tuple[str, date], BilledLine]:
    """By price and first day of its stretch, the latest line that billed usage of it."""
    query = (
        select(InvoiceLine, Invoice)
        .join(Invoice, col(InvoiceLine.document_id) == col(Invoice.id))
        .where(Invoice.subscription_id == work.row.id, col(Invoice.number).is_not(None))
        .order_by(col(Invoice.issued_at), col(Invoice.number), col(InvoiceLine.position))
    )
    found = (await work.session.exec(query)).all()
    return {
        _stretch_key(row.line): BilledLine(row, invoice)
        for row, invoice in found
        if row.line.kind is LineKind.USAGE and row.line.amount_minor > 0
    }


def _stretch_key(line: Line) -> tuple[str, date]:
    return line.price_id, line.start


async def _issue_usage(work: Work, lines: tuple[Rated, ...]) -> Invoice:
    """An invoice of its own, as after a cancel."""
    terms = work.row.state.terms
    start, end = min(line.start for line, _ in lines), max(line.end for line, _ in lines)
    claim = Claim(
        reason=InvoiceReason.USAGE,
        period=_period(start, end),
        lines=lines,
        treatment=await treatment_now(work.session, work.row, work.at, work.rules),
        currency=terms.currency,
        tax_included=terms.tax_included,
    )
    claim = await claim_as_sold(work.session, work.row, claim, work.at, work.rules)
    command_id = _usage_command(work)
    return await write_claim(work.session, work.row, claim, work.at, work.rules, command_id=command_id)


def _usage_command(work: Work) -> str:
    """What tells documents of usage apart that are written for one period."""
    return work.command_id or f"usage {work.at.isoformat()}"


def _period(start: date, end: date) -> Period:
    return Period(index=0, start=start, end=end, whole_start=start, whole_end=end)


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
