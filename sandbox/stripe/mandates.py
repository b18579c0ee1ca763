"""Mandates: the payer's consent to bank debits."""

from sandbox.stripe import methods
from sandbox.stripe.errors import Document, missing, refused
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call, snapshot


def mandate_for(call: Call, method: Document, params: Document) -> str:
    """The mandate under which `method` may be debited, made from `mandate_data` when it is new.

    Raises:
        ApiError: there is none and no consent was passed on.
    """
    details = methods.secrets_of(call, method)
    known = call.books.get("mandate", details["mandate"]) if details["mandate"] is not None else None
    if known is not None and known["status"] == "active":
        return str(known["id"])
    consent = params.get("mandate_data")
    if not consent:
        raise refused(
            "This payment method needs a mandate. Pass `mandate_data`, or save it with a SetupIntent first.",
            code="payment_intent_mandate_invalid",
            param="mandate_data",
        )
    mandate = {
        "id": new_id("mandate"),
        "object": "mandate",
        "customer_acceptance": snapshot(consent["customer_acceptance"]),
        "livemode": False,
        "multi_use": {},
        "on_behalf_of": None,
        "payment_method": method["id"],
        "payment_method_details": {
            "type": "sepa_debit",
            "sepa_debit": {"reference": new_id("x", 16)[2:].upper(), "url": "https://example.com/mandate"},
        },
        "status": "active",
        "type": "multi_use",
    }
    call.books.put("mandate", mandate)
    call.books.put("card", {**details, "mandate": mandate["id"]})
    identifier: str = mandate["id"]
    return identifier


def revoke(call: Call, identifier: str) -> Document:
    """The payer takes the mandate back, at their bank."""
    mandate = retrieve(call, identifier)
    mandate["status"] = "inactive"
    method = call.books.get("payment_method", mandate["payment_method"])
    call.books.put("mandate", mandate)
    call.emit("mandate.updated", mandate, customer=method["customer"] if method is not None else None)
    return mandate


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/mandates/{id}`."""
    mandate = call.books.get("mandate", identifier)
    if mandate is None:
        raise missing("mandate", identifier)
    return mandate
