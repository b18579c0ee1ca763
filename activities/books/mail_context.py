"""What each kind of mail says: from a queued row, and the books around it, to the context of its template.

The row's own context holds what could not be looked up later; all else is read when the mail is written, so that
a mail that was held up says how things stand. One that has become pointless is `Moot` and never leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books import mail_transfers
from activities.books.chasing import collection_key
from activities.books.config import BookRules
from activities.books.gate import is_collectable
from activities.books.mail_facts import (
    Fields,
    MailFacts,
    Moot,
    Says,
    day_before,
    how_to_transfer,
    label,
)
from activities.books.mail_order import order_confirmed
from activities.books.mail_subscription import ABOUT_SUBSCRIPTIONS
from activities.books.mandates import is_direct_debit, mandate_of
from activities.books.rows import NotFound, get
from activities.links import Links
from billing.dunning import EndForSubscription
from billing.subscription import Status
from billing.terms import CollectionMethod
from mails.context import MailContext
from mails.kinds import MailKind
from models.tables import Collection, CreditNote, Invoice, MandateRow, Message, PaymentMethod


async def build_context(
    session: AsyncSession,
    message: Message,
    *,
    links: Links,
    rules: BookRules,
    now: datetime,
    in_sandbox: bool = False,
) -> MailContext | Moot:
    """What the mail of a queued row says.

    Args:
        session: for looking only.
        message: the row.
        links: makes the addresses in the mail.
        rules: the seller's.
        now: real time, from which links live.
        in_sandbox: no mail of this installation is about real money.

    Raises:
        NotFound: a row that it is about is missing.
        ValueError: its kind or its context is not what this release writes.
    """
    facts = await MailFacts.load(session, message, links=links, rules=rules, now=now)
    said = await _SAYS[MailKind(message.kind)](facts)
    if isinstance(said, Moot):
        return said
    base: Fields = {
        "locale": message.locale,
        "merchant": facts.merchant(),
        "subscription_reference": facts.row.reference or facts.row.id,
        "customer_name": facts.customer.name,
        "timezone": facts.sub.timezone,
        "test": in_sandbox or message.clock_id is not None,
        "plan_name": facts.sub.terms.plan_name,
    }
    return MailContext.model_validate({**base, **said})


async def _invoice_issued(facts: MailFacts) -> Fields:
    invoice = _invoice(facts)
    by_transfer = facts.sub.terms.collection_method is CollectionMethod.TRANSFER
    charged_on = await _charged_on(facts, invoice)
    return {
        **await _document(facts, invoice),
        "amount_minor": invoice.total_minor,
        "due_minor": invoice.open_minor if invoice.open_minor != invoice.total_minor else None,
        "due_on": invoice.due_on if by_transfer else charged_on,
        "method_label": None if by_transfer else await facts.present_label(),
        "pay_url": facts.pay_url(invoice.id),
        **how_to_transfer(facts, [invoice]),
    }


async def _charged_on(facts: MailFacts, invoice: Invoice) -> date:
    """The day of the first charge: for a direct debit the day 0 of its chase."""
    collection = await facts.session.get(Collection, collection_key(invoice))
    if collection is not None and invoice.chase == 1:
        return collection.day0
    issued_on = facts.local(invoice.issued_at) if invoice.issued_at else facts.written_on
    return issued_on + timedelta(days=invoice.delay_days)


async def _receipt(facts: MailFacts) -> Fields:
    invoice = _invoice(facts)
    context = facts.message.context
    others = [i for i in await facts.open_invoices(of_customer=True) if i.in_arrears and i.id != invoice.id]
    return {
        **await _document(facts, invoice),
        **facts.next_charge(),
        "currency": invoice.currency,
        "amount_minor": context["amount_minor"],
        "due_minor": max(0, invoice.open_minor) or None,
        "paid_on": facts.written_on,
        **(mail_transfers.came_by_transfer(facts) or await _charged(facts, invoice)),
        "service_restored": bool(context.get("restored")) and facts.sub.status is not Status.UNPAID,
        "open_invoices": await facts.listed(others),
    }


async def _charged(facts: MailFacts, invoice: Invoice) -> Fields:
    failed = facts.message.context.get("in_place_of")
    return {
        "method_label": await facts.label_of(await facts.attempt(invoice, int(facts.message.occurrence))),
        "in_place_of": label(await facts.session.get(PaymentMethod, failed)) if failed else None,
    }


async def _payment_failed(facts: MailFacts) -> Fields | Moot:
    invoice = _invoice(facts)
    if not is_collectable(invoice):
        return _settled(invoice)
    attempted_on = facts.day("attempted_on")
    tried = await facts.label_of(await facts.attempt(invoice)) if attempted_on else None
    return {
        **await _owed(facts, invoice),
        "decline_class": facts.message.context.get("decline_class"),
        "attempted_on": attempted_on,
        "next_try_on": facts.day("next_try_on"),
        "method_label": tried or await facts.present_label(),
        "mandate_ended": await _mandate_has_ended(facts),
    }


async def _mandate_has_ended(facts: MailFacts) -> bool:
    method = await facts.session.get(PaymentMethod, facts.customer.default_method_id or "")
    return method is not None and is_direct_debit(method) and await mandate_of(facts.session, method) is None


async def _reminder(facts: MailFacts) -> Fields | Moot:
    """All open invoices of the customer (rules 26); a decline is named on the day on which it happened."""
    invoice = _invoice(facts)
    listed = await facts.open_invoices(of_customer=True)
    if not is_collectable(invoice) or not listed:
        return _settled(invoice)
    attempted_on = facts.day("attempted_on")
    fresh = attempted_on == facts.written_on
    return {
        **await _owed(facts, invoice),
        "decline_class": facts.message.context.get("decline_class"),
        "attempted_on": attempted_on if fresh else None,
        "next_try_on": facts.day("next_try_on"),
        "method_label": await facts.label_of(await facts.attempt(invoice)) if fresh else None,
        "open_invoices": await facts.listed(listed),
        **await mail_transfers.reminded_transfer(facts, invoice, listed),
    }


async def _promise_noted(facts: MailFacts) -> Fields | Moot:
    invoice = _invoice(facts)
    if not is_collectable(invoice):
        return _settled(invoice)
    charged = bool(facts.message.context.get("charged"))
    return {
        **await _owed(facts, invoice),
        "deadline_on": None,
        "consequence": None,
        "promised_on": facts.day("promised_on"),
        "method_label": await facts.present_label() if charged else None,
    }


async def _authentication_required(facts: MailFacts) -> Fields | Moot:
    invoice = _invoice(facts)
    attempt = await facts.attempt(invoice, int(facts.message.occurrence))
    if not is_collectable(invoice) or attempt is None:
        return _settled(invoice)
    return {
        **await _owed(facts, invoice),
        "attempted_on": facts.local(attempt.begun_at),
        "method_label": await facts.label_of(attempt),
    }


async def _complete_payment(facts: MailFacts) -> Fields | Moot:
    invoice = _invoice(facts)
    closes_at = invoice.gate_closes_at
    if not is_collectable(invoice) or invoice.number is not None or closes_at is None:
        return _settled(invoice)
    return {
        **await _owed(facts, invoice),
        "deadline_on": None,
        "deadline_at": closes_at,
        "consequence": None,
    }


async def _debit_notice(facts: MailFacts) -> Fields | Moot:
    invoice, context = _invoice(facts), facts.message.context
    if not is_collectable(invoice) and not context.get("ordered"):
        return _settled(invoice)
    mandate = await get(facts.session, MandateRow, str(context["mandate"]), field="mandate")
    method = await get(facts.session, PaymentMethod, mandate.method_id, field="payment_method")
    return {
        **await _owed(facts, invoice),
        "deadline_on": None,
        "consequence": None,
        "amount_minor": context["amount_minor"],
        "debit_on": facts.day("debit_on"),
        "debit_ordered": bool(context.get("ordered")),
        "mandate_reference": mandate.reference,
        "mandate_signed_on": facts.local(mandate.accepted_at),
        "creditor_id": mandate.creditor_id,
        "method_label": label(method),
        "attempted_on": facts.day("attempted_on"),
        "decline_class": context.get("decline_class"),
    }


async def _invoice_reopened(facts: MailFacts) -> Fields | Moot:
    invoice = _invoice(facts)
    if not is_collectable(invoice):
        return _settled(invoice)
    return {
        **await _owed(facts, invoice),
        "occurred_on": facts.written_on,
        "taken_back_by": facts.message.context.get("taken_back_by"),
        "next_try_on": facts.day("next_try_on"),
    }


async def _credit_note_issued(facts: MailFacts) -> Fields:
    invoice = _invoice(facts)
    note = await get(facts.session, CreditNote, facts.message.context["credit_note"], field="credit_note")
    return {
        "currency": note.currency,
        "amount_minor": note.total_minor,
        "credit_note_number": note.number,
        "invoice_number": invoice.number,
        "closes_minor": note.closes_minor or None,
        "balance_added_minor": note.balance_minor or None,
        "refunded_minor": note.refund_minor or None,
        "due_minor": invoice.open_minor or None,
    }


def _invoice(facts: MailFacts) -> Invoice:
    if facts.invoice is None:
        raise NotFound(f"The mail {facts.message.kind} names no invoice.", field="invoice")
    return facts.invoice


def _settled(invoice: Invoice) -> Moot:
    return Moot(reason=f"Nothing is asked for any more: the invoice is {invoice.status.value}.")


async def _document(facts: MailFacts, invoice: Invoice) -> Fields:
    """An issued invoice with its lines."""
    lines = await facts.lines(invoice)
    return {
        "plan_name": lines[0].plan_name if lines else facts.sub.terms.plan_name,
        "invoice_number": invoice.number,
        "issued_on": invoice.issued_on,
        "period_start_on": invoice.period_start,
        "period_end_on": invoice.period_end,
        "lines": await facts.mail_lines(invoice),
        "tax_minor": invoice.vat_minor or None,
        "currency": invoice.currency,
    }


async def _owed(facts: MailFacts, invoice: Invoice) -> Fields:
    """An invoice that the reader is asked to pay.

    The row names the day of the end, whose step comes at 09:00: the last day to act is the one before.
    """
    lines = await facts.lines(invoice)
    ends_on = facts.day("ends_on")
    over = facts.sub.is_over
    return {
        "plan_name": lines[0].plan_name if lines else facts.sub.terms.plan_name,
        "invoice_number": invoice.number,
        "currency": invoice.currency,
        "amount_minor": invoice.open_minor,
        "deadline_on": day_before(ends_on) if ends_on else None,
        "consequence": EndForSubscription.KEEP if over else facts.message.context.get("consequence"),
        "pay_url": facts.pay_url(invoice.id),
        **how_to_transfer(facts, [invoice]),
    }


_SAYS: Final[Mapping[MailKind, Says]] = {
    **ABOUT_SUBSCRIPTIONS,
    MailKind.INVOICE_ISSUED: _invoice_issued,
    MailKind.RECEIPT: _receipt,
    MailKind.PAYMENT_FAILED: _payment_failed,
    MailKind.PAYMENT_REMINDER: _reminder,
    MailKind.LAST_NOTICE: _reminder,
    MailKind.PROMISE_NOTED: _promise_noted,
    MailKind.AUTHENTICATION_REQUIRED: _authentication_required,
    MailKind.COMPLETE_PAYMENT: _complete_payment,
    MailKind.DEBIT_NOTICE: _debit_notice,
    MailKind.INVOICE_REOPENED: _invoice_reopened,
    MailKind.CREDIT_NOTE_ISSUED: _credit_note_issued,
    MailKind.LATE_INTEREST_CLAIMED: mail_transfers.late_interest_claimed,
    MailKind.ORDER_CONFIRMED: order_confirmed,
}
