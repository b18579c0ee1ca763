"""The heart of a payment: one authorisation of a PaymentIntent and what follows from its answer."""

from datetime import UTC, datetime, timedelta

from sandbox.stripe import bank, cards, charges, disputes, methods
from sandbox.stripe.bank_days import add_bank_days
from sandbox.stripe.errors import Document
from sandbox.stripe.outcomes import Decline, Verdict, decline
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call, clock_of, snapshot

_SUCCESS_DAYS, _FAILURE_DAYS, _DELAYED_DAYS = 6, 3, 14
_DEBIT_DAYS = 1
"""Until the payer's account is debited."""
_SETTLES_AT = timedelta(hours=9, minutes=30)


def authorise(
    call: Call,
    intent: Document,
    method: Document,
    *,
    off_session: bool = False,
    refuse_action: bool = False,
    return_url: str | None = None,
    authenticated: bool = False,
) -> Document:
    """Ask the bank once and move the intent to where the answer leads.

    Raises:
        ApiError: 402, when it was declined; the intent is back at `requires_payment_method`.
    """
    verdict = bank.decide(call, intent, method, authenticated=authenticated)
    call.answer_lost = call.answer_lost or verdict.answer_lost
    intent["payment_method"] = method["id"]
    if verdict.answer == "authenticate":
        if not off_session and not refuse_action:
            return _ask_payer(call, intent, return_url)
        verdict = Verdict("declined", decline("authentication_required"))
    charge = charges.open_charge(call, intent, method)
    if method["customer"] is None:
        methods.use_up(call, method)
    if verdict.answer == "declined" and verdict.decline:
        bank.record(call, intent, method, charge, verdict.decline.reason)
        _fail(call, intent, method, charge, verdict.decline)
        refusal = verdict.decline
        raise methods.card_error(
            refusal,
            charge=charge["id"],
            payment_intent=snapshot(intent),
            payment_method=snapshot(method),
        )
    if verdict.answer == "processing":
        bank.record(call, intent, method, charge, "processing")
        return _wait_for_bank(call, intent, method, charge, verdict.decline)
    bank.record(call, intent, method, charge, "ok")
    return _succeed(call, intent, method, charge, key=call.idempotency_key)


def settle(call: Call, settlement: Document) -> None:
    """The bank's late word about a payment that was processing."""
    intent = call.books.get("payment_intent", settlement["payment_intent"])
    charge = call.books.get("charge", settlement["charge"])
    method = call.books.get("payment_method", settlement["payment_method"])
    call.books.remove("settlement", settlement["id"])
    if intent is None or charge is None or method is None or intent["status"] != "processing":
        return
    if settlement["failure"] is None:
        _succeed(call, intent, method, charge, key=settlement["idempotency_key"])
    else:
        if method["type"] == "sepa_debit":
            charges.cost(call, charge, call.world.options.failure_fee)
        _fail(call, intent, method, charge, Decline(**settlement["failure"]))


def refuse_authentication(call: Call, intent: Document) -> None:
    """The payer did not pass 3-D Secure: another method is needed."""
    method = call.books.get("payment_method", intent["payment_method"])
    intent["last_payment_error"] = {
        "code": "payment_intent_authentication_failure",
        "doc_url": "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
        "message": (
            "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a "
            "new PaymentMethod to attempt to fulfill this PaymentIntent again."
        ),
        "payment_method": snapshot(method),
        "type": "invalid_request_error",
    }
    intent.update(status="requires_payment_method", payment_method=None, next_action=None)
    call.books.put("payment_intent", intent)
    call.emit("payment_intent.payment_failed", intent)


def _succeed(
    call: Call, intent: Document, method: Document, charge: Document, *, key: str | None
) -> Document:
    charges.collected(call, charge, key=key)
    intent.update(
        status="succeeded",
        amount_received=intent["amount"],
        last_payment_error=None,
        next_action=None,
        processing=None,
    )
    call.books.put("payment_intent", intent)
    _save_for_later(call, intent, method)
    call.emit("payment_intent.succeeded", intent)
    if method["type"] == "card":
        follows = cards.card_of(methods.secrets_of(call, method)["number"]).then
        if follows is not None:
            disputes.follow(call, charge, follows)
    return intent


def _fail(call: Call, intent: Document, method: Document, charge: Document, refusal: Decline) -> None:
    charges.failed(call, charge, refusal)
    error = {
        "advice_code": refusal.advice_code,
        "charge": charge["id"],
        "code": refusal.code,
        "decline_code": refusal.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{refusal.code.replace('_', '-')}",
        "message": refusal.message,
        "network_advice_code": refusal.network_advice_code,
        "network_decline_code": refusal.network_decline_code,
        "payment_method": snapshot(method),
        "type": "card_error",
    }
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        last_payment_error={name: value for name, value in error.items() if value is not None},
        next_action=None,
        processing=None,
    )
    call.books.put("payment_intent", intent)
    call.emit("payment_intent.payment_failed", intent)


def _ask_payer(call: Call, intent: Document, return_url: str | None) -> Document:
    page = f"{call.base_url}/_fake/3ds/{intent['id']}"
    if return_url is None:
        action: Document = {"type": "use_stripe_sdk", "use_stripe_sdk": {"stripe_js": page}}
    else:
        redirect = {"return_url": return_url, "url": page}
        action = {"type": "redirect_to_url", "redirect_to_url": redirect}
    intent.update(status="requires_action", next_action=action)
    call.books.put("payment_intent", intent)
    call.emit("payment_intent.requires_action", intent)
    return intent


def _wait_for_bank(
    call: Call, intent: Document, method: Document, charge: Document, refusal: Decline | None
) -> Document:
    charged_on = datetime.fromtimestamp(charge["created"], UTC).date()
    mandate = methods.secrets_of(call, method)["mandate"] if method["type"] == "sepa_debit" else None
    charges.pending(call, charge, mandate=mandate, expected_on=str(add_bank_days(charged_on, _DEBIT_DAYS)))
    intent.update(status="processing", next_action=None, last_payment_error=None, processing=None)
    call.books.put("payment_intent", intent)
    _save_for_later(call, intent, method)
    clock = clock_of(call.books, intent["customer"])
    call.books.put(
        "settlement",
        {
            "id": new_id("due"),
            "payment_intent": intent["id"],
            "charge": charge["id"],
            "payment_method": method["id"],
            "due_at": _due_at(call, intent, method, fails=refusal is not None),
            "test_clock": clock["id"] if clock else None,
            "failure": vars(refusal) if refusal else None,
            "idempotency_key": call.idempotency_key,
        },
    )
    call.emit("payment_intent.processing", intent)
    call.world.wake()
    return intent


def _due_at(call: Call, intent: Document, method: Document, *, fails: bool) -> int:
    """When the bank's word comes.

    On a test clock after bank days: six for a success, three for a failure, fourteen for the slow test
    accounts, at 09:30 UTC. Otherwise after the seconds that the options name, so that nobody waits a week.
    """
    now = call.now(intent["customer"])
    number = methods.secrets_of(call, method)["number"]
    slow = method["type"] == "sepa_debit" and cards.account_of(number).delayed
    if clock_of(call.books, intent["customer"]) is None:
        return now + round(
            call.world.options.sepa_delayed_seconds if slow else call.world.options.sepa_seconds
        )
    days = _DELAYED_DAYS if slow else _FAILURE_DAYS if fails else _SUCCESS_DAYS
    due_on = add_bank_days(datetime.fromtimestamp(now, UTC).date(), days)
    return round((datetime(due_on.year, due_on.month, due_on.day, tzinfo=UTC) + _SETTLES_AT).timestamp())


def _save_for_later(call: Call, intent: Document, method: Document) -> None:
    if intent["setup_future_usage"] is None or intent["customer"] is None:
        return
    owner = call.books.get("customer", intent["customer"])
    details = methods.secrets_of(call, method)
    call.books.put("card", {**details, "used_up": False, "set_up": True})
    if owner is not None and not owner.get("deleted"):
        methods.bind(call, method, owner)
