"""SetupIntents: saving a payment method with the payer's consent, without charging it."""

from sandbox.stripe import bank, cards, customers, methods
from sandbox.stripe.errors import ApiError, Document, missing, refused
from sandbox.stripe.fields import merge_metadata, new_metadata
from sandbox.stripe.listing import page
from sandbox.stripe.mandates import mandate_for
from sandbox.stripe.outcomes import decline
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call, snapshot

_CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})


def create(call: Call, params: Document) -> Document:
    """`POST /v1/setup_intents`."""
    customer = params.get("customer")
    if customer is not None:
        customers.alive(call, customer, param="customer")
    method = methods.named(call, params)
    identifier = new_id("seti")
    setup: Document = {
        "id": identifier,
        "object": "setup_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "application": None,
        "automatic_payment_methods": params.get("automatic_payment_methods"),
        "cancellation_reason": None,
        "client_secret": f"{identifier}_secret_{new_id('x', 25)[2:]}",
        "created": call.now(customer),
        "customer": customer,
        "description": params.get("description"),
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": new_metadata(params),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method["id"] if method else None,
        "payment_method_options": params.get("payment_method_options") or {},
        "payment_method_types": params.get("allowed_payment_method_types", ["card", "sepa_debit"]),
        "single_use_mandate": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "usage": params.get("usage", "off_session"),
    }
    call.books.put("setup_intent", setup)
    call.emit("setup_intent.created", setup)
    return _confirm(call, setup, method, params) if params.get("confirm") else setup


def confirm(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/setup_intents/{id}/confirm`."""
    setup = retrieve(call, identifier)
    if setup["status"] not in _CONFIRMABLE:
        raise _unexpected(setup, f"You cannot confirm this SetupIntent: its status is {setup['status']}.")
    method = methods.named(call, params)
    if method is None and setup["payment_method"]:
        method = call.books.get("payment_method", setup["payment_method"])
    return _confirm(call, setup, method, params)


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/setup_intents/{id}`."""
    setup = call.books.get("setup_intent", identifier)
    if setup is None:
        raise missing("setup_intent", identifier)
    return setup


def update(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/setup_intents/{id}`."""
    setup = retrieve(call, identifier)
    if params.get("customer"):
        customers.alive(call, params["customer"], param="customer")
        setup["customer"] = params["customer"]
    if params.get("payment_method"):
        setup.update(payment_method=methods.resolve(call, params["payment_method"])["id"])
        setup["status"] = "requires_confirmation"
    if "description" in params:
        setup["description"] = params["description"]
    merge_metadata(setup, params)
    return call.books.put("setup_intent", setup)


def cancel(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/setup_intents/{id}/cancel`."""
    setup = retrieve(call, identifier)
    if setup["status"] not in _CONFIRMABLE:
        raise _unexpected(setup, f"You cannot cancel this SetupIntent: its status is {setup['status']}.")
    setup.update(status="canceled", cancellation_reason=params.get("cancellation_reason"), next_action=None)
    call.books.put("setup_intent", setup)
    call.emit("setup_intent.canceled", setup)
    return setup


def listed(call: Call, params: Document) -> Document:
    """`GET /v1/setup_intents`."""
    return page(call.books.all("setup_intent"), params, "/v1/setup_intents")


def authenticate(call: Call, identifier: str, *, passed: bool) -> str | None:
    """The payer answers 3-D Secure while saving a card; returns where to send the payer back to."""
    setup = retrieve(call, identifier)
    if setup["status"] != "requires_action":
        raise _unexpected(setup, f"This SetupIntent is not waiting for its payer: {setup['status']}.")
    back: str | None = (setup["next_action"].get("redirect_to_url") or {}).get("return_url")
    method = methods.retrieve(call, setup["payment_method"])
    if passed:
        _succeed(call, setup, method)
    else:
        setup["last_setup_error"] = {
            "code": "setup_intent_authentication_failure",
            "message": "The provided payment method has failed authentication.",
            "payment_method": snapshot(method),
            "type": "invalid_request_error",
        }
        setup.update(status="requires_payment_method", payment_method=None, next_action=None)
        call.books.put("setup_intent", setup)
        call.emit("setup_intent.setup_failed", setup)
    return back


def _confirm(call: Call, setup: Document, method: Document | None, params: Document) -> Document:
    if method is None:
        raise _unexpected(setup, "You cannot confirm this SetupIntent because it's missing a payment method.")
    if method["customer"] not in {None, setup["customer"]}:
        raise refused(
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must "
            "be attached to the customer.",
            code="resource_missing",
            param="payment_method",
        )
    setup["payment_method"] = method["id"]
    if method["type"] == "sepa_debit":
        setup["mandate"] = mandate_for(call, method, params)
        return _succeed(call, setup, method)
    known = cards.card_of(methods.secrets_of(call, method)["number"])
    if known.attach != "ok":
        _fail(call, setup, method, known.attach)
    if bank.needs_authentication(known, methods.secrets_of(call, method)):
        return _ask_payer(call, setup, params.get("return_url"))
    return _succeed(call, setup, method)


def _succeed(call: Call, setup: Document, method: Document) -> Document:
    setup.update(status="succeeded", next_action=None, last_setup_error=None)
    methods.set_up(call, method)
    owner = call.books.get("customer", setup["customer"]) if setup["customer"] else None
    if owner is not None:
        methods.bind(call, method, owner)
    call.books.put("setup_intent", setup)
    call.emit("setup_intent.succeeded", setup)
    return setup


def _fail(call: Call, setup: Document, method: Document, code: str) -> None:
    refusal = decline(code)
    setup.update(status="requires_payment_method", payment_method=None)
    setup["last_setup_error"] = methods.card_error(refusal, payment_method=snapshot(method)).fields
    call.books.put("setup_intent", setup)
    call.emit("setup_intent.setup_failed", setup)
    raise methods.card_error(refusal, setup_intent=snapshot(setup), payment_method=snapshot(method))


def _ask_payer(call: Call, setup: Document, return_url: str | None) -> Document:
    page_url = f"{call.base_url}/_fake/3ds/{setup['id']}"
    action: Document = {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": page_url}}
    if return_url is not None:
        redirect = {"return_url": return_url, "url": page_url}
        action = {"type": "redirect_to_url", "redirect_to_url": redirect}
    setup.update(status="requires_action", next_action=action)
    call.books.put("setup_intent", setup)
    call.emit("setup_intent.requires_action", setup)
    return setup


def _unexpected(setup: Document, message: str) -> ApiError:
    return refused(message, code="setup_intent_unexpected_state", setup_intent=snapshot(setup))
