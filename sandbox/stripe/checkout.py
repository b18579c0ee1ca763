"""Checkout Sessions in setup mode: Stripe's hosted page on which a payer saves a payment method."""

from collections.abc import Mapping

from sandbox.stripe import customers, methods, setups
from sandbox.stripe.errors import Document, missing, refused
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call

LIFETIME_SECONDS = 24 * 3600


def create(call: Call, params: Document) -> Document:
    """`POST /v1/checkout/sessions`.

    Raises:
        ApiError: another mode than setup, no customer, or no address to come back to.
    """
    if params.get("mode") != "setup":
        raise refused("The sandbox has Checkout in setup mode only.", code="parameter_invalid", param="mode")
    if "success_url" not in params:
        raise refused("Missing required param: success_url.", code="parameter_missing", param="success_url")
    customer = params.get("customer")
    if customer is not None:
        customers.alive(call, customer, param="customer")
    wanted = {name: params[name] for name in ("allowed_payment_method_types",) if name in params}
    details = params.get("setup_intent_data") or {}
    setup = setups.create(
        call, {**details, **wanted, "customer": customer} if customer else {**details, **wanted}
    )
    identifier = new_id("cs_test", 58)
    created = call.now(customer)
    session: Document = {
        "id": identifier,
        "object": "checkout.session",
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": created,
        "currency": params.get("currency"),
        "customer": customer,
        "expires_at": created + LIFETIME_SECONDS,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": params.get("metadata") or {},
        "mode": "setup",
        "payment_intent": None,
        "payment_method_types": setup["payment_method_types"],
        "payment_status": "no_payment_required",
        "setup_intent": setup["id"],
        "status": "open",
        "success_url": params["success_url"],
        "url": f"{call.base_url}/_fake/checkout/{identifier}",
    }
    return call.books.put("checkout_session", session)


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/checkout/sessions/{id}`; one whose payer came back from their bank is complete by then."""
    session = call.books.get("checkout_session", identifier)
    if session is None:
        raise missing("checkout.session", identifier)
    if session["status"] == "open" and _setup(call, session)["status"] == "succeeded":
        _complete(call, session)
    return session


def expire(call: Call, identifier: str) -> Document:
    """`POST /v1/checkout/sessions/{id}/expire`.

    Raises:
        ApiError: it is over.
    """
    session = retrieve(call, identifier)
    if session["status"] != "open":
        raise refused("Only Checkout Sessions with a status of open can be expired.", code="resource_missing")
    session.update(status="expired", url=None)
    call.books.put("checkout_session", session)
    call.emit("checkout.session.expired", session)
    return session


def submit(call: Call, identifier: str, filled_in: Mapping[str, str]) -> str:
    """The payer filled the page in; returns where their browser goes: back, or to the bank first.

    Args:
        call: the work.
        identifier: of the session.
        filled_in: the fields of the page: `number` of a card, or `iban` with `name` and `email`.

    Raises:
        ApiError: the page is over, or the method is refused, as on Stripe's page.
    """
    session = retrieve(call, identifier)
    if session["status"] != "open":
        raise refused("This page is over.", code="resource_missing")
    done = str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", identifier)
    method = methods.create(call, _method(filled_in))
    consent = {
        "customer_acceptance": {
            "type": "online",
            "online": {"ip_address": "127.0.0.1", "user_agent": "the sandbox's page"},
        }
    }
    setup = setups.confirm(
        call,
        session["setup_intent"],
        {"payment_method": method["id"], "return_url": done, "mandate_data": consent},
    )
    if setup["status"] == "requires_action":
        return str(setup["next_action"]["redirect_to_url"]["url"])
    _complete(call, session)
    return done


def finish_after_bank(call: Call, setup_intent: str) -> None:
    """The payer confirmed at their bank: the page that led there is complete, whether or not they come back."""
    for session in call.books.all("checkout_session"):
        if session["setup_intent"] == setup_intent:
            retrieve(call, session["id"])


def _complete(call: Call, session: Document) -> None:
    session.update(status="complete", url=None)
    call.books.put("checkout_session", session)
    call.emit("checkout.session.completed", session)


def _setup(call: Call, session: Document) -> Document:
    return setups.retrieve(call, session["setup_intent"])


def _method(filled_in: Mapping[str, str]) -> Document:
    if filled_in.get("iban"):
        return {
            "type": "sepa_debit",
            "sepa_debit": {"iban": filled_in["iban"]},
            "billing_details": {
                "name": filled_in.get("name") or "Test",
                "email": filled_in.get("email") or "test@example.com",
            },
        }
    number = filled_in.get("number", "").replace(" ", "")
    return {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2050, "cvc": "123"}}
