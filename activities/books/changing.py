"""What a change, a cancel or a pause bills and gives back: drawn up as a value, then written (rules 8, 12, 13).

A preview draws up the same value and writes nothing, so that it shows exactly what is billed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from activities.books.balance import left_to_charge
from activities.books.crediting import all_of, left_of, write_credit_note
from activities.books.document_lines import (
    BilledLine,
    Rated,
    add_to_draft,
    billed_lines,
    follow_coverage,
    invoices_from,
    issued_invoices,
    lines_of,
    with_nets,
)
from activities.books.issuing import (
    Claim,
    Sale,
    claim_as_sold,
    rated,
    treatment_now,
    treatment_with,
    write_claim,
)
from activities.books.rows import customer_of
from activities.books.work import Work
from billing.changing import ChangeLines, change_lines, unused
from billing.commands import CreditTo
from billing.commitment import early_exit_lines
from billing.corrections import PayBackAs
from billing.credit import credit_by_rate, spread_credit
from billing.discounts import in_this_period
from billing.effects import BillChange, BillEarlyExit, CreditUnused, InvoiceReason
from billing.lines import Line, LineKind
from billing.tax import TaxedLines, totals_by_rate
from billing.taxation import TaxTreatment
from billing.terms import CollectionMethod
from models.tables import Invoice, InvoiceStatus


@dataclass(frozen=True)
class Note:
    """A credit note that is to be written; on a draft that waits for usage, lines of its own.

    Attributes:
        invoice: what it corrects.
        lines: with their rates.
        taxed: worked out, negative.
    """

    invoice: Invoice
    lines: tuple[Rated, ...]
    taxed: TaxedLines


@dataclass(frozen=True)
class Bill:
    """What is to be written, before anything is.

    Attributes:
        claim: the new invoice, if something is charged.
        notes: the credit notes.
        given_back: the billed lines whose days it gives back.
        from_on: the first of those days.
    """

    claim: Claim | None
    notes: tuple[Note, ...]
    given_back: tuple[BilledLine, ...]
    from_on: date

    @property
    def net_minor(self) -> int:
        """What it adds to the sales of the year."""
        charged = 0 if self.claim is None else self.claim.taxed.totals.net_minor
        return charged + sum(note.taxed.totals.net_minor for note in self.notes)

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to write."""
        return self.claim is None and not self.notes


async def draw_up_change(work: Work, effect: BillChange, *, but: str | None = None) -> Bill:
    """What a change bills.

    Where all that it gives back was paid and is taxed as it would be today, one invoice carries credits and charges,
    or one credit note where it gives back more. Else the credits are credit notes to their invoices (rules 10 to 12).

    Args:
        work: the subscription.
        effect: the change.
        but: the draft that was paid first: it carries the charges, so that credits which do not stand on it are notes.
    """
    change = effect.change
    billed = (
        await billed_lines(work.session, work.row.id, change.change_on, but=but) if change.prorate else []
    )
    found = change_lines(
        [item.line for item in billed],
        effect.old,
        change.terms,
        change.billed_period,
        change.change_on,
        discounts=in_this_period(change.discounts),
        fees_left=effect.fees_left,
    )
    given = _Given(billed, found, tuple(billed[place] for place in found.credits))
    treatment = await treatment_now(work.session, work.row, work.at, work.rules)
    bill = await _drawn_up(work, effect, given, treatment, apart=but is not None)
    sale = Sale(bill.net_minor, effect.change.terms.currency)
    beyond = await treatment_with(work.session, work.row, treatment, sale, work.at, work.rules)
    if beyond is treatment:
        return bill
    return await _drawn_up(work, effect, given, beyond, apart=but is not None)


@dataclass(frozen=True)
class _Given:
    """What a change gives back, and where that was billed."""

    billed: Sequence[BilledLine]
    found: ChangeLines
    lines: tuple[BilledLine, ...]

    @property
    def credits(self) -> tuple[Line, ...]:
        return tuple(self.found.credits.values())


async def _drawn_up(
    work: Work, effect: BillChange, given: _Given, treatment: TaxTreatment, *, apart: bool
) -> Bill:
    together = None if apart else await _together(work, effect, given, treatment)
    return together or await _apart(work, effect, given, treatment)


async def _together(work: Work, effect: BillChange, given: _Given, treatment: TaxTreatment) -> Bill | None:
    """One document with both sides, or None where the law or the debt wants two."""
    for item in given.lines:
        taxed_alike = item.invoice.treatment is None or treatment.taxes_like(item.invoice.treatment)
        if item.invoice.status is not InvoiceStatus.PAID or not taxed_alike:
            return None
    change = effect.change
    capped = await _capped(work, given.lines, given.credits, change.change_on)
    lines = (*capped, *rated(given.found.charges, treatment))
    if not lines:
        return Bill(None, (), (), change.change_on)
    taxed = totals_by_rate(
        [(line.amount_minor, rate) for line, rate in lines], tax_included=change.terms.tax_included
    )
    parts = taxed.totals.per_rate
    if all(part.base_minor >= 0 and part.vat_minor >= 0 for part in parts):
        claim = _claim(effect, lines, treatment)
        return Bill(claim, (), given.lines, change.change_on)
    if all(part.base_minor <= 0 and part.vat_minor <= 0 for part in parts):
        note = await _netted(work, given.lines, lines, tax_included=change.terms.tax_included)
        return None if note is None else Bill(None, (note,), given.lines, change.change_on)
    return None


async def _capped(
    work: Work, homes: Sequence[BilledLine], credits_: Sequence[Line], day: date
) -> tuple[Rated, ...]:
    """Credits with their rates, at most what is left of all invoices that reach beyond the day."""
    invoices = await _with_homes(work, homes, day)
    spread = await _spread(work, invoices, homes, credits_)
    amounts: dict[int, int] = {}
    for on_invoice in spread:
        for place, amount in on_invoice:
            amounts[place] = amounts.get(place, 0) + amount
    return tuple(
        (_of_amount(credits_[place], amount), homes[place].row.rate)
        for place, amount in sorted(amounts.items())
    )


async def _netted(
    work: Work, homes: Sequence[BilledLine], lines: tuple[Rated, ...], *, tax_included: bool
) -> Note | None:
    """A negative total is one credit note, on the newest invoice that has enough left (rules 10)."""
    amounts = [(line.amount_minor, rate) for line, rate in lines]
    wanted = totals_by_rate(amounts, tax_included=tax_included).totals
    for invoice in {item.invoice.id: item.invoice for item in homes}.values():
        left = await left_of(work.session, invoice)
        room = {part.rate.group: part for part in left.per_rate}
        if all(
            part.rate.group in room
            and -part.base_minor <= room[part.rate.group].base_minor
            and -part.gross_minor <= room[part.rate.group].gross_minor
            for part in wanted.per_rate
        ):
            return Note(invoice, lines, credit_by_rate(left, amounts, tax_included=tax_included))
    return None


async def _apart(work: Work, effect: BillChange, given: _Given, treatment: TaxTreatment) -> Bill:
    """Credit notes to the invoices that billed the days, and an invoice for the new terms."""
    change = effect.change
    notes = await draw_up_notes(work, given.lines, given.credits, change.change_on)
    charges = rated(given.found.charges, treatment)
    claim = _claim(effect, charges, treatment) if charges else None
    return Bill(claim, notes, given.lines, change.change_on)


def _claim(effect: BillChange, lines: tuple[Rated, ...], treatment: TaxTreatment) -> Claim:
    change = effect.change
    return Claim(
        reason=InvoiceReason.CHANGE,
        period=change.billed_period,
        lines=lines,
        treatment=treatment,
        currency=change.terms.currency,
        tax_included=change.terms.tax_included,
    )


async def draw_up_credit(work: Work, effect: CreditUnused) -> Bill:
    """What a cancel or a pause gives back: the days from one on, of the lines that billed them (rules 8, 12)."""
    billed = await billed_lines(work.session, work.row.id, effect.from_day)
    given = unused([item.line for item in billed], effect.from_day)
    notes = await draw_up_notes(work, billed, given, effect.from_day)
    return Bill(None, notes, tuple(billed), effect.from_day)


async def draw_up_all_back(work: Work) -> Bill:
    """All that is left of every invoice (rules 32)."""
    notes = []
    for invoice in await issued_invoices(work.session, work.row.id):
        left = await left_of(work.session, invoice)
        if left.total_minor > 0:
            credited, lines = await all_of(work.session, invoice, left)
            nets = tuple(line.net_minor for line in lines)
            rated_lines = tuple((line.line, line.rate) for line in lines)
            notes.append(Note(invoice, rated_lines, TaxedLines(totals=credited, net_minor=nets)))
    given = await billed_lines(work.session, work.row.id, date.min)
    return Bill(None, tuple(notes), tuple(given), date.min)


async def draw_up_early_exit(work: Work, effect: BillEarlyExit) -> Bill:
    """What leaving within the commitment costs."""
    state = work.row.state
    if state.period is None:
        return Bill(None, (), (), effect.from_day)
    lines = early_exit_lines(state, effect.from_day, effect.until, effect.percent)
    treatment = await treatment_now(work.session, work.row, work.at, work.rules)
    period = state.period.model_copy(
        update={
            "start": effect.from_day,
            "end": effect.until,
            "whole_start": effect.from_day,
            "whole_end": effect.until,
        }
    )
    claim = Claim(
        reason=InvoiceReason.EARLY_EXIT,
        period=period,
        lines=rated(lines, treatment),
        treatment=treatment,
        currency=state.terms.currency,
        tax_included=state.terms.tax_included,
    )
    if not lines:
        return Bill(None, (), (), effect.from_day)
    claim = await claim_as_sold(work.session, work.row, claim, work.at, work.rules)
    return Bill(claim, (), (), effect.from_day)


async def can_be_gated(work: Work, bill: Bill) -> bool:
    """Whether what a change bills can be charged at all before it is issued (rules 13)."""
    if bill.claim is None or work.row.state.terms.collection_method is not CollectionMethod.CHARGE:
        return False
    customer = await customer_of(work.session, work.row)
    total, currency = bill.claim.taxed.totals.total_minor, bill.claim.currency
    return await left_to_charge(work.session, customer, currency, total) >= work.rules.minimum(currency)


async def write_bill(
    work: Work, bill: Bill, *, reason: str, credit_to: CreditTo = CreditTo.BALANCE, gated: bool = False
) -> Invoice | None:
    """Write what was drawn up. Of a gated one only the draft: the rest follows when it is paid."""
    if gated:
        return await _write_claim(work, bill, gated=True)
    await write_notes(work, bill, reason=reason, credit_to=credit_to)
    return await _write_claim(work, bill, gated=False)


async def _write_claim(work: Work, bill: Bill, *, gated: bool) -> Invoice | None:
    if bill.claim is None:
        return None
    claim = replace(bill.claim, gated=True) if gated else bill.claim
    return await write_claim(
        work.session, work.row, claim, work.at, work.rules, command_id=work.command_id or str(bill.from_on)
    )


async def write_notes(
    work: Work, bill: Bill, *, reason: str, credit_to: CreditTo = CreditTo.BALANCE, tells: bool = False
) -> None:
    """Write the credit notes, and that the days are billed no more. A draft is no document yet: it simply asks less."""
    for note in bill.notes:
        if note.invoice.awaits_usage:
            await add_to_draft(work.session, note.invoice, note.lines)
            continue
        await write_credit_note(
            work.session,
            work.row,
            note.invoice,
            note.taxed.totals,
            with_nets(note.lines, note.taxed),
            command_id=work.command_id or str(bill.from_on),
            reason=reason,
            at=work.at,
            rules=work.rules,
            then=PayBackAs.REFUND if credit_to is CreditTo.REFUND else PayBackAs.BALANCE,
            tells=tells,
        )
    for item in bill.given_back:
        item.give_back_from(bill.from_on)
    await work.session.flush()
    for invoice in {item.invoice.id: item.invoice for item in bill.given_back}.values():
        await follow_coverage(work.session, invoice)


async def credits_stand_on(work: Work, invoice: Invoice) -> bool:
    """Whether an invoice carries the credits of its change itself."""
    rows = await lines_of(work.session, invoice.id)
    return any(row.line.kind is LineKind.PRORATION_CREDIT for row in rows)


async def draw_up_notes(
    work: Work, homes: Sequence[BilledLine], credits_: Sequence[Line], day: date
) -> tuple[Note, ...]:
    """The credit notes that give lines back, each on its own invoice as far as that goes (rules 7, 12)."""
    invoices = await _with_homes(work, homes, day)
    notes = []
    for invoice, given in zip(invoices, await _spread(work, invoices, homes, credits_), strict=True):
        lines = tuple((_of_amount(credits_[place], amount), homes[place].row.rate) for place, amount in given)
        if lines:
            amounts = [(line.amount_minor, rate) for line, rate in lines]
            left = await left_of(work.session, invoice)
            taxed = credit_by_rate(left, amounts, tax_included=invoice.tax_included)
            notes.append(Note(invoice, lines, taxed))
    return tuple(notes)


async def _with_homes(work: Work, homes: Sequence[BilledLine], day: date) -> list[Invoice]:
    """The invoices on which days can be given back: those that billed them, then others that reach beyond the day."""
    found = {item.invoice.id: item.invoice for item in homes}
    for invoice in await invoices_from(work.session, work.row.id, day):
        found.setdefault(invoice.id, invoice)
    return list(found.values())


async def _spread(
    work: Work, invoices: Sequence[Invoice], homes: Sequence[BilledLine], credits_: Sequence[Line]
) -> list[list[tuple[int, int]]]:
    place: Mapping[str, int] = {invoice.id: index for index, invoice in enumerate(invoices)}
    given = [
        (place[item.invoice.id], -credit.amount_minor, item.row.rate)
        for item, credit in zip(homes, credits_, strict=True)
    ]
    left = [await left_of(work.session, invoice) for invoice in invoices]
    tax_included = invoices[0].tax_included if invoices else False
    return spread_credit(given, left, tax_included=tax_included)


def _of_amount(credit: Line, amount_minor: int) -> Line:
    """A line that gives back so much; less than its days are worth where no more is left."""
    if -credit.amount_minor == amount_minor:
        return credit
    return credit.model_copy(
        update={"amount_minor": -amount_minor, "list_minor": -amount_minor, "discounts": ()}
    )
