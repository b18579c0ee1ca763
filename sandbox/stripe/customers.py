"""Customers."""

from sandbox.stripe import methods
from sandbox.stripe.errors import Document, missing, refused
from sandbox.stripe.fields import merge_metadata, new_metadata
from sandbox.stripe.listing import page
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call

_PLAIN = (
    "address",
    "balance",
    "business_name",
    "description",
    "email",
    "individual_name",
    "invoice_prefix",
    "name",
    "next_invoice_sequence",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
)


def create(call: Call, params: Document) -> Document:
    """`POST /v1/customers`."""
    if "test_clock" in params and call.books.get("test_clock", params["test_clock"]) is None:
        raise missing("test_clock", params["test_clock"], param="test_clock")
    clock = call.books.get("test_clock", params["test_clock"]) if "test_clock" in params else None
    customer: Document = {
        "id": new_id("cus", 14),
        "object": "customer",
        **dict.fromkeys(_PLAIN),
        "balance": 0,
        "created": clock["frozen_time"] if clock else call.world.wall(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": new_metadata(params),
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
        "test_clock": params.get("test_clock"),
    }
    _apply(customer, params)
    call.books.put("customer", customer)
    try:
        if "payment_method" in params:
            methods.attach(call, params["payment_method"], {"customer": customer["id"]})
        _set_default(call, customer, params)
    except Exception:
        call.books.remove("customer", customer["id"])
        raise
    call.emit("customer.created", customer)
    return customer


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/customers/{id}`; a deleted one answers `deleted: true`."""
    customer = call.books.get("customer", identifier)
    if customer is None:
        raise missing("customer", identifier)
    return customer


def alive(call: Call, identifier: str, *, param: str = "id") -> Document:
    """The customer, who must exist and not be deleted."""
    customer = call.books.get("customer", identifier)
    if customer is None or customer.get("deleted"):
        raise missing("customer", identifier, param=param)
    return customer


def update(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/customers/{id}`."""
    customer = alive(call, identifier)
    _set_default(call, customer, params)
    _apply(customer, params)
    merge_metadata(customer, params)
    call.books.put("customer", customer)
    call.emit("customer.updated", customer)
    return customer


def delete(call: Call, identifier: str) -> Document:
    """`DELETE /v1/customers/{id}`: its payment methods are detached."""
    customer = alive(call, identifier)
    for method in call.books.all("payment_method"):
        if method["customer"] == identifier:
            methods.detach(call, method["id"], {})
    call.emit("customer.deleted", customer)
    gone = {"id": identifier, "object": "customer", "deleted": True}
    call.books.put("customer", {**gone, "created": customer["created"], "test_clock": customer["test_clock"]})
    return gone


def listed(call: Call, params: Document) -> Document:
    """`GET /v1/customers`."""
    living = [customer for customer in call.books.all("customer") if not customer.get("deleted")]
    return page(living, params, "/v1/customers")


def listed_methods(call: Call, identifier: str, params: Document) -> Document:
    """`GET /v1/customers/{id}/payment_methods`."""
    alive(call, identifier)
    url = f"/v1/customers/{identifier}/payment_methods"
    return page(call.books.all("payment_method"), {**params, "customer": identifier}, url)


def _apply(customer: Document, params: Document) -> None:
    for name in _PLAIN:
        if name in params:
            customer[name] = params[name] if params[name] != "" else None


def _set_default(call: Call, customer: Document, params: Document) -> None:
    settings = params.get("invoice_settings") or {}
    default = settings.get("default_payment_method")
    if default:
        method = call.books.get("payment_method", default)
        if method is None or method["customer"] != customer["id"]:
            raise refused(
                "The customer does not have a payment method with the ID "
                f"{default}. The payment method must be attached to the customer.",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
    customer["invoice_settings"].update(
        {name: value if value != "" else None for name, value in settings.items()}
    )
