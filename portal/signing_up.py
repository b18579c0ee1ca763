"""Signing up: the form, the payment method on the provider's page, the order, and what came of it.

Whoever has the link is the buyer: the session is who they are, and nothing of any customer that there is is shown. What
the pages cost is worked out anew for each of them; forms carry back which offer was seen, never an amount.
"""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Query, Request, Response

from activities.books.mail_facts import label
from activities.books.mandates import is_direct_debit
from activities.hosted_setups import command_of
from billing.errors import InvalidInput
from mails.formats import Language
from models.signup import SignupConsent
from portal.buying import Buyer, Sent, SentForm, Visiting
from portal.fields import countries
from portal.limiting import address_of
from portal.pages import redirect, sentence
from portal.visiting import page_router
from starter.http.pay import charge_while_there, wait_until_answered
from starter.problems import MethodRefused, TookTooLong
from starter.reading import FirstOutcome, FirstPayment
from starter.signup_quotes import SignupQuote, fingerprint
from starter.signup_sessions import FIELDS

router = page_router("/portal/signup/{signup}")

WORDS_VERSION: Final = "2026-11"
"""Of the sentences by which debits are authorised and an early start is asked for: they are kept with the order."""
OUTCOME_SECONDS: Final = 8.0
"""How long a page waits for the outcome of the first payment, before it shows that it is under way."""
_LONGEST_AGENT: Final = 300
_LONGEST_ADDRESS: Final = 64


@router.get("")
async def begin(buyer: Visiting) -> Response:
    """The form; or what came of the order, once there is one."""
    if buyer.row.ordered_at is not None:
        return await _outcome(buyer)
    buyer.check_open()
    return await _details(buyer, buyer.row.fields)


@router.post("")
async def fill_in(sent: Sent) -> Response:
    """Look over what was filled in; then on to the payment method where one is needed, else to the order.

    With another language it is the same page again, with what was filled in.
    """
    buyer = sent.buyer
    if buyer.row.ordered_at is not None:
        return buyer.go()
    buyer.check_open()
    fields = {name: sent.fields.get(name, "") for name in FIELDS}
    if (language := sent.fields.get("language", "")) in set(Language):
        row = await buyer.door.relance.signups.speak(buyer.row, language)
        return await _details(buyer.now_with(row), fields)
    if sent.fields.get("step") == "look":
        return await _details(buyer, fields)
    try:
        row = await buyer.door.relance.signups.fill_in(buyer.row, fields, language=buyer.language.value)
    except InvalidInput as problem:
        return await _details(buyer, fields, wrong=problem.field or "address")
    offer = await buyer.door.relance.signups.quote(row)
    if not offer.needs_method:
        return buyer.go("order")
    try:
        row = await buyer.door.relance.signups.take_method(row)
    except MethodRefused:
        return buyer.go("order?said=not_saved")
    if not row.method:
        return await _to_provider(sent)
    return buyer.go("order")


@router.post("/language")
async def speak(sent: Sent) -> Response:
    """Go on with the order in another language."""
    buyer = sent.buyer
    language = sent.fields.get("language", "")
    if language in set(Language):
        await buyer.door.relance.signups.speak(buyer.row, language)
    return buyer.go("order")


@router.post("/method")
async def choose_method(sent: Sent) -> Response:
    """On to the provider's page; after a declined first payment, for another method of the same subscription."""
    buyer = sent.buyer
    if buyer.row.customer_id is None:
        buyer.check_open()
        return await _to_provider(sent)
    public = buyer.door.settings.public_url
    page = await buyer.door.relance.hosted_pages.begin(
        buyer.row.customer_id,
        back_to=f"{public}{buyer.base}/replaced?page={{CHECKOUT_SESSION_ID}}",
        given_up=f"{public}{buyer.base}",
        language=buyer.language.value,
        command_id=sent.command_id,
    )
    return redirect(buyer.door.settings, page)


@router.get("/replaced")
async def replaced(buyer: Visiting, page: Annotated[str, Query(max_length=200)]) -> Response:
    """Back with another payment method: what is open is charged with it."""
    if buyer.row.customer_id is None:
        return buyer.go()
    try:
        done = await buyer.door.relance.hosted_pages.add_what_came(buyer.row.customer_id, page)
    except (MethodRefused, InvalidInput):
        done = None
    for invoice in done.charging if done is not None else ():
        await wait_until_answered(buyer.door, f"{command_of(page)}/{invoice}")
    return buyer.go()


@router.get("/order")
async def summary(buyer: Visiting, said: str = "") -> Response:
    """All that is ordered, to be looked over, and the order button."""
    if buyer.row.ordered_at is not None or not buyer.row.is_filled_in:
        return buyer.go()
    buyer.check_open()
    try:
        row = await buyer.door.relance.signups.take_method(buyer.row)
    except MethodRefused:
        row, said = buyer.row, "not_saved"
    return await _summary(buyer.now_with(row), said=said)


@router.post("/order")
async def order(request: Request, sent: Sent) -> Response:
    """Take the order down and carry it out; what has changed since the page was shown is shown again first."""
    buyer = sent.buyer
    if buyer.row.ordered_at is None:
        buyer.check_open()
        offer = await buyer.door.relance.signups.quote(buyer.row)
        missing = _not_agreed_to(buyer, sent.fields)
        if missing:
            return await _summary(buyer, missing=missing)
        consent = _consent(request, buyer, sent.fields, offer)
        try:
            done = await buyer.door.relance.signups.order(buyer.row, consent)
        except MethodRefused:
            return buyer.go("order?said=not_saved")
        if not done.is_as_shown:
            return buyer.go("order?said=changed")
    buyer = await buyer.afresh()
    payment = await _payment(buyer)
    if payment is not None and payment.outcome is FirstOutcome.ACTION_REQUIRED and payment.invoice_id:
        return await _to_bank(sent, payment.invoice_id)
    return buyer.go()


@router.post("/pay")
async def pay(sent: Sent) -> Response:
    """Charge the first invoice again, or confirm it with the bank, now that its payer is there."""
    payment = await _payment(sent.buyer)
    if payment is None or payment.invoice_id is None:
        return sent.buyer.go()
    return await _to_bank(sent, payment.invoice_id)


async def _details(buyer: Buyer, fields: dict[str, str], *, wrong: str = "") -> Response:
    """The form. What decides the tax is looked at already, so that the total goes with it."""
    try:
        offer = await buyer.door.relance.signups.preview(buyer.row, fields)
    except InvalidInput as problem:
        wrong = wrong or problem.field or "address"
        offer = await buyer.door.relance.signups.quote(buyer.row)
    return buyer.show(
        "signup_details.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        page="details",
        fields=fields,
        wrong=wrong,
        offer=offer,
        countries=countries(buyer.language),
    )


async def _to_provider(sent: SentForm) -> Response:
    buyer = sent.buyer
    public = buyer.door.settings.public_url
    page = await buyer.door.relance.signups.begin_setup(
        (await buyer.afresh()).row,
        back_to=f"{public}{buyer.base}/order",
        given_up=f"{public}{buyer.base}/order?said=given_up",
        language=buyer.language.value,
        command_id=sent.command_id,
    )
    return redirect(buyer.door.settings, page)


async def _to_bank(sent: SentForm, invoice_id: str) -> Response:
    door = sent.buyer.door
    return redirect(door.settings, await charge_while_there(door, invoice_id, command_id=sent.command_id))


async def _summary(buyer: Buyer, *, said: str = "", missing: str = "") -> Response:
    offer = await buyer.door.relance.signups.quote(buyer.row)
    return buyer.show(
        "signup_order.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if missing else HTTPStatus.OK,
        page="order",
        said=said,
        missing=missing,
        fields=buyer.row.fields,
        offer=offer,
        shown=fingerprint(buyer.row, offer),
        method=buyer.method,
        is_consumer=buyer.is_consumer,
        debit=_debit_text(buyer, offer),
        early=_early_text(buyer),
        button=_button(buyer, offer),
    )


def _not_agreed_to(buyer: Buyer, fields: dict[str, str]) -> str:
    """The first box that has to be ticked and is not; empty where all are."""
    if buyer.row.terms_url and fields.get("terms") != "yes":
        return "terms"
    return "debit" if buyer.row.method and fields.get("debit") != "yes" else ""


def _debit_text(buyer: Buyer, offer: SignupQuote) -> str:
    """By which they authorise debits; empty where nothing is debited."""
    method = buyer.method
    if method is None or not offer.is_charged:
        return ""
    return sentence(
        "signup_debit.html",
        buyer.language,
        seller=buyer.seller,
        method=label(method),
        is_debit=method.kind == "sepa_debit",
        days=buyer.door.rules.notice_days,
    )


def _early_text(buyer: Buyer) -> str:
    return sentence("signup_early.html", buyer.language) if buyer.is_consumer else ""


def _button(buyer: Buyer, offer: SignupQuote) -> str:
    """French law (consumer code, L221-14) wants these words wherever something is or may be to be paid."""
    return sentence("signup_button.html", buyer.language, is_free=offer.is_free)


def _consent(request: Request, buyer: Buyer, fields: dict[str, str], offer: SignupQuote) -> SignupConsent:
    early = _early_text(buyer)
    debit = _debit_text(buyer, offer)
    return SignupConsent(
        at=datetime.now(UTC),
        ip_address=address_of(request, buyer.door.settings.trusted_proxies)[:_LONGEST_ADDRESS],
        user_agent=request.headers.get("user-agent", "")[:_LONGEST_AGENT],
        language=buyer.language.value,
        shown=fields.get("shown", ""),
        due_minor=offer.due_minor,
        currency=offer.terms.currency,
        button=_button(buyer, offer),
        terms_url=buyer.row.terms_url,
        terms_version=buyer.row.terms_version,
        debit_text=debit,
        debit_version=WORDS_VERSION if debit else "",
        early_start=bool(early) and fields.get("early") == "yes",
        early_start_text=early,
    )


async def _payment(buyer: Buyer) -> FirstPayment | None:
    """What came of the first payment; None while it has no outcome."""
    if buyer.row.subscription_id is None:
        return None
    try:
        return await buyer.door.relance.wait_for_first_payment(
            buyer.row.subscription_id, seconds=OUTCOME_SECONDS
        )
    except TookTooLong:
        return None


async def _outcome(buyer: Buyer) -> Response:
    """What came of the order. One that was left half-way, by a crash of ours, is carried out first."""
    if buyer.row.completed_at is None:
        done = await buyer.door.relance.signups.finish(buyer.row)
        if not done.is_as_shown:
            return buyer.go("order?said=changed")
        buyer = await buyer.afresh()
    payment = await _payment(buyer)
    announced = await _is_announced(buyer, payment)
    sub = None
    if buyer.row.subscription_id is not None:
        sub = (await buyer.door.relance.subscription(buyer.row.subscription_id)).state
    return buyer.show(
        "signup_done.html",
        page="done",
        payment=payment,
        announced=announced,
        sub=sub,
        email=buyer.row.fields["email"],
    )


async def _is_announced(buyer: Buyer, payment: FirstPayment | None) -> bool:
    """Whether the first payment is the debit of an account, which is announced by mail before it is made."""
    if payment is None or payment.outcome is not FirstOutcome.NO_METHOD or buyer.row.customer_id is None:
        return False
    customer = await buyer.door.relance.customer(buyer.row.customer_id)
    methods = await buyer.door.relance.list_methods(customer.id)
    return any(each.id == customer.default_method_id and is_direct_debit(each) for each in methods)
