"""Rectify: a wrong name or address on an invoice (rules 11).

The document is never edited. A credit note takes all of it back, a new invoice with the same lines and the buyer's
corrected data takes its place, and what was paid moves over, all in one transaction. Payment attempts stay with the
invoice on which they were made: the new one names the old one, and a refund of it goes back on those payments.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import open_collection
from activities.books.config import BookRules
from activities.books.correcting import DONE, NotNow, check_same, check_taken
from activities.books.crediting import left_of, notes_of, take_all_back, write_credit_note
from activities.books.document_lines import WrittenLine, lines_of, write_lines
from activities.books.gate import Prepares
from activities.books.issuing import buyer_of, number_invoice
from activities.books.journal import BALANCE, MOVED, RECEIVABLE, SMALL_DIFFERENCE, book
from activities.books.rows import entity_of, get, lock, lock_with_subscription
from activities.books.taxing import mark_sale, treatment_of
from activities.books.transitions import collect_invoice, settle_standing, write_off
from activities.books.waiting import under_way, write_command
from activities.books.work import Work
from billing.calendar import local_date
from billing.corrections import Rectify
from billing.errors import InvalidInput
from billing.exchange import to_eur_minor
from billing.lines import Line
from billing.subscription import CustomerKind
from billing.tax import TaxRate, Totals, totals_by_rate
from billing.tax_numbers import siren, vat_number
from billing.taxation import TaxTreatment
from billing.values import Value
from models.ids import derived_id
from models.parties import Address, Buyer
from models.tables import CommandRow, CreditNote, Customer, Invoice, InvoiceStatus
from models.tax_identity import check_buyer

REASON: Final = "correction"
"""Of the new invoice; with the command's id it is part of its unique key (design 4.4)."""
_ITS_OWN: Final = frozenset(
    {"id", "reason", "command_id", "status", "payment_state", "gated", "gate_closes_at", "series", "number"}
    | {"issued_on", "issued_at", "due_on", "credited_minor", "paid_minor", "balance_minor", "replaces_id"}
    | {"small_difference_minor"}
    | {"owner", "delay_days", "chase", "generation", "payment_intent", "superseded_intent", "paid_at"}
    | {"closed_by"}
)
"""What a new invoice does not take over from the one that it replaces."""


class Rectified(Value):
    """An invoice was replaced."""

    command_id: str
    invoice_id: str
    credit_note: str
    """Its number."""
    new_invoice_id: str
    new_number: str
    status: str
    """Of the new invoice."""
    moved_minor: int
    """What was paid on the old one, and pays the new one."""
    open_minor: int
    currency: str


async def rectify(
    session: AsyncSession, gateway: Prepares, rules: BookRules, asked: Rectify, *, at: datetime
) -> Rectified:
    """Replace an invoice by one with the buyer's corrected data, once.

    Raises:
        NotNow: a payment is under way, a dispute is open, or a part was credited before.
        InvalidInput: nothing changes, or the data contradict each other; or the command id belongs to something else.
    """
    customer_id = (await get(session, Invoice, asked.invoice_id, field="invoice")).customer_id
    customer = await lock(
        session, Customer, customer_id, field="customer"
    )  # before subscriptions, as everywhere
    row, invoice = await lock_with_subscription(session, asked.invoice_id)
    known = await session.get(CommandRow, asked.command_id)
    if known is not None:
        check_same(known, asked)
        return await _answer(session, invoice, asked)
    await _check(session, invoice, asked)
    buyer = corrected_buyer(customer, asked)
    _check_buyer(buyer, customer)
    if buyer == invoice.buyer:
        raise InvalidInput(
            "The invoice names the buyer like this already. Give what is to be corrected, such as --name.",
            field="buyer",
        )
    work = Work(session, gateway, rules, row, at, asked.command_id)
    was = _Before.of(invoice)
    covered = [stored.covers_until for stored in await lines_of(session, invoice.id)]
    taxed = await _taxed(work, invoice, customer, buyer)
    note = await _take_back(work, invoice, asked, taxed.totals.total_minor)
    new = await _write_new(work, invoice, buyer, note, taxed, covered)
    await _go_on(work, invoice, new, was)
    if asked.update_customer:
        for name in asked.buyer.given:
            setattr(customer, name, getattr(buyer, name))
    write_command(work, asked, DONE)
    await settle_standing(work)
    return await _answer(session, invoice, asked)


class _Before(Value):
    """How the invoice stood before it was taken back."""

    status: InvoiceStatus
    in_arrears: bool
    paid_at: datetime | None
    covers_until: date

    @classmethod
    def of(cls, invoice: Invoice) -> _Before:
        return cls(
            status=invoice.status,
            in_arrears=invoice.in_arrears,
            paid_at=invoice.paid_at,
            covers_until=invoice.covers_until,
        )


def corrected_buyer(customer: Customer, asked: Rectify) -> Buyer:
    """The buyer as the new invoice names it: the customer's own data, and what is corrected beside them.

    Raises:
        InvalidInput: a number cannot be one; `field` names it.
    """
    given = asked.buyer.given
    if "address" in given:
        given["address"] = Address.model_validate(given["address"])
    for name, normal in (("vat_number", vat_number), ("siren", siren)):
        if name in given:
            given[name] = normal(given[name])
    return Buyer.model_validate({**dict(buyer_of(customer)), **given})


def _check_buyer(buyer: Buyer, customer: Customer) -> None:
    """Refuse a buyer that cannot be, as for a customer (rules 18)."""
    kind = CustomerKind(buyer.kind)
    if buyer.vat_number and kind is CustomerKind.CONSUMER:
        raise InvalidInput(
            "A consumer has no VAT number. If they are a business, say so first, and then rectify: "
            f"relance tax set --customer {customer.id} --kind business",
            field="vat_number",
        )
    check_buyer(kind, vat_number=buyer.vat_number, siren=buyer.siren, address=buyer.address)


async def _check(session: AsyncSession, invoice: Invoice, asked: Rectify) -> None:
    check_taken(invoice, asked)
    if await under_way(session, invoice) is not None:
        raise NotNow(
            "A payment of this invoice is under way. Rectify it once that has ended.", field="invoice"
        )
    if await left_of(session, invoice) != invoice.totals:
        raise NotNow(
            "A part of this invoice was credited already. Credit the rest too: relance invoice credit; the next "
            "invoice names the buyer as the customer's data do then.",
            field="invoice",
        )


class _Taxed(Value):
    """What the new invoice bills."""

    treatment: TaxTreatment | None
    lines: tuple[tuple[Line, TaxRate, int], ...]
    """With the net of each."""
    totals: Totals


async def _taxed(work: Work, old: Invoice, customer: Customer, buyer: Buyer) -> _Taxed:
    """The lines of the old invoice, taxed as they were, or by the corrected data where those decide otherwise.

    The question is the same for both, on the day of the old invoice: what else changed since then, a rate or the
    threshold, does not count.
    """
    billed = await lines_of(work.session, old.id)
    was = await _treatment(work, old, customer, old.buyer)
    treatment = await _treatment(work, old, customer, buyer)
    if treatment.taxes_like(was):
        lines = tuple((stored.line, stored.rate, stored.net_minor) for stored in billed)
        return _Taxed(treatment=old.treatment, lines=lines, totals=old.totals)
    rates = [treatment.rate_for(stored.line.tax_class) for stored in billed]
    amounts = [(stored.line.amount_minor, rate) for stored, rate in zip(billed, rates, strict=True)]
    taxed = totals_by_rate(amounts, tax_included=old.tax_included)
    found = zip([stored.line for stored in billed], rates, taxed.net_minor, strict=True)
    return _Taxed(treatment=treatment, lines=tuple(found), totals=taxed.totals)


async def _treatment(work: Work, old: Invoice, customer: Customer, buyer: Buyer) -> TaxTreatment:
    """How the sale is taxed if the customer is this buyer."""
    given = {name: getattr(customer, name) for name in Customer.model_fields}
    facts = {name: getattr(buyer, name) for name in ("kind", "vat_number", "siren", "address")}
    entity = await entity_of(work.session, old)
    on = old.issued_on or local_date(work.at, entity.timezone)
    return await treatment_of(work.session, entity, Customer(**given | facts), on, work.rules)


async def _take_back(work: Work, invoice: Invoice, asked: Rectify, new_total_minor: int) -> CreditNote:
    credited, lines = await take_all_back(work.session, invoice)
    return await write_credit_note(
        work.session,
        work.row,
        invoice,
        credited,
        lines,
        command_id=asked.command_id,
        reason=asked.reason or "the buyer's data were corrected",
        at=work.at,
        rules=work.rules,
        moves_minor=new_total_minor,
        by=asked.by,
        tells=True,
    )


async def _write_new(
    work: Work, old: Invoice, buyer: Buyer, note: CreditNote, taxed: _Taxed, covered: Sequence[date | None]
) -> Invoice:
    total_minor = taxed.totals.total_minor
    small = min(old.small_difference_minor, note.unfunded_minor, total_minor - note.moved_minor)
    taken_over = {name: getattr(old, name) for name in Invoice.model_fields if name not in _ITS_OWN}
    new = Invoice(
        **taken_over,
        id=_new_id(old, work.command_id),
        reason=REASON,
        command_id=work.command_id,
        replaces_id=old.id,
        paid_minor=note.moved_minor,
        small_difference_minor=small,
    )
    new.in_arrears = False
    _tax(new, taxed)
    work.session.add(new)
    await work.session.flush()
    lines = [WrittenLine(*line) for line in taxed.lines]
    write_lines(work.session, document_id=new.id, invoice_id=new.id, lines=lines)
    await work.session.flush()
    for stored, before in zip(await lines_of(work.session, new.id), covered, strict=True):
        stored.covers_until = before
    # First, so that the balance which numbering sets aside is without what moves.
    book(
        work.session,
        await entity_of(work.session, new),
        new,
        entry=f"{MOVED}/{new.id}",
        amounts={
            BALANCE: note.moved_minor,
            SMALL_DIFFERENCE: small,
            RECEIVABLE: -note.moved_minor - small,
        },
        at=work.at,
        on=note.issued_on,
    )
    await number_invoice(work.session, work.row, new, work.at, work.rules, buyer=buyer)
    new.balance_minor += min(old.balance_minor, note.moved_minor)
    return new


def _tax(new: Invoice, taxed: _Taxed) -> None:
    """Write what it bills, where that is not what the old one billed."""
    if taxed.treatment is None or taxed.treatment == new.treatment:
        return
    new.treatment, new.totals = taxed.treatment, taxed.totals
    new.net_minor, new.vat_minor = taxed.totals.net_minor, taxed.totals.vat_minor
    new.total_minor = taxed.totals.total_minor
    mark_sale(new, taxed.treatment)
    if new.exchange_rate is not None:
        new.vat_eur_minor = to_eur_minor(new.vat_minor, new.currency, new.exchange_rate)


async def _go_on(work: Work, old: Invoice, new: Invoice, was: _Before) -> None:
    """The new invoice stands where the old one stood: paid, open and asked for, or written off."""
    old.closed_by = f"replaced by {new.number}"
    old.covers_until = old.period_start
    new.covers_until = was.covers_until
    await work.session.flush()
    if new.status is InvoiceStatus.PAID:
        new.paid_at = was.paid_at or new.paid_at
    elif was.status is InvoiceStatus.UNCOLLECTIBLE:
        write_off(work, new, "the invoice that it replaces was written off")
    else:
        new.in_arrears = was.in_arrears
        if work.row.state.is_over:
            await open_collection(work.session, work.row, new, work.at)
        else:
            await collect_invoice(work, new)


def _new_id(old: Invoice, command_id: str) -> str:
    return derived_id("in", old.subscription_id, str(old.period_start), REASON, command_id)


async def _answer(session: AsyncSession, old: Invoice, asked: Rectify) -> Rectified:
    await session.flush()
    new = await session.get_one(Invoice, _new_id(old, asked.command_id))
    note = next(note for note in await notes_of(session, old) if note.command_id == asked.command_id)
    return Rectified(
        command_id=asked.command_id,
        invoice_id=old.id,
        credit_note=note.number,
        new_invoice_id=new.id,
        new_number=new.number or "",
        status=new.status.value,
        moved_minor=note.moved_minor,
        open_minor=max(0, new.open_minor),
        currency=new.currency,
    )
