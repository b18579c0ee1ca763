"""What the mails about a subscription say: its end, its changes, its price, its trial, its card."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from activities.books.mail_facts import Fields, MailFacts, Moot, Says, day_before, still_open
from activities.books.rows import usable_method
from activities.books.standing import last_valid_day
from billing.announced import running_prices
from billing.subscription import Status
from billing.terms import CollectionMethod
from billing.upcoming import price_of_a_period
from billing.withdrawal import refund_by
from mails.context import CanceledBy, TrialEnd
from mails.kinds import MailKind
from mails.price_words import price_lines
from models.tables import CommandRow

CUSTOMER: Final = "customer"
"""Who asked for a command, where the customer did so themselves."""
_FOR_NON_PAYMENT: Final = ("the dunning policy ended", "unpaid for too long")


async def _suspended(facts: MailFacts) -> Fields | Moot:
    owed = await facts.open_invoices(written_off=True)
    if facts.sub.status is not Status.UNPAID:
        return Moot(reason="The service is not suspended any more.")
    since, days = facts.sub.unpaid_since, facts.sub.unpaid_cancel_days
    gives_up_on = facts.local(since + timedelta(days=days)) if since and days else None
    return {
        **await still_open(facts, owed),
        "effective_on": facts.occurrence_day(),
        "deadline_on": day_before(gives_up_on) if gives_up_on else None,
    }


async def _canceled(facts: MailFacts) -> Fields:
    reason, closes_at = facts.sub.end_reason or "", facts.sub.usage_closes_at
    asked = await facts.command("cancel") if "cancel" in reason else None
    owed = await facts.open_invoices()
    return {
        **await still_open(facts, owed),
        "currency": facts.sub.terms.currency,
        "ended_on": facts.occurrence_day(),
        "canceled_by": _who_ended_it(reason, asked),
        "requested_on": facts.local(asked.at) if asked is not None else None,
        "credited_minor": await facts.credited_by(asked),
        "next_try_on": await facts.next_try_on(owed),
        "final_invoice_on": facts.local(closes_at) if closes_at else None,
    }


def _who_ended_it(reason: str, asked: CommandRow | None) -> CanceledBy:
    if reason in _FOR_NON_PAYMENT:
        return CanceledBy.NON_PAYMENT
    return CanceledBy.CUSTOMER if asked is not None and asked.by == CUSTOMER else CanceledBy.MERCHANT


async def _cancel_scheduled(facts: MailFacts) -> Fields:
    goes_on = facts.sub.cancel_on is not None and not facts.sub.ends_with_period
    return {
        **await still_open(facts, await facts.open_invoices()),
        "requested_on": facts.written_on,
        "last_day_on": day_before(facts.occurrence_day()),
        **({"goes_on": True, **facts.next_charge()} if goes_on else {}),
    }


async def _withdrawal_confirmed(facts: MailFacts) -> Fields:
    asked = await facts.command("withdraw")
    refunded = await facts.refunded_by(asked)
    ended_on = facts.occurrence_day()
    paid = await facts.paid_in_all()
    return {
        **await still_open(facts, await facts.open_invoices()),
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


async def _change_not_made(facts: MailFacts) -> Fields:
    return facts.next_charge()


async def _paused(facts: MailFacts) -> Fields:
    access_ends_at = facts.sub.access_ends_at
    return {
        **await still_open(facts, await facts.open_invoices()),
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
    if sub.ends_with_period or sub.is_over:
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


ABOUT_SUBSCRIPTIONS: Final[Mapping[MailKind, Says]] = {
    MailKind.SUBSCRIPTION_SUSPENDED: _suspended,
    MailKind.SUBSCRIPTION_CANCELED: _canceled,
    MailKind.CANCEL_SCHEDULED: _cancel_scheduled,
    MailKind.WITHDRAWAL_CONFIRMED: _withdrawal_confirmed,
    MailKind.PLAN_CHANGED: _plan_changed,
    MailKind.PRICE_CHANGE: _price_change,
    MailKind.CHANGE_NOT_MADE: _change_not_made,
    MailKind.PAUSED: _paused,
    MailKind.RESUMED: _resumed,
    MailKind.CARD_EXPIRING: _card_expiring,
    MailKind.TRIAL_ENDING: _trial_ending,
    MailKind.RENEWAL_NOTICE: _renewal_notice,
}
