"""A credit note as a person asks for it: of an amount, of lines, or of all that is left (rules 7, 11, 12)."""

from __future__ import annotations

from collections.abc import Sequence

from activities.books.crediting import left_of, lines_per_rate, take_all_back, write_credit_note
from activities.books.document_lines import WrittenLine, lines_of, with_nets
from activities.books.work import Work
from billing.corrections import Credit, LineCredit
from billing.credit import credit_by_rate, credit_gross
from billing.credit_lines import part_taken_back
from billing.errors import InvalidInput
from billing.tax import Totals
from models.tables import CreditNote, Invoice, InvoiceLine


async def credit_by_person(work: Work, invoice: Invoice, asked: Credit) -> CreditNote:
    """The credit note of an amount, of lines, or of all that is left (rules 7, 11, 12).

    Raises:
        InvalidInput: nothing is left, or less than that; fields `amount`, `lines`.
    """
    left = await left_of(work.session, invoice)
    billed = await lines_of(work.session, invoice.id)
    if asked.lines:
        credited, lines = _of_lines(invoice, left, billed, asked.lines)
    elif asked.amount_minor is not None and asked.amount_minor != left.total_minor:
        credited = credit_gross(left, asked.amount_minor)
        lines = lines_per_rate(invoice, billed, credited)
    else:
        credited, lines = await take_all_back(work.session, invoice)
    return await write_credit_note(
        work.session,
        work.row,
        invoice,
        credited,
        lines,
        command_id=asked.command_id,
        reason=asked.reason,
        at=work.at,
        rules=work.rules,
        then=asked.then,
        by=asked.by,
        tells=True,
    )


def _of_lines(
    invoice: Invoice, left: Totals, billed: Sequence[InvoiceLine], chosen: Sequence[LineCredit]
) -> tuple[Totals, list[WrittenLine]]:
    by_position = {stored.position: stored for stored in billed}
    unknown = [str(one.position) for one in chosen if one.position not in by_position]
    if unknown:
        raise InvalidInput(
            f"The invoice has no line {', '.join(unknown)}. Its lines are 0 to {len(billed) - 1}.",
            field="lines",
        )
    rated = [
        (
            part_taken_back(by_position[one.position].line, one.amount_minor, invoice.currency),
            by_position[one.position].rate,
        )
        for one in chosen
    ]
    amounts = [(line.amount_minor, rate) for line, rate in rated]
    taxed = credit_by_rate(left, amounts, tax_included=invoice.tax_included)
    return taxed.totals, list(with_nets(rated, taxed))
