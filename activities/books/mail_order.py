"""What the mail says that confirms a contract made on the sign-up page: what was shown there, kept with the order."""

from __future__ import annotations

from activities.books.mail_facts import Fields, MailFacts, Moot
from activities.books.rows import get
from billing.discounts import Discount
from billing.withdrawal import last_day_to_withdraw
from mails.context import MailDiscount, MailLine, MailOrder
from mails.formats import Language, format_percent, format_unit_amount
from mails.price_words import price_lines
from models.tables import SignupSession


async def order_confirmed(facts: MailFacts) -> Fields | Moot:
    """All that was ordered and agreed to (French consumer code, L221-13). What changed since is not looked at."""
    key = str(facts.message.context["signup_session"])
    consent = (await get(facts.session, SignupSession, key, field="signup_session")).consent
    if consent is None or consent.offer is None:
        return Moot(reason="What was ordered was not kept with the order.")
    offer, currency, language = consent.offer, consent.currency, facts.language
    order = MailOrder(
        ordered_on=offer.on,
        due_minor=offer.total_minor,
        regular_minor=offer.regular_minor,
        every=offer.every,
        trial_end_on=offer.trial_end_on,
        committed_until=offer.committed_until,
        discounts=tuple(_discount(each, currency, language) for each in offer.discounts),
        usage_tax=offer.usage.tax,
        tax_note=offer.tax_note_fr if language is Language.FR else offer.tax_note_en,
        terms_url=consent.terms_url or None,
        terms_version=consent.terms_version,
        debit_text=consent.debit_text,
        debit_version=consent.debit_version,
        early_start=consent.early_start,
        withdraw_until=last_day_to_withdraw(facts.sub),
    )
    return {
        "order": order,
        "plan_name": offer.plan_name,
        "quantity": offer.quantity,
        "currency": currency,
        "lines": [MailLine(description=line.description, net_minor=line.net_minor) for line in offer.lines],
        "tax_minor": offer.vat_minor if offer.lines else None,
        "next_charge_on": offer.next_on,
        "next_amount_minor": offer.next_minor,
        "prices": price_lines((), offer.usage.prices, currency, language),
        "by_transfer": offer.by_transfer,
        "cancel_url": facts.links.terminate(),
    }


def _discount(discount: Discount, currency: str, language: Language) -> MailDiscount:
    off = ""
    if discount.percent is not None:
        off = format_percent(discount.percent, language)
    elif discount.amount is not None:
        off = format_unit_amount(discount.amount, currency, language)
    return MailDiscount(name=discount.name, off=off, periods=discount.periods)
