"""Issuing invoices: number, lines, journal and first attempt in one transaction (rules 10, 13, 14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.balance import book_balance_used, set_balance_aside
from activities.books.config import BookRules
from activities.books.document_lines import Rated, lines_of, tax_anew, with_nets, write_lines
from activities.books.exchanging import check_rate, freeze_rate, in_eur
from activities.books.journal import RECEIVABLE, REVENUE, VAT, book
from activities.books.notices import about, emit, write_mail
from activities.books.numbering import next_number, series_name
from activities.books.rows import customer_of, entity_of
from activities.books.taxing import mark_sale, treatment_of
from billing.calendar import Period, local_date
from billing.effects import InvoiceReason, Issue
from billing.lines import Line, lines_for
from billing.tax import TaxedLines, totals_by_rate
from billing.taxation import TaxTreatment, TreatmentKind
from documents.mentions import check_buyer_mentions, check_entity_ready, missing_of_buyer
from models.ids import derived_id
from models.parties import Buyer, Seller
from models.tables import (
    NOTHING_TO_BILL,
    Customer,
    Invoice,
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
        registration=entity.registration,
        vat_number=entity.vat_number,
        vat_on_debits=entity.vat_on_debits,
        address=entity.address,
        iban=entity.iban,
        bic=entity.bic,
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
        purchase_order=customer.purchase_order,
        address=customer.address,
    )


def check_parties(entity: LegalEntity, invoice: Invoice) -> None:
    """Refuse to issue an invoice without a mention that the law wants of its parties (rules 18).

    A seller that did not go live makes drafts of a business to come: going live is refused to one that lacks a mention.

    Raises:
        MentionsMissing: names every mention that is missing, and what to run.
    """
    if entity.live_since is not None:
        check_entity_ready(invoice.seller, small_business=entity.small_business, entity=entity.id)
    check_buyer_mentions(invoice.seller, invoice.buyer, customer=invoice.customer_id)


class Sale(NamedTuple):
    """What a sale adds to those of the year."""

    net_minor: int
    currency: str


@dataclass(frozen=True)
class Claim:
    """What an invoice is to claim, before it is written: a preview reads the same value.

    Attributes:
        reason: why it exists.
        period: what it covers.
        lines: with their rates.
        treatment: how they are taxed, and why.
        currency: ISO 4217.
        tax_included: whether line amounts are gross.
        gated: a draft without number until it is paid or processing (rules 13).
        draft: written without number for a person to decide (rules 4).
        first_payment: its failure follows the policy for first payments (rules 24).
        delay_days: how many days after the issue its first charge is due.
        waits_for_usage: a draft that is issued when late usage is in.
    """

    reason: InvoiceReason
    period: Period
    lines: tuple[Rated, ...]
    treatment: TaxTreatment
    currency: str
    tax_included: bool
    gated: bool = False
    draft: bool = False
    first_payment: bool = False
    delay_days: int = 0
    waits_for_usage: bool = False

    @property
    def taxed(self) -> TaxedLines:
        """The lines with their tax worked out, once per rate (rules 6)."""
        amounts = [(line.amount_minor, rate) for line, rate in self.lines]
        return totals_by_rate(amounts, tax_included=self.tax_included)


def rated(lines: Iterable[Line], treatment: TaxTreatment) -> tuple[Rated, ...]:
    """Lines with the rates of a treatment."""
    return tuple((line, treatment.rate_for(line.tax_class)) for line in lines)


async def claim_of(
    session: AsyncSession, row: SubscriptionRow, issue: Issue, at: datetime, rules: BookRules
) -> Claim:
    """What the invoice of a period claims."""
    claim = claimed(issue, await treatment_now(session, row, at, rules))
    return await claim_as_sold(session, row, claim, at, rules)


async def claim_as_sold(
    session: AsyncSession, row: SubscriptionRow, claim: Claim, at: datetime, rules: BookRules
) -> Claim:
    """The claim itself, or taxed where the buyer is: of the sale that passes the threshold (directive art. 59c)."""
    treatment = await treatment_with(
        session,
        row,
        claim.treatment,
        Sale(claim.taxed.totals.net_minor, claim.currency),
        at,
        rules,
    )
    if treatment is claim.treatment:
        return claim
    lines = rated((line for line, _ in claim.lines), treatment)
    return replace(claim, lines=lines, treatment=treatment)


def claimed(issue: Issue, treatment: TaxTreatment) -> Claim:
    """What the invoice of a period claims from a buyer who is taxed like this."""
    lines = lines_for(issue.terms, issue.period, discounts=issue.discounts, once=issue.once)
    return Claim(
        reason=issue.reason,
        period=issue.period,
        lines=rated(lines, treatment),
        treatment=treatment,
        currency=issue.terms.currency,
        tax_included=issue.terms.tax_included,
        gated=issue.gated,
        draft=issue.draft,
        first_payment=issue.first_payment or issue.gated,
        delay_days=issue.delay_days,
        waits_for_usage=issue.waits_for_usage,
    )


async def treatment_now(
    session: AsyncSession, row: SubscriptionRow, at: datetime, rules: BookRules
) -> TaxTreatment:
    """How what is issued at this instant is taxed: by the seller's date (rules 1)."""
    entity, customer = await entity_of(session, row), await customer_of(session, row)
    return await treatment_of(session, entity, customer, local_date(at, entity.timezone), rules)


async def treatment_with(
    session: AsyncSession,
    row: SubscriptionRow,
    treatment: TaxTreatment,
    sale: Sale,
    at: datetime,
    rules: BookRules,
) -> TaxTreatment:
    """The treatment itself, or the one beyond the threshold if this sale passes it."""
    if treatment.kind is not TreatmentKind.BELOW_THRESHOLD:
        return treatment
    entity, customer = await entity_of(session, row), await customer_of(session, row)
    on = local_date(at, entity.timezone)
    adding = await in_eur(session, sale.net_minor, sale.currency, on)
    beyond = await treatment_of(session, entity, customer, on, rules, adding_eur_minor=adding)
    return treatment if beyond.kind is TreatmentKind.BELOW_THRESHOLD else beyond


async def write_invoice(
    session: AsyncSession,
    row: SubscriptionRow,
    issue: Issue,
    at: datetime,
    rules: BookRules,
    *,
    command_id: str = "",
) -> Invoice:
    """Write the invoice of a period: issued at once, or a draft where it is gated or awaits something.

    The same period and reason is written once: a second call answers the first's row (design 4.4).
    """
    claim = await claim_of(session, row, issue, at, rules)
    return await write_claim(session, row, claim, at, rules, command_id=command_id)


async def write_claim(
    session: AsyncSession,
    row: SubscriptionRow,
    claim: Claim,
    at: datetime,
    rules: BookRules,
    *,
    command_id: str = "",
) -> Invoice:
    """Write an invoice: issued at once, or a draft. The same period, reason and command is written once."""
    written = await _written_for(session, row, claim, command_id)
    if written and (written[-1].status is not InvoiceStatus.VOID or written[-1].bills_nothing):
        return written[-1]
    key = (row.id, str(claim.period.start), claim.reason, command_id)
    invoice_id = derived_id("in", *key, *([len(written)] if written else []))
    entity, customer = await entity_of(session, row), await customer_of(session, row)
    taxed = claim.taxed
    invoice = Invoice(
        id=invoice_id,
        entity_id=row.entity_id,
        customer_id=row.customer_id,
        subscription_id=row.id,
        clock_id=row.clock_id,
        reason=claim.reason,
        command_id=command_id,
        period_index=claim.period.index,
        period_start=claim.period.start,
        period_end=claim.period.end,
        covers_until=claim.period.end,
        gated=claim.gated,
        gate_closes_at=at + rules.gated_for if claim.gated else None,
        waits_for_usage=claim.waits_for_usage,
        currency=claim.currency,
        tax_included=claim.tax_included,
        treatment=claim.treatment,
        totals=taxed.totals,
        net_minor=taxed.totals.net_minor,
        vat_minor=taxed.totals.vat_minor,
        total_minor=taxed.totals.total_minor,
        seller=seller_of(entity),
        buyer=buyer_of(customer),
        first_payment=claim.first_payment,
        delay_days=claim.delay_days,
    )
    mark_sale(invoice, claim.treatment)
    if claim.gated:  # once it is paid, nothing may stop its issue
        check_parties(entity, invoice)
        await check_rate(session, entity, invoice, local_date(at, entity.timezone), rules)
    session.add(invoice)
    await session.flush()
    if claim.gated:
        await set_balance_aside(session, customer, invoice)
    write_lines(session, document_id=invoice_id, invoice_id=invoice_id, lines=with_nets(claim.lines, taxed))
    await session.flush()
    if not (claim.gated or claim.draft or claim.waits_for_usage):
        await issue_or_drop(session, row, invoice, at, rules)
    return invoice


async def _written_for(
    session: AsyncSession, row: SubscriptionRow, claim: Claim, command_id: str
) -> Sequence[Invoice]:
    """What was written for this period, reason and command before: drafts that were dropped, then one that counts."""
    query = select(Invoice).where(
        Invoice.subscription_id == row.id,
        Invoice.period_start == claim.period.start,
        Invoice.reason == claim.reason,
        Invoice.command_id == command_id,
    )
    found = (await session.exec(query)).all()
    return sorted(found, key=lambda invoice: invoice.status is not InvoiceStatus.VOID)


async def issue_or_drop(
    session: AsyncSession, row: SubscriptionRow, invoice: Invoice, at: datetime, rules: BookRules
) -> None:
    """Issue a draft; one without a line is dropped and takes no number.

    A period in which only usage is billed has nothing in advance, and nothing afterwards where nothing was used. The
    dropped draft stays as the one answer to what the period was billed (I3). A line of zero is issued as any other.
    """
    if await lines_of(session, invoice.id):
        await _tax_as_of(session, row, invoice, at, rules)
        await number_invoice(session, row, invoice, at, rules)
    else:
        invoice.status, invoice.closed_by = InvoiceStatus.VOID, NOTHING_TO_BILL
        emit(session, row, "invoice.voided", about(invoice), at, rules.access)


async def _tax_as_of(
    session: AsyncSession, row: SubscriptionRow, draft: Invoice, at: datetime, rules: BookRules
) -> None:
    """Tax a draft by what is known at its issue, as its parties are: it may have waited for weeks."""
    treatment = await treatment_now(session, row, at, rules)
    sale = Sale(draft.net_minor, draft.currency)
    treatment = await treatment_with(session, row, treatment, sale, at, rules)
    if draft.treatment is not None and treatment.taxes_like(draft.treatment):
        return
    draft.treatment = treatment
    mark_sale(draft, treatment)
    await tax_anew(session, draft, treatment)


def _buyer_at_issue(entity: LegalEntity, customer: Customer, invoice: Invoice) -> Buyer:
    """The buyer as they are now; a gated draft that was paid names nobody with a mention less than it had."""
    buyer = buyer_of(customer)
    lacks_one = invoice.gated and missing_of_buyer(seller_of(entity), buyer)
    return invoice.buyer if lacks_one else buyer


async def number_invoice(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    at: datetime,
    rules: BookRules,
    *,
    buyer: Buyer | None = None,
) -> None:
    """Turn a draft into an issued invoice: number, date, parties as they are now, journal, event, mail.

    The customer's balance pays what it can, and a total of zero is paid at once (rules 10, 11).

    Args:
        session: with the subscription locked.
        row: the subscription.
        invoice: the draft; what is paid on it already was moved over from the invoice that it replaces.
        at: the instant of issue.
        rules: the seller's.
        buyer: as the document names the customer, where not by the customer's own data.

    Raises:
        MentionsMissing: the law wants a mention that is not there; the invoice stays as it was.
    """
    entity, customer = await entity_of(session, row), await customer_of(session, row)
    invoice.seller, invoice.buyer = seller_of(entity), buyer or _buyer_at_issue(entity, customer, invoice)
    if not invoice.gated:
        check_parties(entity, invoice)
        await check_rate(session, entity, invoice, local_date(at, entity.timezone), rules)
        await set_balance_aside(session, customer, invoice)
    invoice.issued_at = at
    issued = await next_number(session, entity, series_name(entity.invoice_series, row.clock_id), at)
    invoice.series, invoice.number, invoice.issued_on = issued.series, issued.number, issued.on
    invoice.status = InvoiceStatus.OPEN
    invoice.due_on = row.state.terms.payment_terms.due_on(issued.on)
    await freeze_rate(session, invoice)
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
    book_balance_used(session, entity, invoice, at=at, on=issued.on)
    emit(session, row, "invoice.issued", about(invoice), at, rules.access)
    if invoice.open_minor == 0:
        invoice.status, invoice.paid_at = InvoiceStatus.PAID, at
        emit(session, row, "invoice.paid", {**about(invoice), "amount_minor": 0}, at, rules.access)
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
