"""What mails say to those who pay by transfer: where to, what to quote, what came, and what lateness costs."""

from __future__ import annotations

from collections.abc import Sequence

from activities.books.late_payment import late_payment_of
from activities.books.mail_facts import Fields, MailFacts, how_to_transfer
from activities.books.rows import get
from billing.calendar import local_date
from models.tables import Invoice, LateClaim


async def reminded_transfer(facts: MailFacts, invoice: Invoice, listed: Sequence[Invoice]) -> Fields:
    """What a reminder says beside what is open; nothing for those who are charged."""
    how = how_to_transfer(facts, listed)
    if not how:
        return {}
    return {
        **how,
        **await _late_costs(facts, listed),
        "due_on": invoice.due_on,
        "reminder": facts.message.context.get("reminder"),
    }


async def _late_costs(facts: MailFacts, invoices: Sequence[Invoice]) -> Fields:
    """Interest and recovery costs of these invoices when the mail was written; never a consumer's (I5)."""
    on = local_date(facts.message.at, facts.entity.timezone)
    found = [await late_payment_of(facts.session, invoice, facts.rules, on) for invoice in invoices]
    bearing = [late for late in found if late is not None and late.bears_interest]
    if not bearing:
        return {}
    known = [late.interest_minor for late in bearing if late.interest_minor is not None]
    return {
        "interest_minor": sum(known) if len(known) == len(bearing) else None,
        "recovery_minor": max(late.recovery_minor for late in bearing),
    }


def came_by_transfer(facts: MailFacts) -> Fields:
    """What a receipt says of a transfer; nothing where it is of a charge."""
    context = facts.message.context
    received_on = facts.day("received_on")
    if received_on is None:
        return {}
    return {
        "by_transfer": True,
        "paid_on": received_on,
        "unapplied_minor": context["unapplied_minor"] or None,
        "claim_minor": context["claim_minor"] or None,
    }


async def late_interest_claimed(facts: MailFacts) -> Fields:
    """What a claim for late payment asks for, and how it came about."""
    claim = await get(facts.session, LateClaim, facts.message.context["claim"], field="claim")
    invoice = await get(facts.session, Invoice, claim.invoice_id, field="invoice")
    late = await late_payment_of(facts.session, invoice, facts.rules, claim.until_on)
    return {
        **how_to_transfer(facts, [invoice]),
        "currency": claim.currency,
        "amount_minor": claim.interest_minor + claim.recovery_minor,
        "invoice_number": invoice.number,
        "due_on": invoice.due_on,
        "days_late": late.days if late is not None else None,
        "interest_minor": claim.interest_minor or None,
        "recovery_minor": claim.recovery_minor or None,
    }
