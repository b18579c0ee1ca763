"""The bank behind a card: what it answers to one authorisation, and the record that it was asked."""

from dataclasses import replace
from datetime import UTC, datetime

from sandbox.stripe import cards, scripts
from sandbox.stripe.errors import Document
from sandbox.stripe.methods import secrets_of
from sandbox.stripe.outcomes import Verdict, debit_failure, decline, verdict
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call


def decide(call: Call, intent: Document, method: Document, *, authenticated: bool) -> Verdict:
    """What becomes of charging `intent` to `method` now.

    The card's own need for authentication comes first, then its script, then its expiry, then its number.
    `authenticated` says that the payer has just passed 3-D Secure for this charge.
    """
    now = call.now(intent["customer"])
    if method["type"] == "sepa_debit":
        return _debit(call, method, now)
    details = secrets_of(call, method)
    known = cards.card_of(details["number"])
    asked_by_script = _forget_asking(call, intent, method) if authenticated else False
    if not authenticated and needs_authentication(known, details):
        return Verdict("authenticate")
    if asked_by_script:
        return Verdict("ok")
    scripted = scripts.next_outcome(call.books, method["id"], now)
    if scripted is not None:
        answer = verdict(scripted)
        if answer.answer == "authenticate":
            _remember_asking(call, intent, method)
        return answer
    if _expired(method, now):
        return Verdict("declined", decline("expired_card"))
    answer = verdict(known.charge)
    if known.blocked and answer.decline:
        return replace(answer, decline=replace(answer.decline, blocked=True, network_decline_code=None))
    return answer


def needs_authentication(known: cards.KnownCard, details: Document) -> bool:
    """Whether the card's issuer asks for 3-D Secure before this charge."""
    if known.authentication == "unless_set_up":
        return not details["set_up"]
    return known.authentication == "always"


def record(call: Call, intent: Document, method: Document, charge: Document, outcome: str) -> None:
    """Note that an authorisation reached the bank, so that tests can count them."""
    printed = method[method["type"]]
    call.books.put(
        "attempt",
        {
            "id": new_id("att"),
            "at": charge["created"],
            "payment_intent": intent["id"],
            "charge": charge["id"],
            "customer": intent["customer"],
            "payment_method": method["id"],
            "fingerprint": printed["fingerprint"],
            "amount": intent["amount"],
            "currency": intent["currency"],
            "outcome": outcome,
            "idempotency_key": call.idempotency_key,
            "metadata": dict(intent["metadata"]),
        },
    )


def _debit(call: Call, method: Document, now: int) -> Verdict:
    scripted = scripts.next_outcome(call.books, method["id"], now)
    if scripted is None:
        failure = cards.account_of(secrets_of(call, method)["number"]).failure
        return Verdict("processing", debit_failure(failure) if failure else None)
    if isinstance(scripted, str) and scripted.split(" ")[0] not in {"ok", "processing", "timeout"}:
        return Verdict("processing", debit_failure(scripted))
    answer = verdict(scripted)
    return replace(answer, answer="processing")


def _expired(method: Document, now: int) -> bool:
    today = datetime.fromtimestamp(now, UTC)
    return (method["card"]["exp_year"], method["card"]["exp_month"]) < (today.year, today.month)


def _remember_asking(call: Call, intent: Document, method: Document) -> None:
    details = secrets_of(call, method)
    asked = [*details.get("asked", []), intent["id"]]
    call.books.put("card", {**details, "asked": asked})


def _forget_asking(call: Call, intent: Document, method: Document) -> bool:
    details = secrets_of(call, method)
    asked = details.get("asked", [])
    if intent["id"] not in asked:
        return False
    call.books.put("card", {**details, "asked": [other for other in asked if other != intent["id"]]})
    return True
