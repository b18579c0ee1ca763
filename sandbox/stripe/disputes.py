"""Disputes: the bank takes a payment back, the seller answers, the bank decides. And early fraud warnings.

Opening one takes the amount and a fee off the account at once, as Stripe does; only the amount comes back when it is
won. An inquiry (`warning_*`) moves nothing.
"""

from typing import Literal

from stripe.params import DisputeUpdateParams

from sandbox.stripe import charges, parameters
from sandbox.stripe.errors import Document, missing, refused
from sandbox.stripe.fields import merge_metadata
from sandbox.stripe.listing import page
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call, clock_of, snapshot

Ending = Literal["won", "lost", "warning_closed", "prevented"]

REASONS = (
    "bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated", "debit_not_authorized",
    "duplicate", "fraudulent", "general", "incorrect_account_details", "insufficient_funds", "noncompliant",
    "product_not_received", "product_unacceptable", "subscription_canceled", "unrecognized",
)  # fmt: skip
"""Why a payer disputes, in Stripe's words."""
ENDINGS: tuple[Ending, ...] = ("won", "lost", "warning_closed", "prevented")
_OVER = frozenset({*ENDINGS, "charge_refunded"})
_DAYS_TO_ANSWER = 7
_LATE_SECONDS = 2
_LATE_SECONDS_ON_A_CLOCK = 86_400
_WINNING, _LOSING = "winning_evidence", "losing_evidence"
"""What Stripe's test mode looks for in the evidence's `uncategorized_text`."""
_EVIDENCE = sorted(parameters.names(parameters.shape_of(DisputeUpdateParams, "evidence")))


def open_dispute(
    call: Call,
    charge: Document,
    *,
    reason: str = "fraudulent",
    amount: int | None = None,
    inquiry: bool = False,
) -> Document:
    """The payer's bank disputes a charge, or only asks about it (`inquiry`).

    Raises:
        ApiError: nothing was paid by it, or it is disputed already.
    """
    if charge["status"] != "succeeded":
        raise refused(f"Charge {charge['id']} did not succeed: nobody disputes it.")
    if under_dispute(call, charge):
        raise refused(f"Charge {charge['id']} is disputed already.", code="charge_disputed")
    created = call.now(charge["customer"])
    dispute: Document = {
        "id": new_id("dp"),
        "object": "dispute",
        "amount": charge["amount"] if amount is None else amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE),
        "evidence_details": {
            "due_by": created + _DAYS_TO_ANSWER * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": None,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"type": charge["payment_method_details"]["type"]},
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    charge["disputed"] = True
    call.books.put("charge", charge)
    if not inquiry:
        _move(call, dispute, -dispute["amount"], fee=call.world.options.dispute_fee)
    call.books.put("dispute", dispute)
    _emit(call, dispute, "created")
    if not inquiry:
        _emit(call, dispute, "funds_withdrawn")
    return dispute


def follow(call: Call, charge: Document, what: str) -> None:
    """Let a test card's number bring something about after a while: see `cards.KnownCard`."""
    clock = clock_of(call.books, charge["customer"])
    seconds = _LATE_SECONDS if clock is None else _LATE_SECONDS_ON_A_CLOCK
    settlement: Document = {
        "id": new_id("due"),
        "dispute": what,
        "charge": charge["id"],
        "due_at": call.now(charge["customer"]) + seconds,
        "test_clock": clock["id"] if clock else None,
    }
    call.books.put("settlement", settlement)
    call.world.wake()


def settle(call: Call, settlement: Document) -> None:
    """What the number of a test card brings about after its charge."""
    call.books.remove("settlement", settlement["id"])
    charge = call.books.get("charge", settlement["charge"])
    if charge is None or charge["status"] != "succeeded":
        return
    if settlement["dispute"] == "fraud_warning":
        warn(call, charge)
    elif not under_dispute(call, charge):
        inquiry = settlement["dispute"] == "inquiry"
        open_dispute(call, charge, reason="fraudulent" if inquiry else settlement["dispute"], inquiry=inquiry)


def turn(call: Call, dispute: Document, status: str) -> None:
    """The bank's word: won, lost, or an inquiry that becomes a dispute (`needs_response`) or ends.

    Raises:
        ApiError: it does not follow from where the dispute stands.
    """
    is_inquiry = dispute["status"].startswith("warning_")
    follows = {
        "needs_response": is_inquiry,
        "under_review": not is_inquiry,
        "won": not is_inquiry,
        "lost": not is_inquiry,
        "warning_closed": is_inquiry,
        "prevented": is_inquiry,
    }
    is_appeal = (dispute["status"], status) == ("lost", "won")
    if not follows.get(status, False) or (dispute["status"] in _OVER and not is_appeal):
        raise refused(f"A dispute that is {dispute['status']} does not become {status}.")
    dispute["status"] = status
    if status == "needs_response":
        dispute["is_charge_refundable"] = False
        _move(call, dispute, -dispute["amount"], fee=call.world.options.dispute_fee)
    if status == "won":
        _move(call, dispute, dispute["amount"], fee=0)
    call.books.put("dispute", dispute)
    _emit(call, dispute, "closed" if status in _OVER else "updated")
    if status == "needs_response":
        _emit(call, dispute, "funds_withdrawn")
    if status == "won":
        _emit(call, dispute, "funds_reinstated")


def under_dispute(call: Call, charge: Document) -> Document | None:
    """The dispute of a charge that goes on or was lost; a won one or an inquiry is over for the money."""
    found = (one for one in call.books.all("dispute") if one["charge"] == charge["id"])
    return next((one for one in found if one["status"] not in _OVER or one["status"] == "lost"), None)


def forbids_refund(call: Call, charge: Document) -> bool:
    """Whether the bank decides about the money of a charge, or has taken it."""
    dispute = under_dispute(call, charge)
    return dispute is not None and not dispute["is_charge_refundable"]


def warn(call: Call, charge: Document, *, fraud_type: str = "made_with_stolen_card") -> Document:
    """The card's issuer warns of fraud before anybody disputes; nothing moves."""
    warning: Document = {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": not charge["refunded"] and under_dispute(call, charge) is None,
        "charge": charge["id"],
        "created": call.now(charge["customer"]),
        "fraud_type": fraud_type,
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
    call.books.put("fraud_warning", warning)
    call.emit("radar.early_fraud_warning.created", warning, customer=charge["customer"])
    return warning


def retrieve(call: Call, identifier: str) -> Document:
    """`GET /v1/disputes/{id}`."""
    dispute = call.books.get("dispute", identifier)
    if dispute is None:
        raise missing("dispute", identifier)
    return dispute


def update(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/disputes/{id}`: evidence and metadata; Stripe's two test sentences decide at once when submitted."""
    dispute = retrieve(call, identifier)
    if dispute["status"] in _OVER:
        raise refused(f"Dispute {identifier} is closed.")
    merge_metadata(dispute, params)
    evidence = params.get("evidence", {})
    dispute["evidence"].update(evidence)
    details = dispute["evidence_details"]
    details["has_evidence"] = details["has_evidence"] or bool(evidence)
    call.books.put("dispute", dispute)
    if not params.get("submit", bool(evidence)):
        return dispute
    details.update(submission_count=details["submission_count"] + 1, submission_method="manual")
    said = dispute["evidence"].get("uncategorized_text")
    is_inquiry = dispute["status"].startswith("warning_")
    if said in {_WINNING, _LOSING}:
        won = "warning_closed" if is_inquiry else "won"
        turn(call, dispute, won if said == _WINNING else "needs_response" if is_inquiry else "lost")
        return dispute
    dispute["status"] = "warning_under_review" if is_inquiry else "under_review"
    call.books.put("dispute", dispute)
    _emit(call, dispute, "updated")
    return dispute


def close(call: Call, identifier: str) -> Document:
    """`POST /v1/disputes/{id}/close`: the seller gives in; it is lost."""
    dispute = retrieve(call, identifier)
    if dispute["status"] in _OVER:
        raise refused(f"Dispute {identifier} is closed already.")
    is_inquiry = dispute["status"].startswith("warning_")
    turn(call, dispute, "warning_closed" if is_inquiry else "lost")
    return dispute


def listed(call: Call, params: Document) -> Document:
    """`GET /v1/disputes`."""
    return page(call.books.all("dispute"), params, "/v1/disputes")


def retrieve_warning(call: Call, identifier: str) -> Document:
    """`GET /v1/radar/early_fraud_warnings/{id}`: not actionable any more once its charge went back or is disputed."""
    warning = call.books.get("fraud_warning", identifier)
    if warning is None:
        raise missing("early_fraud_warning", identifier)
    charge = charges.retrieve(call, warning["charge"])
    warning["actionable"] = not charge["refunded"] and under_dispute(call, charge) is None
    return warning


def listed_warnings(call: Call, params: Document) -> Document:
    """`GET /v1/radar/early_fraud_warnings`."""
    return page(call.books.all("fraud_warning"), params, "/v1/radar/early_fraud_warnings")


def _move(call: Call, dispute: Document, amount: int, *, fee: int) -> None:
    """Money leaves or comes back: on the dispute as Stripe shows it, and in the ledger."""
    transaction: Document = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": dispute["created"],
        "balance_type": "payments",
        "created": _now(call, dispute),
        "currency": dispute["currency"],
        "description": f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {dispute['charge']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }
    if fee:
        transaction["fee_details"] = [
            {"amount": fee, "application": None, "currency": dispute["currency"], "description": "Dispute fee",
             "type": "stripe_fee"}
        ]  # fmt: skip
    dispute["balance_transactions"] = [*dispute["balance_transactions"], transaction]
    moved = {**dispute, "id": transaction["id"], "amount": abs(amount), "customer": _customer(call, dispute)}
    charges.enter(call, moved, "dispute" if amount < 0 else "dispute_won", dispute["charge"], key=None)
    if fee:
        paid: Document = {**moved, "id": f"{transaction['id']}_fee", "amount": fee}
        charges.enter(call, paid, "dispute_fee", dispute["charge"], key=None)


def _emit(call: Call, dispute: Document, what: str) -> None:
    call.emit(f"charge.dispute.{what}", snapshot(dispute), customer=_customer(call, dispute))


def _customer(call: Call, dispute: Document) -> str | None:
    charge = call.books.get("charge", dispute["charge"])
    return charge["customer"] if charge is not None else None


def _now(call: Call, dispute: Document) -> int:
    return call.now(_customer(call, dispute))
