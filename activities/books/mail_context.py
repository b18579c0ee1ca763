"""What each kind of mail says: from a queued row, and the books around it, to the context of its template.

The row's own context holds what could not be looked up later; all else is read when the mail is written, so that
a mail that was held up says how things stand. One that has become pointless is `Moot` and never leaves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books import mail_transfers
from activities.books.config import BookRules
from activities.books.gate import is_collectable
from activities.books.mail_facts import MailFacts, day_before
from activities.books.rows import NotFound, get, usable_method
from activities.books.standing import last_valid_day
from activities.links import Links
from billing.announced import running_prices
from billing.dunning import EndForSubscription
from billing.subscription import Status
from billing.terms import CollectionMethod
from billing.upcoming import price_of_a_period
from billing.values import Value
from billing.withdrawal import refund_by
from mails.context import CanceledBy, MailContext, TrialEnd
from mails.kinds import MailKind
from mails.price_words import price_lines
from models.tables import CommandRow, CreditNote, Invoice, Message

CUSTOMER: Final = "customer"
"""Who asked for a command, where the customer did so themselves."""
_FOR_NON_PAYMENT: Final = ("the dunning policy ended", "unpaid for too long")

Fields = dict[str, Any]


class Moot(Value):
    """There is nothing left to say: what the mail asks for was settled before it was sent."""

    reason: str


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
    issued_on = facts.local(invoice.issued_at) if invoice.issued_at else facts.written_on
    charged_on = issued_on + timedelta(days=invoice.delay_days)
    return {
        **await _document(facts, invoice),
        "amount_minor": invoice.total_minor,
        "due_minor": invoice.open_minor if invoice.open_minor != invoice.total_minor else None,
        "due_on": invoice.due_on if by_transfer else charged_on,
        "method_label": None if by_transfer else await facts.present_label(),
        "pay_url": facts.pay_url(invoice.id),
        **mail_transfers.how_to_transfer(facts, [invoice]),
    }


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
    return {"method_label": await facts.label_of(await facts.attempt(invoice, int(facts.message.occurrence)))}


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
    }


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


async def _suspended(facts: MailFacts) -> Fields | Moot:
    owed = await facts.open_invoices(written_off=True)
    if facts.sub.status is not Status.UNPAID:
        return Moot(reason="The service is not suspended any more.")
    since, days = facts.sub.unpaid_since, facts.sub.unpaid_cancel_days
    gives_up_on = facts.local(since + timedelta(days=days)) if since and days else None
    return {
        **await _still_open(facts, owed),
        "effective_on": facts.occurrence_day(),
        "deadline_on": day_before(gives_up_on) if gives_up_on else None,
    }


async def _canceled(facts: MailFacts) -> Fields:
    reason = facts.sub.end_reason or ""
    asked = await facts.command("cancel") if "cancel" in reason else None
    owed = await facts.open_invoices()
    return {
        **await _still_open(facts, owed),
        "currency": facts.sub.terms.currency,
        "ended_on": facts.occurrence_day(),
        "canceled_by": _who_ended_it(reason, asked),
        "requested_on": facts.local(asked.at) if asked is not None else None,
        "credited_minor": await facts.credited_by(asked),
        "next_try_on": await facts.next_try_on(owed),
    }


def _who_ended_it(reason: str, asked: CommandRow | None) -> CanceledBy:
    if reason in _FOR_NON_PAYMENT:
        return CanceledBy.NON_PAYMENT
    return CanceledBy.CUSTOMER if asked is not None and asked.by == CUSTOMER else CanceledBy.MERCHANT


async def _cancel_scheduled(facts: MailFacts) -> Fields:
    return {
        **await _still_open(facts, await facts.open_invoices()),
        "requested_on": facts.written_on,
        "last_day_on": day_before(facts.occurrence_day()),
    }


async def _withdrawal_confirmed(facts: MailFacts) -> Fields:
    asked = await facts.command("withdraw")
    refunded = await facts.refunded_by(asked)
    ended_on = facts.occurrence_day()
    paid = await facts.paid_in_all()
    return {
        **await _still_open(facts, await facts.open_invoices()),
        "currency": facts.sub.terms.currency,
        "received_at": asked.at if asked is not None else facts.message.at,
        "ended_on": ended_on,
        "deadline_on": refund_by(ended_on),
        "refunded_minor": refunded or None,
        "kept_minor": paid - refunded or None,
    }


async def _plan_changed(facts: MailFacts) -> Fields:
    context = facts.message.context
    seats = facts.sub.terms.has_unit_price
    return {
        **facts.next_charge(),
        "plan_name": context["to"],
        "previous_plan_name": context["from"] if context["from"] != context["to"] else None,
        "quantity": int(context["quantity"]) if seats else None,
        "effective_on": facts.occurrence_day(),
    }


async def _price_change(facts: MailFacts) -> Fields | Moot:
    sub = facts.sub
    announced = sub.announced
    if announced is None or sub.is_over:
        return Moot(reason="The price does not change any more, or has changed.")
    old, new = sub.terms, announced.applied_to(sub.terms)
    before, after = (
        price_of_a_period(terms, announced.from_on, sub.timezone, facts.treatment) for terms in (old, new)
    )
    return {
        "currency": old.currency,
        "plan_name": new.plan_name,
        "previous_plan_name": old.plan_name if old.plan_name != new.plan_name else None,
        "effective_on": announced.from_on,
        "deadline_on": day_before(announced.from_on),
        "prices": price_lines(running_prices(old.prices), new.prices, old.currency, facts.language),
        "previous_amount_minor": before.total_minor,
        "amount_minor": after.total_minor if after.total_minor or before.total_minor else None,
        "tax_minor": after.vat_minor or None,
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


async def _change_not_made(facts: MailFacts) -> Fields:
    return facts.next_charge()


async def _paused(facts: MailFacts) -> Fields:
    access_ends_at = facts.sub.access_ends_at
    return {
        **await _still_open(facts, await facts.open_invoices()),
        "currency": facts.sub.terms.currency,
        "effective_on": facts.occurrence_day(),
        "last_day_on": day_before(facts.local(access_ends_at)) if access_ends_at else None,
        "credited_minor": await facts.credited_by(await facts.command("pause")),
    }


async def _resumed(facts: MailFacts) -> Fields:
    return {**facts.next_charge(), "effective_on": facts.occurrence_day()}


async def _card_expiring(facts: MailFacts) -> Fields | Moot:
    method = await usable_method(facts.session, facts.customer)
    if last_valid_day(method) != facts.occurrence_day():
        return Moot(reason="The card was replaced.")
    return {
        **facts.next_charge(),
        "method_label": await facts.present_label(),
        "card_expires_on": facts.occurrence_day(),
        "card_expired": facts.written_on > facts.occurrence_day(),
    }


async def _trial_ending(facts: MailFacts) -> Fields | Moot:
    sub = facts.sub
    if sub.cancel_at_end or sub.is_over:
        return Moot(reason="The trial leads to no subscription.")
    if sub.terms.collection_method is CollectionMethod.TRANSFER:
        leads_to = TrialEnd.INVOICE
    elif sub.has_method:
        leads_to = TrialEnd.CHARGE
    else:
        leads_to = TrialEnd(sub.terms.without_method_at_trial_end.value)
    coming = facts.upcoming(sub.model_copy(update={"has_method": True}))
    return {
        "last_day_on": day_before(facts.occurrence_day()),
        "trial_end": leads_to,
        "method_label": await facts.present_label() if leads_to is TrialEnd.CHARGE else None,
        "currency": coming.currency if coming else None,
        "next_charge_on": coming.on if coming else None,
        "next_amount_minor": coming.total_minor if coming else None,
    }


async def _renewal_notice(facts: MailFacts) -> Fields | Moot:
    coming = facts.upcoming()
    if coming is None:
        return Moot(reason="The subscription does not renew.")
    renews_on = facts.occurrence_day()
    return {
        "currency": coming.currency,
        "amount_minor": coming.total_minor,
        "tax_minor": coming.vat_minor or None,
        "renews_on": renews_on,
        "period_end_on": coming.until if coming.on == renews_on else None,
        "deadline_on": day_before(renews_on),
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
        **mail_transfers.how_to_transfer(facts, [invoice]),
    }


async def _still_open(facts: MailFacts, invoices: list[Invoice]) -> Fields:
    """What remains to be paid, and the link of the oldest."""
    return {
        "open_invoices": await facts.listed(invoices),
        "pay_url": facts.pay_url(invoices[0].id) if invoices else None,
        **mail_transfers.how_to_transfer(facts, invoices),
    }


_SAYS: Final[Mapping[MailKind, Callable[[MailFacts], Awaitable[Fields | Moot]]]] = {
    MailKind.INVOICE_ISSUED: _invoice_issued,
    MailKind.RECEIPT: _receipt,
    MailKind.PAYMENT_FAILED: _payment_failed,
    MailKind.PAYMENT_REMINDER: _reminder,
    MailKind.LAST_NOTICE: _reminder,
    MailKind.AUTHENTICATION_REQUIRED: _authentication_required,
    MailKind.COMPLETE_PAYMENT: _complete_payment,
    MailKind.SUBSCRIPTION_SUSPENDED: _suspended,
    MailKind.SUBSCRIPTION_CANCELED: _canceled,
    MailKind.CANCEL_SCHEDULED: _cancel_scheduled,
    MailKind.WITHDRAWAL_CONFIRMED: _withdrawal_confirmed,
    MailKind.PLAN_CHANGED: _plan_changed,
    MailKind.PRICE_CHANGE: _price_change,
    MailKind.PAUSED: _paused,
    MailKind.RESUMED: _resumed,
    MailKind.CARD_EXPIRING: _card_expiring,
    MailKind.TRIAL_ENDING: _trial_ending,
    MailKind.RENEWAL_NOTICE: _renewal_notice,
    MailKind.INVOICE_REOPENED: _invoice_reopened,
    MailKind.CREDIT_NOTE_ISSUED: _credit_note_issued,
    MailKind.CHANGE_NOT_MADE: _change_not_made,
    MailKind.LATE_INTEREST_CLAIMED: mail_transfers.late_interest_claimed,
}
