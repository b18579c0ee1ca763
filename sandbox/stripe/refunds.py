"""Refunds: money going back on a charge, never more than it brought.

Stripe takes the money off the account when a refund is made, also while it is pending; one that fails brings it back.
"""

from sandbox.stripe import cards, charges, disputes, methods
from sandbox.stripe.errors import Document, missing, refused
from sandbox.stripe.fields import merge_metadata, new_metadata
from sandbox.stripe.listing import page
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call, clock_of

_LATE_SECONDS = 2
_LATE_SECONDS_ON_A_CLOCK = 86_400


def create(call: Call, params: Document) -> Document:
    """`POST /v1/refunds` of a charge or of a PaymentIntent's successful charge."""
    charge = _charge(call, params)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if disputes.forbids_refund(call, charge):
        raise refused(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if charge["refunded"]:
        raise refused(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = params.get("amount", left)
    if amount < 1:
        raise refused(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount > left:
        raise refused(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left}), in minor units.",
            param="amount",
        )
    behaviour = _behaviour(call, charge)
    refund: Document = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": new_id("txn"),
        "charge": charge["id"],
        "created": call.now(charge["customer"]),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "destination_details": {"type": "card", "card": {"type": "refund"}},
        "metadata": new_metadata(params),
        "payment_intent": charge["payment_intent"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if behaviour == "late" else "succeeded",
        "transfer_reversal": None,
    }
    call.books.put("refund", refund)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    call.books.put("charge", charge)
    charges.enter(call, refund, "refund", charge["id"], key=call.idempotency_key)
    call.emit("refund.created", refund)
    call.emit("charge.refunded", charge)
    if behaviour != "ok":
        _wait_for_bank(call, refund, becomes="succeeded" if behaviour == "late" else "failed")
    return refund


def settle(call: Call, settlement: Document) -> None:
    """The bank's late word about a refund."""
    call.books.remove("settlement", settlement["id"])
    refund = call.books.get("refund", settlement["refund"])
    if refund is not None:
        turn(call, refund, settlement["becomes"])


def turn(call: Call, refund: Document, status: str, failure_reason: str | None = None) -> None:
    """A refund succeeds, fails or is cancelled late; money that did not arrive is on the charge again."""
    refund["status"] = status
    if status in {"failed", "canceled"}:
        refund["failure_reason"] = failure_reason or "unknown"
        refund["failure_balance_transaction"] = new_id("txn")
        charge = call.books.get("charge", refund["charge"])
        if charge is not None:
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
            call.books.put("charge", charge)
        back: Document = {**refund, "id": refund["failure_balance_transaction"]}
        charges.enter(call, back, "refund_failed", refund["charge"], key=None)
    call.books.put("refund", refund)
    call.emit("refund.updated", refund)
    if status == "failed":
        call.emit("refund.failed", refund)


def _behaviour(call: Call, charge: Document) -> str:
    method = call.books.get("payment_method", charge["payment_method"])
    if method is None or method["type"] != "card":
        return "ok"
    return cards.card_of(methods.secrets_of(call, method)["number"]).refund


def _wait_for_bank(call: Call, refund: Document, *, becomes: str) -> None:
    clock = clock_of(call.books, refund["customer"])
    seconds = _LATE_SECONDS if clock is None else _LATE_SECONDS_ON_A_CLOCK
    call.books.put(
        "settlement",
        {
            "id": new_id("due"),
            "refund": refund["id"],
            "becomes": becomes,
            "due_at": call.now(refund["customer"]) + seconds,
            "test_clock": clock["id"] if clock else None,
        },
    )
    call.world.wake()


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/refunds/{id}`."""
    refund = call.books.get("refund", identifier)
    if refund is None:
        raise missing("refund", identifier)
    return refund


def update(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/refunds/{id}`: metadata only."""
    refund = retrieve(call, identifier)
    merge_metadata(refund, params)
    return call.books.put("refund", refund)


def listed(call: Call, params: Document) -> Document:
    """`GET /v1/refunds`."""
    return page(call.books.all("refund"), params, "/v1/refunds")


def _charge(call: Call, params: Document) -> Document:
    if "charge" in params:
        charge = call.books.get("charge", params["charge"])
        if charge is None:
            raise missing("charge", params["charge"], param="charge")
    elif "payment_intent" in params:
        intent = call.books.get("payment_intent", params["payment_intent"])
        if intent is None:
            raise missing("payment_intent", params["payment_intent"], param="payment_intent")
        charge = call.books.get("charge", intent["latest_charge"] or "")
        if charge is None or charge["status"] != "succeeded":
            raise refused(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                param="payment_intent",
            )
    else:
        raise refused("One of the following params should be provided: charge, payment_intent.")
    if charge["status"] != "succeeded":
        raise refused(f"Charge {charge['id']} did not succeed and cannot be refunded.", param="charge")
    return charge
