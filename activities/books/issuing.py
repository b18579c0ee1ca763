"""Issuing invoices: number, lines, journal and first attempt in one transaction (rules 10, 13, 14)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.journal import RECEIVABLE, REVENUE, VAT, book
from activities.books.notices import emit, write_mail
from activities.books.numbering import next_number, series_name
from activities.books.rows import customer_of, entity_of
from billing.effects import Issue
from billing.lines import lines_for
from billing.tax import TaxRate, totals
from billing.terms import CollectionMethod
from models.ids import derived_id
from models.parties import Buyer, Seller
from models.tables import (
    Customer,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    LegalEntity,
    SubscriptionRow,
)


def seller_of(entity: LegalEntity) -> Seller:
    """The snapshot of the seller for a document."""
    return Seller(
        name=entity.name,
        legal_form=entity.legal_form,
        capital=entity.capital,
        siren=entity.siren,
        vat_number=entity.vat_number,
        address=entity.address,
        iban=entity.iban,
        sender=entity.sender,
        locale=entity.locale,
    )


def buyer_of(customer: Customer) -> Buyer:
    """The snapshot of the buyer for a document."""
    return Buyer(
        name=customer.name,
        kind=customer.kind,
        vat_number=customer.vat_number,
        siren=customer.siren,
        address=customer.address,
    )


def rate_of(entity: LegalEntity) -> TaxRate:
    """The entity's one VAT rate; a rate of zero is its own category."""
    return TaxRate(category="S" if entity.vat_percent else "Z", percent=entity.vat_percent)


async def write_invoice(
    session: AsyncSession,
    row: SubscriptionRow,
    issue: Issue,
    at: datetime,
    rules: BookRules,
    *,
    command_id: str = "",
) -> Invoice:
    """Write the invoice of a period: issued at once, or a draft where it is gated or awaits a person.

    The same period and reason is written once: a second call answers the first's row (design 4.4).
    """
    written = await _written_for(session, row, issue, command_id)
    if written and written[-1].status is not InvoiceStatus.VOID:
        return written[-1]
    key = (row.id, str(issue.period.start), issue.reason, command_id)
    invoice_id = derived_id("in", *key, *([len(written)] if written else []))
    entity, customer = await entity_of(session, row), await customer_of(session, row)
    lines = lines_for(issue.terms, issue.period)
    rate = rate_of(entity)
    taxed = totals(lines, rate, tax_included=issue.terms.tax_included)
    invoice = Invoice(
        id=invoice_id,
        entity_id=row.entity_id,
        customer_id=row.customer_id,
        subscription_id=row.id,
        clock_id=row.clock_id,
        reason=issue.reason,
        command_id=command_id,
        period_index=issue.period.index,
        period_start=issue.period.start,
        period_end=issue.period.end,
        covers_until=issue.period.end,
        gated=issue.gated,
        gate_closes_at=at + rules.gated_for if issue.gated else None,
        currency=issue.terms.currency,
        tax_included=issue.terms.tax_included,
        rate=rate,
        totals=taxed.totals,
        net_minor=taxed.totals.net_minor,
        vat_minor=taxed.totals.vat_minor,
        total_minor=taxed.totals.total_minor,
        seller=seller_of(entity),
        buyer=buyer_of(customer),
        first_payment=issue.first_payment or issue.gated,
        delay_days=issue.delay_days,
    )
    session.add(invoice)
    for position, (line, net) in enumerate(zip(lines, taxed.net_minor, strict=True)):
        session.add(
            InvoiceLine(
                id=derived_id("il", invoice_id, position),
                document_id=invoice_id,
                position=position,
                line=line,
                net_minor=net,
            )
        )
    await session.flush()
    if not issue.gated and not issue.draft:
        await number_invoice(session, row, invoice, at, rules)
    return invoice


async def _written_for(
    session: AsyncSession, row: SubscriptionRow, issue: Issue, command_id: str
) -> Sequence[Invoice]:
    """What was written for this period, reason and command before: drafts that were dropped, then one that counts."""
    query = select(Invoice).where(
        Invoice.subscription_id == row.id,
        Invoice.period_start == issue.period.start,
        Invoice.reason == issue.reason,
        Invoice.command_id == command_id,
    )
    found = (await session.exec(query)).all()
    return sorted(found, key=lambda invoice: invoice.status is not InvoiceStatus.VOID)


async def number_invoice(
    session: AsyncSession, row: SubscriptionRow, invoice: Invoice, at: datetime, rules: BookRules
) -> None:
    """Turn a draft into an issued invoice: number, date, parties as they are now, journal, event, mail.

    A total of zero is paid at once (rules 10).
    """
    entity, customer = await entity_of(session, row), await customer_of(session, row)
    invoice.seller, invoice.buyer = seller_of(entity), buyer_of(customer)
    invoice.issued_at = at
    issued = await next_number(session, entity, series_name(entity.invoice_series, row.clock_id), at)
    invoice.series, invoice.number, invoice.issued_on = issued.series, issued.number, issued.on
    book(
        session,
        entity,
        invoice,
        entry=f"invoice/{invoice.id}",
        amounts={
            RECEIVABLE: invoice.total_minor,
            REVENUE: -invoice.net_minor,
            VAT: -invoice.vat_minor,
        },
        at=at,
        on=issued.on,
    )
    invoice.status = InvoiceStatus.OPEN
    invoice.due_on = issued.on + timedelta(days=_payment_days(row))
    facts = {
        "invoice": invoice.id,
        "number": issued.number,
        "total_minor": invoice.total_minor,
        "currency": invoice.currency,
    }
    emit(session, row, "invoice.issued", facts, at, rules.access)
    if invoice.total_minor == 0:
        invoice.status, invoice.paid_at = InvoiceStatus.PAID, at
        emit(session, row, "invoice.paid", facts, at, rules.access)
    await write_mail(
        session,
        customer,
        kind="invoice_issued",
        step="invoice_issued",
        occurrence="1",
        at=at,
        subscription=row,
        invoice=invoice,
    )


def _payment_days(row: SubscriptionRow) -> int:
    terms = row.state.terms
    return terms.payment_terms_days if terms.collection_method is CollectionMethod.TRANSFER else 0


def is_charged(invoice: Invoice, row: SubscriptionRow, rules: BookRules) -> bool:
    """Whether the invoice's amount is collected by charging at all: not by transfer, zero, or below the minimum."""
    if row.state.terms.collection_method is not CollectionMethod.CHARGE:
        return False
    return invoice.open_minor >= rules.minimum(invoice.currency)
