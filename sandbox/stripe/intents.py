"""PaymentIntents: their life cycle, as Stripe documents it."""

from urllib.parse import urlencode

from sandbox.stripe import customers, methods, payment
from sandbox.stripe.errors import ApiError, Document, missing, refused
from sandbox.stripe.fields import check_amount, merge_metadata, new_metadata
from sandbox.stripe.listing import page
from sandbox.stripe.mandates import mandate_for
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call, snapshot

_CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
_PLAIN = (
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
)
_CONFIRM_ONLY = ("error_on_requires_action", "mandate_data", "off_session", "return_url")
_SELECTORS = ("allowed_payment_method_types", "automatic_payment_methods", "excluded_payment_method_types")


def check(params: Document) -> None:
    """What is refused before anything begins, so that no idempotency key remembers it."""
    if "amount" in params and "currency" in params:
        check_amount(params["amount"], params["currency"])


def create(call: Call, params: Document) -> Document:
    """`POST /v1/payment_intents`, with `confirm` the first attempt too."""
    customer = params.get("customer")
    if customer is not None:
        customers.alive(call, customer, param="customer")
    if not params.get("confirm"):
        for name in _CONFIRM_ONLY:
            if name in params:
                raise refused(f"`{name}` may only be given with `confirm=true`.", param=name)
    method = methods.named(call, params)
    intent = _new(call, params, customer)
    if method is not None:
        _check_owner(intent, method, off_session=False)
        intent.update(payment_method=method["id"], status="requires_confirmation")
    if params.get("confirm"):
        _check_confirm(call, intent, method, params)
    call.books.put("payment_intent", intent)
    call.emit("payment_intent.created", intent)
    if params.get("confirm") and method is not None:
        return _authorise(call, intent, method, params)
    return intent


def confirm(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/payment_intents/{id}/confirm`, again after each decline."""
    intent = retrieve(call, identifier)
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected(intent, _confirm_refusal(intent["status"]))
    method = methods.named(call, params)
    if method is None and intent["payment_method"]:
        method = call.books.get("payment_method", intent["payment_method"])
    _check_confirm(call, intent, method, params)
    if method is None:
        raise _no_method(intent)
    intent.update({name: params[name] for name in _PLAIN if name in params})
    if intent["setup_future_usage"] == "":
        intent["setup_future_usage"] = None
    return _authorise(call, intent, method, params)


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/payment_intents/{id}`."""
    intent = call.books.get("payment_intent", identifier)
    if intent is None:
        raise missing("payment_intent", identifier)
    return intent


def update(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/payment_intents/{id}`."""
    intent = retrieve(call, identifier)
    if intent["status"] not in _CONFIRMABLE and params.keys() - {"description", "metadata", "expand"}:
        raise _unexpected(
            intent, f"This PaymentIntent could not be updated because it has a status of {intent['status']}."
        )
    wanted = {**intent, **params}
    check_amount(wanted["amount"], wanted["currency"])
    if params.get("customer"):
        customers.alive(call, params["customer"], param="customer")
        intent["customer"] = params["customer"]
    method = methods.named(call, params)
    if method is not None:
        _check_owner(intent, method, off_session=False)
        intent.update(payment_method=method["id"], status="requires_confirmation", next_action=None)
    for name in ("amount", "currency", *_PLAIN):
        if name in params:
            intent[name] = params[name] if params[name] != "" else None
    merge_metadata(intent, params)
    return call.books.put("payment_intent", intent)


def cancel(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/payment_intents/{id}/cancel`: for ever, and never while processing."""
    intent = retrieve(call, identifier)
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            "PaymentIntent with one of the following statuses may be canceled: requires_payment_method, "
            "requires_capture, requires_confirmation, requires_action, processing.",
        )
    intent.update(
        status="canceled",
        canceled_at=call.now(intent["customer"]),
        cancellation_reason=params.get("cancellation_reason"),
        next_action=None,
    )
    call.books.put("payment_intent", intent)
    call.emit("payment_intent.canceled", intent)
    return intent


def listed(call: Call, params: Document) -> Document:
    """`GET /v1/payment_intents`."""
    return page(call.books.all("payment_intent"), params, "/v1/payment_intents")


def authenticate(call: Call, identifier: str, *, passed: bool) -> str | None:
    """The payer answers 3-D Secure.

    Returns:
        Where to send the payer back to, if the confirm named it.

    Raises:
        ApiError: the intent is not waiting for the payer.
    """
    intent = retrieve(call, identifier)
    if intent["status"] != "requires_action":
        raise _unexpected(intent, f"This PaymentIntent is not waiting for its payer: {intent['status']}.")
    back = (intent["next_action"].get("redirect_to_url") or {}).get("return_url")
    method = methods.retrieve(call, intent["payment_method"])
    outcome = "succeeded" if passed else "failed"
    if passed:
        try:
            payment.authorise(call, intent, method, authenticated=True)
        except ApiError:
            outcome = "failed"
    else:
        payment.refuse_authentication(call, intent)
    if back is None:
        return None
    query = {
        "payment_intent": identifier,
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": outcome,
    }
    return f"{back}{'&' if '?' in back else '?'}{urlencode(query)}"


def _new(call: Call, params: Document, customer: str | None) -> Document:
    identifier = new_id("pi")
    automatic = params.get("automatic_payment_methods")
    intent: Document = {
        "id": identifier,
        "object": "payment_intent",
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": (
            {"allow_redirects": automatic.get("allow_redirects", "always"), "enabled": automatic["enabled"]}
            if automatic
            else None
        ),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{identifier}_secret_{new_id('x', 25)[2:]}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": call.now(customer),
        "currency": params["currency"].lower(),
        "customer": customer,
        "customer_account": None,
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": new_metadata(params),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": params.get("payment_method_options") or {},
        "payment_method_types": _types(params),
        "processing": None,
        "review": None,
        "source": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": params.get("transfer_group"),
        **{name: params.get(name) for name in _PLAIN},
    }
    return intent


def _types(params: Document) -> list[str]:
    if len([name for name in _SELECTORS if name in params]) > 1 and "allowed_payment_method_types" in params:
        raise refused(
            "You may only give one of: " + ", ".join(_SELECTORS) + ".", param="allowed_payment_method_types"
        )
    possible = ["card", "sepa_debit"] if params["currency"].lower() == "eur" else ["card"]
    allowed = params.get("allowed_payment_method_types", possible)
    left_out = params.get("excluded_payment_method_types", [])
    types = [kind for kind in possible if kind in allowed and kind not in left_out]
    if not types:
        raise refused(
            f"No valid payment method types for this PaymentIntent in {params['currency'].lower()}.",
            code="payment_intent_invalid_parameter",
        )
    return types


def _check_owner(intent: Document, method: Document, *, off_session: bool) -> None:
    owner = method["customer"]
    if owner is not None and owner != intent["customer"]:
        if intent["customer"] is None:
            raise refused(
                "The PaymentMethod supplied belongs to the Customer "
                f"{owner}. Please include the Customer in the `customer` parameter on the PaymentIntent.",
                param="payment_method",
            )
        raise refused(
            f"The customer does not have a payment method with the ID {method['id']}. The payment method must "
            "be attached to the customer.",
            code="resource_missing",
            param="payment_method",
        )
    if off_session and owner is None and intent["customer"] is not None:
        raise refused(
            "An off-session payment needs a payment method that is attached to the customer. Attach it first.",
            code="payment_method_not_available",
            param="payment_method",
        )


def _check_confirm(call: Call, intent: Document, method: Document | None, params: Document) -> None:
    if method is None:
        raise _no_method(intent)
    off_session = params.get("off_session", False) is not False
    _check_owner(intent, method, off_session=off_session)
    if methods.secrets_of(call, method)["used_up"]:
        raise refused(
            "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, "
            "or was detached from a Customer. It may not be used again. To use a PaymentMethod multiple times, "
            "you must attach it to a Customer first.",
            param="payment_method",
        )
    if method["type"] not in intent["payment_method_types"]:
        raise refused(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent. It allows: "
            f"{', '.join(intent['payment_method_types'])}.",
            code="payment_intent_incompatible_payment_method",
            param="payment_method",
        )
    if method["type"] == "sepa_debit":
        mandate_for(call, method, params)
    elif not off_session and _may_redirect(intent) and "return_url" not in params:
        raise refused(
            "This PaymentIntent accepts payment methods that might redirect your customer, so you must provide "
            "a `return_url`. To avoid that, set `automatic_payment_methods[allow_redirects]` to `never`, or "
            "name the types in `allowed_payment_method_types`.",
            param="return_url",
        )


def _may_redirect(intent: Document) -> bool:
    if intent["allowed_payment_method_types"] is not None:
        return False
    automatic = intent["automatic_payment_methods"]
    return automatic is None or (automatic["enabled"] and automatic["allow_redirects"] != "never")


def _authorise(call: Call, intent: Document, method: Document, params: Document) -> Document:
    return payment.authorise(
        call,
        intent,
        method,
        off_session=params.get("off_session", False) is not False,
        refuse_action=params.get("error_on_requires_action", False),
        return_url=params.get("return_url"),
    )


def _confirm_refusal(status: str) -> str:
    if status == "succeeded":
        return (
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously "
            "confirmed."
        )
    return f"You cannot confirm this PaymentIntent because it has a status of {status}."


def _no_method(intent: Document) -> ApiError:
    return _unexpected(
        intent,
        "You cannot confirm this PaymentIntent because it's missing a payment method. Update the PaymentIntent "
        "with a payment method and then confirm it again, or name one when you confirm.",
    )


def _unexpected(intent: Document, message: str) -> ApiError:
    return refused(message, code="payment_intent_unexpected_state", payment_intent=snapshot(intent))
