"""Charges: one per authorisation, good or bad, and the ledger of the money that really moved."""

from sandbox.stripe.errors import Document, missing
from sandbox.stripe.fields import merge_metadata
from sandbox.stripe.listing import page
from sandbox.stripe.outcomes import Decline
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call, snapshot


def open_charge(call: Call, intent: Document, method: Document) -> Document:
    """A charge of the whole intent to `method`, not yet decided."""
    charge: Document = {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": snapshot(method["billing_details"]),
        "calculated_statement_descriptor": "RELANCE SANDBOX",
        "captured": False,
        "created": call.now(intent["customer"]),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _details(method, intent["amount"]),
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }
    intent["latest_charge"] = charge["id"]
    return call.books.put("charge", charge)


def collected(call: Call, charge: Document, *, key: str | None) -> None:
    """The bank paid: the charge succeeded and its money is in the ledger, with the key that asked for it."""
    charge.update(
        status="succeeded",
        paid=True,
        captured=True,
        amount_captured=charge["amount"],
        balance_transaction=new_id("txn"),
        failure_code=None,
        failure_message=None,
        outcome=_outcome("approved_by_network", "authorized", "Payment complete."),
    )
    call.books.put("charge", charge)
    enter(call, charge, "charge", charge["id"], key=key)
    call.emit("charge.succeeded", charge)


def pending(call: Call, charge: Document, *, mandate: str | None, expected_on: str) -> None:
    """The bank's word comes later; a debit says under which mandate, and when the account is debited."""
    if mandate is not None:
        debit = charge["payment_method_details"]["sepa_debit"]
        debit.update(mandate=mandate, expected_debit_date=expected_on)
    charge["outcome"] = _outcome("approved_by_network", "authorized", "Payment complete.")
    call.books.put("charge", charge)
    call.emit("charge.pending", charge)


def failed(call: Call, charge: Document, refusal: Decline) -> None:
    """The bank, or Stripe itself, refused."""
    blocked = refusal.blocked
    outcome = _outcome(
        "not_sent_to_network" if blocked else "declined_by_network",
        "blocked" if blocked else "issuer_declined",
        "Stripe blocked this payment." if blocked else "The bank declined the payment.",
    )
    outcome.update(
        reason="highest_risk_level" if blocked else refusal.reason,
        risk_level="highest" if blocked else "normal",
        advice_code=refusal.advice_code,
        network_advice_code=refusal.network_advice_code,
        network_decline_code=refusal.network_decline_code,
    )
    charge.update(
        status="failed",
        paid=False,
        failure_code=refusal.code,
        failure_message=refusal.message,
        outcome=outcome,
    )
    call.books.put("charge", charge)
    call.emit("charge.failed", charge)


def cost(call: Call, charge: Document, fee: int) -> None:
    """A pending payment fails: its money was never there, and Stripe keeps a fee for it."""
    transaction: Document = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": 0,
        "available_on": call.now(charge["customer"]),
        "balance_type": "payments",
        "created": call.now(charge["customer"]),
        "currency": charge["currency"],
        "description": "Payment failure",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": -fee,
        "reporting_category": "charge_failure",
        "source": charge["id"],
        "status": "available",
        "type": "payment_failure_refund",
    }
    call.books.put("balance_transaction", transaction)
    charge["failure_balance_transaction"] = transaction["id"]
    if fee:
        entry = {**charge, "id": f"{transaction['id']}_fee", "amount": fee}
        enter(call, entry, "failure_fee", charge["id"], key=None)


def retrieve_move(call: Call, identifier: str) -> Document:
    """`GET /v1/balance_transactions/{id}`: only those of payments that failed are kept."""
    found = call.books.get("balance_transaction", identifier)
    if found is None:
        raise missing("balance transaction", identifier)
    return found


_COMES_IN = frozenset({"charge", "refund_failed", "dispute_won"})
"""Kinds of ledger entries by which money comes in; by all others it goes."""


def signed(entry: Document) -> int:
    """The amount of a ledger entry, negative where money went."""
    amount: int = entry["amount"]
    return amount if entry["kind"] in _COMES_IN else -amount


def enter(call: Call, subject: Document, kind: str, charge: str, *, key: str | None) -> None:
    """Write money that moved into the ledger: a successful charge, a refund, what a dispute takes and gives."""
    call.books.put(
        "ledger",
        {
            "id": subject["id"],
            "kind": kind,
            "charge": charge,
            "payment_intent": subject["payment_intent"],
            "amount": subject["amount"],
            "currency": subject["currency"],
            "customer": subject.get("customer"),
            "metadata": dict(subject["metadata"]),
            "idempotency_key": key,
            "created": call.now(subject.get("customer")),
        },
    )


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/charges/{id}`."""
    charge = call.books.get("charge", identifier)
    if charge is None:
        raise missing("charge", identifier)
    return charge


def update(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/charges/{id}`: description, receipt address, metadata."""
    charge = retrieve(call, identifier)
    charge.update({name: params[name] for name in ("description", "receipt_email") if name in params})
    merge_metadata(charge, params)
    call.books.put("charge", charge)
    call.emit("charge.updated", charge)
    return charge


def listed(call: Call, params: Document) -> Document:
    """`GET /v1/charges`."""
    return page(call.books.all("charge"), params, "/v1/charges")


def _outcome(network_status: str, kind: str, seller_message: str) -> Document:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": None,
        "risk_level": "normal",
        "seller_message": seller_message,
        "type": kind,
    }


def _details(method: Document, amount: int) -> Document:
    if method["type"] == "sepa_debit":
        debit = {**snapshot(method["sepa_debit"]), "mandate": None, "expected_debit_date": None}
        debit.pop("generated_from")
        return {"type": "sepa_debit", "sepa_debit": debit}
    card = snapshot(method["card"])
    for name in ("display_brand", "generated_from", "networks", "three_d_secure_usage"):
        card.pop(name)
    card.update(amount_authorized=amount, mandate=None, network=card["brand"], three_d_secure=None)
    return {"type": "card", "card": card}
