"""Payment methods: cards and SEPA accounts, made from numbers or from Stripe's test tokens."""

from datetime import UTC, datetime
from typing import Any

from sandbox.stripe import cards, scripts
from sandbox.stripe.errors import ApiError, Document, missing, refused
from sandbox.stripe.fields import merge_metadata, new_metadata
from sandbox.stripe.listing import page
from sandbox.stripe.outcomes import Decline, UnknownOutcome, decline
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call

LABEL_KEY = "fake_card"
"""Metadata that makes a card with a common number one of its own, with its own fingerprint."""

_UNATTACHABLE = (
    "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
    "Customer, and may not be used again."
)


def create(call: Call, params: Document) -> Document:
    """`POST /v1/payment_methods`: a card by number or token, or a SEPA account by IBAN."""
    kind = params.get("type")
    if kind == "card":
        method = _from_card(call, params.get("card") or {})
    elif kind == "sepa_debit":
        method = _from_iban(call, (params.get("sepa_debit") or {}).get("iban"), params)
    else:
        raise refused(
            f"This account takes card and sepa_debit, not {kind!r}.", code="parameter_missing", param="type"
        )
    if "allow_redisplay" in params:
        method["allow_redisplay"] = params["allow_redisplay"]
    _bill_to(method, params)
    method["metadata"] = new_metadata(params)
    _follow_metadata(call, method)
    return call.books.put("payment_method", method)


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/payment_methods/{id}`."""
    method = call.books.get("payment_method", identifier)
    if method is None:
        raise missing("PaymentMethod", identifier)
    return method


def resolve(call: Call, identifier: str) -> Document:
    """The payment method that a request names; a test token becomes a new one.

    Raises:
        ApiError: it names nothing.
    """
    known = call.books.get("payment_method", identifier)
    if known is not None:
        return known
    card = cards.token_card(identifier) if identifier.startswith("pm_card_") else None
    if card is not None:
        return call.books.put("payment_method", _of_number(call, card.number, *cards.TOKEN_EXPIRY))
    if identifier in cards.SEPA_TOKENS:
        account = cards.SEPA_TOKENS[identifier]
        method = _from_iban(
            call, account.iban, {"billing_details": {"name": "Test", "email": "test@example.com"}}
        )
        _bill_to(method, {"billing_details": {"name": "Test", "email": "test@example.com"}})
        return call.books.put("payment_method", method)
    raise missing("PaymentMethod", identifier, param="payment_method")


def named(call: Call, params: Document) -> Document | None:
    """The payment method that an intent's parameters bring along or name; None where they do neither.

    Raises:
        ApiError: it cannot be made, or is named and is none.
    """
    if "payment_method_data" in params:
        return create(call, params["payment_method_data"])
    if params.get("payment_method"):
        return resolve(call, params["payment_method"])
    return None


def attach(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/payment_methods/{id}/attach`: saving a card asks its bank, which may decline.

    Raises:
        ApiError: it belongs to somebody else, was used up, or its bank declines.
    """
    owner = call.books.get("customer", params.get("customer", ""))
    if owner is None or owner.get("deleted"):
        raise missing("customer", params.get("customer", ""), param="customer")
    method = resolve(call, identifier)
    if method["customer"] == owner["id"]:
        return method
    if method["customer"] is not None:
        raise refused("The payment method you provided has already been attached to a customer.")
    details = secrets_of(call, method)
    if details["used_up"]:
        raise refused(_UNATTACHABLE)
    if method["type"] == "card" and cards.card_of(details["number"]).attach != "ok":
        raise card_error(decline(cards.card_of(details["number"]).attach))
    return bind(call, method, owner)


def bind(call: Call, method: Document, owner: Document) -> Document:
    """Make `method` the customer's, unasked."""
    if method["customer"] is None:
        method["customer"] = owner["id"]
        method["created"] = min(method["created"], call.now(owner["id"]))
        call.books.put("payment_method", method)
        call.emit("payment_method.attached", method)
    return method


def detach(call: Call, identifier: str, params: Document) -> Document:  # noqa: ARG001 - one shape for all
    """`POST /v1/payment_methods/{id}/detach`: it can never be used again."""
    method = retrieve(call, identifier)
    owner = method["customer"]
    if owner is None:
        raise refused(
            "The payment method you provided is not attached to a customer so detachment is impossible."
        )
    call.emit("payment_method.detached", {**method, "customer": None}, {"customer": owner})
    method["customer"] = None
    use_up(call, method)
    customer = call.books.get("customer", owner)
    if customer and not customer.get("deleted"):
        settings = customer["invoice_settings"]
        if settings["default_payment_method"] == identifier:
            settings["default_payment_method"] = None
            call.books.put("customer", customer)
    return call.books.put("payment_method", method)


def update(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/payment_methods/{id}`: billing details, expiry, metadata."""
    method = retrieve(call, identifier)
    if method["customer"] is None:
        raise refused("You must save this PaymentMethod to a customer before you can update it.")
    card = params.get("card") or {}
    if method["type"] == "card" and card:
        _check_expiry(
            call, card.get("exp_month", 1), card.get("exp_year", method["card"]["exp_year"]), owner=method
        )
        method["card"].update({name: card[name] for name in ("exp_month", "exp_year") if name in card})
    _bill_to(method, params)
    merge_metadata(method, params)
    if "metadata" in params:
        _follow_metadata(call, method)
    call.books.put("payment_method", method)
    call.emit("payment_method.updated", method)
    return method


def listed(call: Call, params: Document) -> Document:
    """`GET /v1/payment_methods`: of one customer."""
    return page(call.books.all("payment_method"), params, "/v1/payment_methods")


def secrets_of(call: Call, method: Document) -> Document:
    """What Stripe knows and does not show: number or IBAN, set up or not, used up or not."""
    details = call.books.get("card", method["id"])
    if details is None:
        raise missing("PaymentMethod", method["id"])
    return details


def use_up(call: Call, method: Document) -> None:
    """From now on the method can be neither attached nor charged."""
    call.books.put("card", {**secrets_of(call, method), "used_up": True})


def set_up(call: Call, method: Document) -> None:
    """The payer's bank has seen consent to later charges."""
    call.books.put("card", {**secrets_of(call, method), "set_up": True})


def renumber(call: Call, method: Document, number: str) -> None:
    """Give a card another number: brand, last four and fingerprint follow."""
    _check_number(number)
    call.books.put("card", {**secrets_of(call, method), "number": number})
    method["card"].update(_printed(number, method["metadata"].get(LABEL_KEY)))


def card_error(refusal: Decline, **details: Any) -> ApiError:  # noqa: ANN401 - any JSON value
    """A decline as an answer: 402 with everything the bank said."""
    return ApiError(
        402,
        "card_error",
        refusal.message,
        code=refusal.code,
        decline_code=refusal.decline_code,
        advice_code=refusal.advice_code,
        network_advice_code=refusal.network_advice_code,
        network_decline_code=refusal.network_decline_code,
        **details,
    )


def _from_card(call: Call, card: Document) -> Document:
    if "token" in card:
        known = cards.token_card(card["token"])
        if known is None:
            raise missing("token", card["token"], param="card[token]")
        return _of_number(call, known.number, *cards.TOKEN_EXPIRY)
    for name in ("number", "exp_month", "exp_year"):
        if name not in card:
            raise refused(
                f"Missing required param: card[{name}].", code="parameter_missing", param=f"card[{name}]"
            )
    number = str(card["number"]).replace(" ", "")
    _check_number(number)
    _check_expiry(call, card["exp_month"], card["exp_year"])
    return _of_number(call, number, card["exp_month"], card["exp_year"])


def _of_number(call: Call, number: str, month: int, year: int) -> Document:
    printed = _printed(number, None)
    method = _blank(call, "card")
    method["card"] = {
        **printed,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "exp_month": month,
        "exp_year": year,
        "generated_from": None,
        "networks": {"available": [printed["brand"]], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    set_up_already = number == cards.ALREADY_SET_UP
    details = {"id": method["id"], "number": number, "set_up": set_up_already, "used_up": False}
    call.books.put("card", details)
    return method


def _printed(number: str, label: str | None) -> Document:
    card, brand = cards.card_of(number), cards.brand_of(number)
    return {
        "brand": brand,
        "country": card.country,
        "display_brand": brand,
        "fingerprint": cards.fingerprint(f"{number}/{label}" if label else number),
        "funding": card.funding,
        "last4": number[-4:],
    }


def _from_iban(call: Call, iban: str | None, params: Document) -> Document:
    account = (iban or "").replace(" ", "").upper()
    if not account:
        raise refused(
            "Missing required param: sepa_debit[iban].", code="parameter_missing", param="sepa_debit[iban]"
        )
    billing = params.get("billing_details") or {}
    for name in ("name", "email"):
        if not billing.get(name):
            param = f"billing_details[{name}]"
            raise refused(f"Missing required param: {param}.", code="parameter_missing", param=param)
    if account == cards.UNUSABLE_IBAN:
        raise refused(
            "The bank account provided can't be used. Please use a different bank account.",
            code="bank_account_unusable",
            param="sepa_debit[iban]",
        )
    method = _blank(call, "sepa_debit")
    method["sepa_debit"] = {
        "bank_code": account[4:9],
        "branch_code": "",
        "country": account[:2],
        "fingerprint": cards.fingerprint(account),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": account[-4:],
    }
    details = {"id": method["id"], "number": account, "set_up": False, "used_up": False, "mandate": None}
    call.books.put("card", details)
    return method


def _blank(call: Call, kind: str) -> Document:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "created": call.world.wall(),
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "radar_options": {},
        "type": kind,
    }


def _bill_to(method: Document, params: Document) -> None:
    for name, value in (params.get("billing_details") or {}).items():
        if name == "address" and isinstance(value, dict):
            method["billing_details"]["address"].update(value)
        else:
            method["billing_details"][name] = value if value != "" else None


def _follow_metadata(call: Call, method: Document) -> None:
    metadata = method["metadata"]
    if scripts.METADATA_KEY in metadata:
        try:
            scripts.write(call.books, method["id"], metadata[scripts.METADATA_KEY])
        except UnknownOutcome as error:
            raise refused(str(error), param=f"metadata[{scripts.METADATA_KEY}]") from error
    if LABEL_KEY in metadata and method["type"] == "card":
        number = secrets_of(call, method)["number"]
        method["card"]["fingerprint"] = cards.fingerprint(f"{number}/{metadata[LABEL_KEY]}")


def _check_number(number: str) -> None:
    if not cards.check_digit_fits(number):
        raise card_error(decline("incorrect_number"), param="number")


def _check_expiry(call: Call, month: int, year: int, *, owner: Document | None = None) -> None:
    if not 1 <= month <= 12:  # noqa: PLR2004 - months of a year
        raise card_error(decline("invalid_expiry_month"), param="exp_month")
    if owner is not None:
        now = call.now(owner["customer"])
    else:  # nobody's yet: it may be meant for a customer whose clock is behind
        now = min([call.world.wall(), *(clock["frozen_time"] for clock in call.books.all("test_clock"))])
    today = datetime.fromtimestamp(now, UTC)
    if year < today.year or (owner is None and (year, month) < (today.year, today.month)):
        raise card_error(decline("invalid_expiry_year"), param="exp_year")
