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
    reference = new_id("x", 16)[2:].upper()
    mandate = _mandate(call, method, reference, snapshot(consent["customer_acceptance"]))
    call.books.put("card", {**details, "mandate": mandate["id"]})
    return str(mandate["id"])


def bring_in(call: Call, method: Document, reference: str, accepted_at: int) -> Document:
    """A mandate of another payment service that Stripe imports for its merchant, under its old reference.

    No SetupIntent names it, and nobody is told.
    """
    consent = {"accepted_at": accepted_at, "type": "offline", "offline": {}}
    mandate = _mandate(call, method, reference, consent)
    call.books.put("card", {**methods.secrets_of(call, method), "mandate": mandate["id"]})
    return mandate


def _mandate(call: Call, method: Document, reference: str, consent: Document) -> Document:
    mandate = {
        "id": new_id("mandate"),
        "object": "mandate",
        "customer_acceptance": consent,
        "livemode": False,
        "multi_use": {},
        "on_behalf_of": None,
        "payment_method": method["id"],
        "payment_method_details": {
            "type": "sepa_debit",
            "sepa_debit": {"reference": reference, "url": "https://example.com/mandate"},
        },
        "status": "active",
        "type": "multi_use",
    }
    return call.books.put("mandate", mandate)


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
