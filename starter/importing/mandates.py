"""Accounts that are debited: their SEPA mandates go on as they were given elsewhere, under the same reference."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from activities.books.mandates import Agreed, BroughtIn, creditor_id_of
from activities.gateway import MandateFacts, MethodFacts
from billing.calendar import local_date, starts_at
from billing.errors import InvalidInput
from billing.mandates import UNUSED_MONTHS, Mandate
from models.ids import derived_id
from models.tables import Customer, ImportKind, MandateRow, PaymentMethod
from settings import Settings
from starter.importing.formats import MandateLine
from starter.importing.lookups import Facts
from starter.importing.stock import Draft, Stock

ELSEWHERE: Final = "taken over from another system"
"""The evidence of a mandate whose line names none."""
_ASK_ANEW: Final = "leave the line out and ask {customer} for a new mandate: relance customer mandate --help"


def draft_mandate(stock: Stock, draft: Draft, line: MandateLine, settings: Settings) -> None:
    """What a line of `sepa_mandates.csv` becomes: the account, charged unless another method is, and its mandate.

    Raises:
        InvalidInput: with the field and the remedy.
    """
    customer = draft.customer = stock.customer(line.customer)
    facts = _account(draft.facts, line)
    method = draft.method = stock.method(customer, facts)
    at_provider = _at_provider(draft.facts, facts, customer, refused_field="stripe_mandate")
    if at_provider.reference != line.mandate_reference:
        raise InvalidInput(
            f"At Stripe {line.payment_method} is debited under {at_provider.reference}, which the payer reads on the "
            f"statement of their account; the file says {line.mandate_reference}. Write the first, or have Stripe "
            "import the mandate under its old reference.",
            field="mandate_reference",
        )
    last_debit_on = _last_debit(stock, customer, line, at_provider)
    agreed = Agreed(
        notice_days=line.notice_days or settings.sepa_notice_days,
        text_version=line.text_version,
        evidence=line.evidence or ELSEWHERE,
    )
    draft.subject_id = derived_id("mdt", at_provider.id)
    draft.mandate = BroughtIn(
        facts=at_provider.model_copy(update={"accepted_at": starts_at(line.signed_on, customer.timezone)}),
        agreed=agreed,
        creditor_id=creditor_id_of(stock.known.entity),
        last_debit_on=last_debit_on,
    )
    known = stock.known.mandates.get(at_provider.id)
    if known is not None:
        _check_known(stock, draft, known, customer)
    stock.mandated.add(method.id)
    if customer.default_method_id in (None, method.id):
        stock.methods.setdefault(customer.id, method)


def account_at_provider(
    stock: Stock, customer: Customer, method: PaymentMethod, facts: Facts, settings: Settings
) -> BroughtIn | None:
    """The mandate of an account that no line brings in: as the provider has it. None where the books have it.

    Raises:
        InvalidInput: there is none, or it does not hold; field `payment_method`.
    """
    if (ImportKind.SEPA_MANDATE, customer.reference) in stock.refused:
        raise InvalidInput("Its mandate is refused: mend that first.", field="payment_method")
    if facts.method is None or method.id in stock.mandated:
        return None
    found = _at_provider(facts, facts.method, customer, refused_field="payment_method")
    known = stock.known.mandates.get(found.id)
    if known is not None:
        _check_in_force(known)
        return None
    accepted_at = found.accepted_at or stock.known.now
    last_debit_on = None
    if found.last_debit_at is not None:
        last_debit_on = local_date(found.last_debit_at, customer.timezone)
    _check_used(stock, customer, local_date(accepted_at, customer.timezone), last_debit_on, "payment_method")
    return BroughtIn(
        facts=found,
        agreed=Agreed(notice_days=settings.sepa_notice_days, evidence=ELSEWHERE),
        creditor_id=creditor_id_of(stock.known.entity),
        last_debit_on=last_debit_on,
    )


def _account(facts: Facts, line: MandateLine) -> MethodFacts:
    if facts.method is None:
        raise InvalidInput(
            f"Stripe does not know {line.payment_method} in this account: {facts.refused}",
            field="payment_method",
        )
    if facts.method.kind != "sepa_debit":
        raise InvalidInput(
            f"{line.payment_method} is a card, and a card needs no mandate. Name it in payment_methods.csv.",
            field="payment_method",
        )
    return facts.method


def _at_provider(
    facts: Facts, method: MethodFacts, customer: Customer, *, refused_field: str
) -> MandateFacts:
    if facts.mandate_refused:
        raise InvalidInput(f"This mandate can not be used: {facts.mandate_refused}", field=refused_field)
    remedy = _ASK_ANEW.format(customer=customer.reference)
    if facts.mandate is None:
        raise InvalidInput(
            f"Stripe has no mandate for {method.id}, and debits nothing without one. Have Stripe import it, and name "
            f"it in stripe_mandate of sepa_mandates.csv, as mandate_... Or {remedy}",
            field="payment_method",
        )
    if not facts.mandate.is_active:
        raise InvalidInput(
            f"The mandate {facts.mandate.reference} of {method.id} is not in force at Stripe any more: {remedy}",
            field="payment_method",
        )
    return facts.mandate


def _last_debit(
    stock: Stock, customer: Customer, line: MandateLine, at_provider: MandateFacts
) -> date | None:
    """The later of what the file and the provider know, so that 36 months are counted from the last use."""
    today = local_date(stock.known.now, customer.timezone)
    if line.signed_on > today:
        raise InvalidInput(f"It was signed on {line.signed_on}, later than today.", field="signed_on")
    if line.last_debit_on is not None and not line.signed_on <= line.last_debit_on <= today:
        raise InvalidInput(
            f"The last debit was on {line.last_debit_on}: before the mandate was signed, or later than today.",
            field="last_debit_on",
        )
    seen = at_provider.last_debit_at
    days = [line.last_debit_on, None if seen is None else local_date(seen, customer.timezone)]
    last = max((day for day in days if day is not None), default=None)
    _check_used(stock, customer, line.signed_on, last, "last_debit_on")
    return last


def _check_used(
    stock: Stock, customer: Customer, accepted_on: date, last_debit_on: date | None, field: str
) -> None:
    """Refuse a mandate under which nothing was collected for 36 months."""
    today = local_date(stock.known.now, customer.timezone)
    mandate = Mandate(accepted_on=accepted_on, notice_days=1, last_debit_on=last_debit_on)
    if not mandate.is_valid_on(today):
        since = f"debited last on {last_debit_on}" if last_debit_on else f"signed on {accepted_on}"
        remedy = _ASK_ANEW.format(customer=customer.reference)
        raise InvalidInput(
            f"The mandate was {since} and is void since nothing was collected for {UNUSED_MONTHS} months. If it was "
            f"used since, say so in last_debit_on of sepa_mandates.csv. Or {remedy}",
            field=field,
        )


def _check_known(stock: Stock, draft: Draft, known: MandateRow, customer: Customer) -> None:
    """A mandate that the books have is the same, or was brought in and taken back."""
    _check_in_force(known)
    if draft.mandate is None or stock.is_undone(draft.key):
        return
    signed = draft.mandate.facts.accepted_at or stock.known.now
    same = local_date(known.accepted_at, customer.timezone) == local_date(signed, customer.timezone)
    if not same or any(getattr(known, name) != value for name, value in draft.mandate.agreed):
        raise InvalidInput(
            f"The mandate {known.reference} is in the books with other data, as {known.id}. Leave the line out.",
            field="mandate_reference",
        )


def _check_in_force(known: MandateRow) -> None:
    ended: datetime | None = known.ended_at
    if ended is not None:
        raise InvalidInput(
            f"The mandate {known.reference} was ended here on {ended:%Y-%m-%d}: {known.ended_because}.",
            field="payment_method",
        )
