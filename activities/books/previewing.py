"""What a command would bill and give back, from the very values that carrying it out writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from activities.books.balance import free_balance_seen
from activities.books.changing import (
    Bill,
    Note,
    can_be_gated,
    draw_up_all_back,
    draw_up_change,
    draw_up_credit,
    draw_up_early_exit,
)
from activities.books.crediting import goes_to_balance
from activities.books.document_lines import Rated
from activities.books.issuing import claim_of, claimed, treatment_now
from activities.books.rows import customer_of
from activities.books.work import Work
from billing import lifecycle
from billing.calendar import local_date
from billing.commands import Command, CreditTo
from billing.corrections import PayBackAs
from billing.credit import use_balance
from billing.decide import accept
from billing.effects import BillChange, BillEarlyExit, CreditUnused, Effect, GiveAllBack, Issue, Transition
from billing.leaving import ends_on
from billing.subscription import Status, Subscription
from billing.tax import TaxedLines, Totals
from billing.taxation import TaxTreatment
from billing.upcoming import Upcoming, early_exit_to_come, next_issue, upcoming
from billing.values import Value


class PreviewLine(Value):
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
    """Signed; gross where prices contain the tax."""
    net_minor: int
    vat_percent: Decimal


class PreviewDocument(Value):
    """An invoice or a credit note as it would be issued; a credit note's amounts are negative."""

    kind: str
    """`invoice`, `credit_note`, or `draft`: lines that the draft which waits for usage gets."""
    corrects: str | None = None
    """Number of the invoice, of a credit note."""
    lines: tuple[PreviewLine, ...]
    net_minor: int
    vat_minor: int
    total_minor: int


class NextInvoice(Value):
    """The next invoice of a subscription, if nothing happens before it; what is used is not known yet."""

    on: date
    """The customer's date on which it is issued: the first of its period."""
    until: date
    """End of its period, exclusive."""
    currency: str
    lines: tuple[PreviewLine, ...]
    net_minor: int
    vat_minor: int
    total_minor: int
    from_balance_minor: int = 0
    """What the customer's balance pays of it."""
    due_minor: int


class Preview(Value):
    """What a command would do, if it were given on this day. Name the day with the command: it holds for no other."""

    on: date
    """The customer's date."""
    status: Status
    """The subscription's status afterwards."""
    currency: str
    documents: tuple[PreviewDocument, ...]
    if_paid: bool = False
    """Whether it takes effect only when what it bills is paid."""
    from_balance_minor: int = 0
    """What the customer's balance pays of it, with what its credit notes add to that."""
    due_minor: int = 0
    """What would be charged, or asked for, now."""
    credited_minor: int = 0
    """Sum of the credit notes, tax included: it closes what is open on their invoices first."""
    credit_to: CreditTo | None = None
    """Where the paid part of that goes; None where nothing is credited."""
    next_invoice: Upcoming | None = None
    """The next invoice after it, once what it bills was paid: the renewal, usage not known yet; after a cancel at the
    end what leaving within the commitment will cost."""
    ends_on: date | None = None
    """The first day without service, where a cancel is pending afterwards."""


def next_invoice(
    sub: Subscription, treatment: TaxTreatment, *, free_balance_minor: int = 0
) -> NextInvoice | None:
    """The invoice that the next boundary issues, from the values that issuing it writes; None where none comes.

    Args:
        sub: as it is.
        treatment: how it is taxed.
        free_balance_minor: what the customer's balance can pay of it.
    """
    issue = next_issue(sub)
    if issue is None:
        return None
    claim = claimed(issue, treatment)
    taxed = claim.taxed
    use = use_balance(taxed.totals.total_minor, free_balance_minor)
    return NextInvoice(
        on=issue.period.start,
        until=issue.period.end,
        currency=claim.currency,
        lines=_lines(claim.lines, taxed),
        **_sums(taxed.totals),
        from_balance_minor=use.from_balance_minor,
        due_minor=use.to_charge_minor,
    )


async def preview(work: Work, command: Command) -> Preview:
    """Draw up what a command does, and write nothing.

    Raises:
        Refused: the command would be refused.
        InvalidInput: likewise; `field` names what is wrong.
    """
    before = work.row.state
    transition = accept(before, command, work.at)
    work.row.state = transition.after
    try:
        bills = [bill for effect in transition.effects if (bill := await _bill(work, effect)) is not None]
        waits = any(isinstance(effect, BillChange) and effect.if_paid for effect in transition.effects)
        if_paid = waits and any([await can_be_gated(work, bill) for bill in bills])
        treatment = await treatment_now(work.session, work.row, work.at, work.rules)
        coming = upcoming(_as_paid(transition, work.at), treatment) or await _early_exit_to_come(work)
    finally:
        work.row.state = before
    issued = [note for bill in bills for note in bill.notes if not note.invoice.awaits_usage]
    notes = [note.taxed.totals.total_minor for note in issued]
    credit_to = _credit_to(transition.effects)
    claims = [bill.claim.taxed.totals.total_minor for bill in bills if bill.claim is not None]
    customer = await customer_of(work.session, work.row)
    free = await free_balance_seen(work.session, customer, before.terms.currency)
    if not if_paid:  # else the credits come with the payment
        free += await _becomes_balance(work, issued, credit_to)
    use = use_balance(sum(claims), free)
    return Preview(
        on=local_date(work.at, before.timezone),
        status=transition.after.status,
        currency=before.terms.currency,
        documents=tuple(document for bill in bills for document in _documents(bill)),
        if_paid=if_paid,
        from_balance_minor=use.from_balance_minor,
        due_minor=use.to_charge_minor,
        credited_minor=-sum(notes),
        credit_to=credit_to if notes else None,
        next_invoice=coming,
        ends_on=ends_on(transition.after),
    )


def _as_paid(transition: Transition, at: datetime) -> Subscription:
    """The subscription once what is billed was paid: only then does a change that waits for it hold."""
    sub = transition.after
    for effect in transition.effects:
        if isinstance(effect, BillChange) and effect.if_paid:
            sub = lifecycle.apply_change(sub, effect.change, at).after
    return sub


async def _bill(work: Work, effect: Effect) -> Bill | None:
    match effect:
        case BillChange():
            return await draw_up_change(work, effect)
        case CreditUnused():
            return await draw_up_credit(work, effect)
        case GiveAllBack():
            return await draw_up_all_back(work)
        case BillEarlyExit():
            return await draw_up_early_exit(work, effect)
        case Issue():
            claim = await claim_of(work.session, work.row, effect, work.at, work.rules)
            return Bill(claim, (), (), effect.period.start)
        case _:
            return None


async def _becomes_balance(work: Work, notes: Sequence[Note], credit_to: CreditTo) -> int:
    """What the credit notes add to the balance, which pays what is charged beside them."""
    then = PayBackAs.REFUND if credit_to is CreditTo.REFUND else PayBackAs.BALANCE
    added = [
        await goes_to_balance(work.session, note.invoice, -note.taxed.totals.total_minor, then)
        for note in notes
    ]
    return sum(added)


async def _early_exit_to_come(work: Work) -> Upcoming | None:
    """What the end that was asked for will bill."""
    effect = early_exit_to_come(work.row.state)
    if effect is None:
        return None
    bill = await draw_up_early_exit(work, effect)
    if bill.claim is None:
        return None
    totals = bill.claim.taxed.totals
    return Upcoming(
        on=effect.from_day,
        until=effect.until,
        currency=bill.claim.currency,
        vat_minor=totals.vat_minor,
        total_minor=totals.total_minor,
    )


def _credit_to(effects: Sequence[Effect]) -> CreditTo:
    given_back = (effect.credit_to for effect in effects if isinstance(effect, CreditUnused | GiveAllBack))
    return next(given_back, CreditTo.BALANCE)


def _documents(bill: Bill) -> list[PreviewDocument]:
    found = [
        PreviewDocument(
            kind="draft" if note.invoice.awaits_usage else "credit_note",
            corrects=note.invoice.number,
            lines=_lines(note.lines, note.taxed),
            **_sums(note.taxed.totals),
        )
        for note in bill.notes
    ]
    if bill.claim is not None:
        taxed = bill.claim.taxed
        found.append(
            PreviewDocument(kind="invoice", lines=_lines(bill.claim.lines, taxed), **_sums(taxed.totals))
        )
    return found


def _sums(totals: Totals) -> dict[str, int]:
    return {
        "net_minor": totals.net_minor,
        "vat_minor": totals.vat_minor,
        "total_minor": totals.total_minor,
    }


def _lines(lines: Sequence[Rated], taxed: TaxedLines) -> tuple[PreviewLine, ...]:
    return tuple(
        PreviewLine(
            kind=line.kind.value,
            plan_name=line.plan_name,
            description=line.description,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            start=line.start,
            end=line.end,
            days=line.days,
            whole_days=line.whole_days,
            amount_minor=line.amount_minor,
            net_minor=net,
            vat_percent=rate.percent,
        )
        for (line, rate), net in zip(lines, taxed.net_minor, strict=True)
    )
