"""An issued document as it is printed, read from its rows.

What was true when it was issued is printed: snapshots, and of payments only those that the journal has in the
transaction of the issue. So a document reads the same whenever it is rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.document_lines import lines_of
from activities.books.journal import BALANCE_USED, MOVED, PAYMENT, RECEIVABLE, SMALL_DIFFERENCE
from activities.books.mail_facts import label
from activities.books.mandates import is_direct_debit, mandate_of
from activities.books.rows import NotFound, get, usable_method
from billing.lines import LineKind
from billing.money import exponent, round_half_up
from billing.tax import RateTotal, TaxRate, Totals
from billing.terms import CollectionMethod
from documents.document import (
    BUSINESSES,
    Corrected,
    Document,
    DocumentKind,
    DocumentLine,
    PaymentMeans,
    RateLine,
)
from mails.formats import Language
from models.parties import Buyer
from models.tables import CreditNote, Customer, Invoice, InvoiceLine, JournalLine, SubscriptionRow

_PAID_BY_ISSUE = (PAYMENT, SMALL_DIFFERENCE, MOVED)
_FINER_THAN_MINOR = 4
"""Decimals that a unit price without tax gets beyond those of its currency, where the price contains the tax."""


class NotIssued(NotFound):
    """A draft is no document: it has no number yet."""


async def printed_document(session: AsyncSession, document_id: str) -> Document:
    """The invoice or credit note with this id.

    Raises:
        NotFound: there is none.
        NotIssued: it is a draft.
    """
    note = await session.get(CreditNote, document_id)
    if note is not None:
        return await _credit_note(session, note)
    return await _invoice(session, await get(session, Invoice, document_id, field="document"))


async def _invoice(session: AsyncSession, invoice: Invoice) -> Document:
    if invoice.number is None or invoice.issued_on is None:
        raise NotIssued("A draft has no number yet, so there is nothing to print.", field="invoice")
    customer = await get(session, Customer, invoice.customer_id, field="customer")
    rows = await lines_of(session, invoice.id)
    shows_gross = _shows_gross(invoice, invoice.buyer, rows)
    return Document(
        kind=DocumentKind.INVOICE,
        language=Language.of(customer.locale),
        number=invoice.number,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
        seller=invoice.seller,
        buyer=invoice.buyer,
        currency=invoice.currency,
        tax_included=shows_gross,
        lines=[_line(row, invoice, sign=1, shows_gross=shows_gross) for row in rows],
        per_rate=_rates(invoice, invoice.totals),
        vat_eur_minor=invoice.vat_eur_minor,
        exchange_rate=invoice.exchange_rate,
        exchange_rate_on=invoice.exchange_rate_on,
        from_balance_minor=await _settled(session, invoice, (BALANCE_USED,)),
        paid_minor=await _settled(session, invoice, _PAID_BY_ISSUE if invoice.gated else (MOVED,)),
        **await _means(session, invoice, customer),
        is_test=invoice.clock_id is not None,
    )


async def _credit_note(session: AsyncSession, note: CreditNote) -> Document:
    invoice = await get(session, Invoice, note.invoice_id, field="invoice")
    customer = await get(session, Customer, note.customer_id, field="customer")
    if invoice.number is None or invoice.issued_on is None:
        raise NotIssued("A credit note corrects an issued invoice.", field="invoice")
    rows = await lines_of(session, note.id)
    shows_gross = _shows_gross(invoice, note.buyer, rows)
    return Document(
        kind=DocumentKind.CREDIT_NOTE,
        language=Language.of(customer.locale),
        number=note.number,
        issued_on=note.issued_on,
        seller=note.seller,
        buyer=note.buyer,
        currency=note.currency,
        tax_included=shows_gross,
        lines=_credited_lines(note, invoice, rows, shows_gross=shows_gross),
        per_rate=_rates(invoice, -note.totals),
        vat_eur_minor=None if note.vat_eur_minor is None else abs(note.vat_eur_minor),
        exchange_rate=note.exchange_rate,
        exchange_rate_on=note.exchange_rate_on,
        corrects=Corrected(number=invoice.number, issued_on=invoice.issued_on),
        to_open_minor=note.closes_minor,
        to_customer_minor=note.balance_minor + note.refund_minor,
        is_test=invoice.clock_id is not None,
    )


def _credited_lines(
    note: CreditNote, invoice: Invoice, rows: Sequence[InvoiceLine], *, shows_gross: bool
) -> Sequence[DocumentLine]:
    """Its own lines; the first release wrote none for a full credit, then one amount stands for each rate."""
    if rows:
        return [_line(row, invoice, sign=-1, shows_gross=shows_gross) for row in rows]
    return [_amount_at(part) for part in (-note.totals).per_rate]


def _amount_at(part: RateTotal) -> DocumentLine:
    return DocumentLine(
        kind=LineKind.CREDIT,
        name="",
        quantity=Decimal(1),
        unit_amount=None,
        start=None,
        end=None,
        list_minor=part.base_minor,
        net_minor=part.base_minor,
        gross_minor=part.gross_minor,
        rate=part.rate,
    )


def _line(row: InvoiceLine, invoice: Invoice, *, sign: int, shows_gross: bool) -> DocumentLine:
    line = row.line
    return DocumentLine(
        kind=line.kind,
        name=line.plan_name,
        description=line.description,
        quantity=line.quantity,
        unit_amount=line.unit_amount if shows_gross else _unit_amount(line.unit_amount, row.rate, invoice),
        package_size=line.package_size,
        is_average=line.model.has_tiers,
        start=line.start,
        end=line.end,
        whole_days=line.whole_days,
        discounts=line.discounts,
        list_minor=sign * _list_net(row, invoice),
        net_minor=sign * row.net_minor,
        list_gross_minor=sign * line.list_minor if shows_gross else None,
        gross_minor=sign * line.amount_minor if shows_gross else None,
        rate=row.rate,
        late=line.late,
    )


def _list_net(row: InvoiceLine, invoice: Invoice) -> int:
    line = row.line
    if line.list_minor == line.amount_minor:
        return row.net_minor
    return round_half_up(row.rate.net_of(line.list_minor)) if invoice.tax_included else line.list_minor


def _shows_gross(invoice: Invoice, buyer: Buyer, rows: Sequence[InvoiceLine]) -> bool:
    """Whether prices are printed with tax: where they contain what is charged, but for a business, which wants the net.

    Who is not charged the tax that a price contains pays its net, and is shown that (rules 6).
    """
    keeps_gross = all(row.rate.contains_what_it_charges for row in rows)
    return invoice.tax_included and keeps_gross and buyer.kind not in BUSINESSES


def _unit_amount(amount: Decimal, rate: TaxRate, invoice: Invoice) -> Decimal:
    if not invoice.tax_included:
        return amount
    contained = rate.percent if rate.contained_percent is None else rate.contained_percent
    places = Decimal(1).scaleb(-exponent(invoice.currency) - _FINER_THAN_MINOR)
    net = (amount / (1 + contained / 100)).quantize(places)
    return Decimal(f"{net.normalize():f}")


def _rates(invoice: Invoice, totals: Totals) -> list[RateLine]:
    mention = invoice.treatment.mention_for if invoice.treatment else lambda _: ""
    return [
        RateLine(
            rate=part.rate,
            base_minor=part.base_minor,
            vat_minor=part.vat_minor,
            mention=mention(part.rate),
        )
        for part in totals.per_rate
    ]


async def _settled(session: AsyncSession, invoice: Invoice, kinds: Sequence[str]) -> int:
    """What entries of these kinds took off the invoice at the instant of its issue."""
    query = select(func.sum(JournalLine.amount_minor)).where(
        JournalLine.invoice_id == invoice.id,
        JournalLine.account == RECEIVABLE,
        JournalLine.at == invoice.issued_at,
        col(JournalLine.kind).in_(kinds),
    )
    return max(0, -int((await session.exec(query)).one() or 0))


async def _means(session: AsyncSession, invoice: Invoice, customer: Customer) -> dict[str, Any]:
    """How the invoice is to be paid, with what, and under which mandate: fields of a document."""
    row = await get(session, SubscriptionRow, invoice.subscription_id, field="subscription")
    if row.state.terms.collection_method is CollectionMethod.TRANSFER:
        return {"means": PaymentMeans.TRANSFER}
    method = await usable_method(session, customer)
    if method is None:
        return {"means": PaymentMeans.OPEN}
    named = {"method_label": label(method) or ""}
    if not is_direct_debit(method):
        return {"means": PaymentMeans.CARD, **named}
    mandate = await mandate_of(session, method)
    if mandate is not None:
        named |= {"mandate_reference": mandate.reference, "creditor_id": mandate.creditor_id}
    return {"means": PaymentMeans.SEPA_DEBIT, **named}
