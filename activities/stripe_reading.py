"""Reading what Stripe answers: from its JSON to our outcomes. Pure, without the SDK."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from activities.gateway import MethodFacts, NeverRan, ProviderRefused, SetupFacts
from activities.provider_money import DisputeMove, DisputeNews, FraudWarning, RefundNews
from activities.stripe_amounts import from_stripe
from billing.declines import DeclineEvidence, DeclineReading, read_decline
from billing.dispute import DisputeState
from billing.payment import (
    ActionRequired,
    Canceled,
    Declined,
    Outcome,
    Paid,
    Processing,
    Unknown,
)
from billing.refund import RefundState

Json = Mapping[str, Any]
"""An object of Stripe's API, as decoded JSON."""

AUTHENTICATION_REQUIRED = "authentication_required"
CLOCK_SKEW = timedelta(seconds=5)
"""Stripe's clock and ours may differ by this much: a charge this little before an attempt is still its own."""

_WAITING_FOR_A_METHOD = ("requires_payment_method", "requires_confirmation")

logger = logging.getLogger(__name__)


def id_of(reference: Json | str | None) -> str | None:
    """The id behind a field that is an id, or the whole object where it was expanded."""
    if reference is None or isinstance(reference, str):
        return reference
    return str(reference["id"])


def expanded(reference: Json | str | None) -> Json | None:
    """The whole object behind a field, or None where there is only an id."""
    return None if reference is None or isinstance(reference, str) else reference


def evidence_of(error: Json, charge: Json | None = None) -> DeclineEvidence:
    """All that an error, or a PaymentIntent's last error, says about a decline.

    Args:
        error: Stripe's error object.
        charge: the failed charge, where it was fetched: only there stands whether Stripe blocked it.
    """
    outcome = (charge or {}).get("outcome") or {}
    return DeclineEvidence(
        code=error.get("code"),
        decline_code=error.get("decline_code"),
        advice_code=error.get("advice_code") or outcome.get("advice_code"),
        network_advice_code=error.get("network_advice_code") or outcome.get("network_advice_code"),
        network_decline_code=error.get("network_decline_code") or outcome.get("network_decline_code"),
        network=_network(error, charge),
        outcome_type=outcome.get("type"),
        outcome_reason=outcome.get("reason"),
    )


def _network(error: Json, charge: Json | None) -> str | None:
    paid_with = ((charge or {}).get("payment_method_details") or {}).get("card") or {}
    saved = (expanded(error.get("payment_method")) or {}).get("card") or {}
    network = paid_with.get("network") or paid_with.get("brand") or saved.get("brand")
    return str(network) if network else None


def asks_for_the_payer(error: Json) -> bool:
    """Whether this decline says no more than that the payer must authenticate."""
    return AUTHENTICATION_REQUIRED in (error.get("decline_code"), error.get("code"))


def declined(
    error: Json, *, payment_intent: str | None, charge: Json | None, as_of: datetime
) -> Declined | ActionRequired:
    """A decline, or the wish for authentication, which is an outcome of its own (design 6.3)."""
    if payment_intent is not None and asks_for_the_payer(error):
        return ActionRequired(payment_intent=payment_intent)
    reading = read_decline(evidence_of(error, charge))
    _report(reading, payment_intent)
    return Declined(
        payment_intent=payment_intent,
        code=reading.code,
        decline_class=reading.decline_class,
        not_before=as_of + reading.wait if reading.wait else None,
        never_again=reading.never_again,
    )


def _report(reading: DeclineReading, payment_intent: str | None) -> None:
    if not reading.is_known:
        logger.warning("decline code %s of %s is not in the table", reading.code, payment_intent)
    if reading.alerts_operator:
        logger.warning("decline of %s asks for a person: a rule of the network", payment_intent)


def settled(intent: Json) -> Outcome:
    """What a PaymentIntent's status says by itself, without asking which try it was."""
    payment_intent = str(intent["id"])
    match intent["status"]:
        case "succeeded":
            return Paid(payment_intent=payment_intent, charge=id_of(intent.get("latest_charge")))
        case "processing":
            return Processing(payment_intent=payment_intent, expected_on=_expected_on(intent))
        case "requires_action":
            return ActionRequired(payment_intent=payment_intent)
        case "canceled":
            return Canceled(payment_intent=payment_intent)
        case _:
            return Unknown(payment_intent=payment_intent)


def page_of_the_bank(intent: Json) -> str | None:
    """Where the payer confirms a PaymentIntent that waits for them; None where it does not, or not by a redirect."""
    if intent["status"] != "requires_action":
        return None
    redirect = (intent.get("next_action") or {}).get("redirect_to_url") or {}
    url = str(redirect.get("url") or "")
    return url if url.startswith(("https://", "http://")) else None


def _expected_on(intent: Json) -> date | None:
    """When the payer's account will be debited, where the charge was asked for and says so."""
    charge = expanded(intent.get("latest_charge")) or {}
    debit = (charge.get("payment_method_details") or {}).get("sepa_debit") or {}
    on = debit.get("expected_debit_date")
    return date.fromisoformat(on) if on else None


def newest_try(intent: Json, *, since: datetime, as_of: datetime) -> Outcome | NeverRan:
    """What became of the try that began at `since`, from the PaymentIntent with its latest charge expanded.

    A PaymentIntent that waits for a method again was declined if its latest charge is not older than the try.
    An error without a charge (the payer failed to authenticate) bears no date: it counts as the try's, since to
    take a try that never ran for a decline costs a try, the other way round a charge too many at the bank.
    Otherwise the try never ran.
    """
    payment_intent = str(intent["id"])
    if intent["status"] not in _WAITING_FOR_A_METHOD:
        return settled(intent)
    error: Json = intent.get("last_payment_error") or {}
    charge = expanded(intent.get("latest_charge"))
    if error and not error.get("charge"):
        return declined(error, payment_intent=payment_intent, charge=None, as_of=as_of)
    if charge is not None and _is_not_older(charge, since):
        return declined(error or _failure(charge), payment_intent=payment_intent, charge=charge, as_of=as_of)
    return NeverRan(payment_intent=payment_intent)


def _is_not_older(charge: Json, since: datetime) -> bool:
    """Stripe's instants are whole seconds, cut off."""
    return float(charge["created"]) >= int((since - CLOCK_SKEW).timestamp())


def _failure(charge: Json) -> Json:
    return {"code": charge.get("failure_code"), "decline_code": (charge.get("outcome") or {}).get("reason")}


def method_facts(method: Json) -> MethodFacts:
    """A payment method, if it is of a kind that we charge.

    Raises:
        ProviderRefused: it is of another kind.
    """
    kind = method["type"]
    if kind == "card":
        card = method["card"]
        return MethodFacts(
            id=method["id"],
            kind="card",
            brand=card.get("brand"),
            last4=card["last4"],
            exp_month=card["exp_month"],
            exp_year=card["exp_year"],
            fingerprint=card.get("fingerprint"),
            customer=id_of(method.get("customer")),
        )
    if kind == "sepa_debit":
        debit = method["sepa_debit"]
        return MethodFacts(
            id=method["id"],
            kind="sepa_debit",
            last4=debit["last4"],
            fingerprint=debit.get("fingerprint"),
            customer=id_of(method.get("customer")),
        )
    raise ProviderRefused(
        f"Payment method {method['id']} is of the kind {kind}; save a card instead.",
        reason="unsupported_payment_method",
        field="payment_method",
    )


def setup_facts(setup: Json) -> SetupFacts:
    """A SetupIntent."""
    return SetupFacts(
        id=setup["id"],
        status=setup["status"],
        client_secret=setup["client_secret"],
        payment_method=id_of(setup.get("payment_method")),
    )


OUR_REFUND = "refund"
"""Metadata key under which a refund carries our own id."""


def refund_news(refund: Json) -> RefundNews:
    """A refund. A status that is new to us counts as pending: it is not over."""
    status = str(refund.get("status") or "pending")
    known = status in {state.value for state in RefundState} and status != RefundState.QUEUED.value
    currency = str(refund["currency"]).upper()
    return RefundNews(
        provider_id=str(refund["id"]),
        state=RefundState(status) if known else RefundState.PENDING,
        failure=str(refund.get("failure_reason") or ""),
        refund_id=(refund.get("metadata") or {}).get(OUR_REFUND),
        payment_intent=id_of(refund.get("payment_intent")),
        charge=id_of(refund.get("charge")),
        amount_minor=from_stripe(int(refund["amount"]), currency),
        currency=currency,
    )


_DISPUTE_STATES: Final = {
    "warning_needs_response": DisputeState.INQUIRY,
    "warning_under_review": DisputeState.INQUIRY,
    "warning_closed": DisputeState.CLOSED,
    "prevented": DisputeState.CLOSED,
    "charge_refunded": DisputeState.CLOSED,
    "needs_response": DisputeState.OPEN,
    "under_review": DisputeState.OPEN,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
    "appeal_needs_response": DisputeState.LOST,
    "appeal_under_review": DisputeState.LOST,
}
"""What is appealed was lost, until it is won."""


def dispute_news(dispute: Json) -> DisputeNews:
    """A dispute. A status that is new to us counts as open: it is not over."""
    status = str(dispute["status"])
    currency = str(dispute["currency"]).upper()
    due_by = (dispute.get("evidence_details") or {}).get("due_by")
    answer_by = datetime.fromtimestamp(int(due_by), UTC) if due_by is not None else None
    return DisputeNews(
        provider_id=str(dispute["id"]),
        state=_DISPUTE_STATES.get(status, DisputeState.OPEN),
        reason=str(dispute.get("reason") or ""),
        charge=id_of(dispute.get("charge")),
        payment_intent=id_of(dispute.get("payment_intent")),
        amount_minor=from_stripe(int(dispute["amount"]), currency),
        currency=currency,
        answer_by=answer_by if status.endswith("needs_response") else None,
        moves=tuple(_dispute_move(move) for move in dispute.get("balance_transactions") or ()),
    )


def _dispute_move(move: Json) -> DisputeMove:
    currency = str(move["currency"]).upper()
    return DisputeMove(
        id=str(move["id"]),
        amount_minor=from_stripe(int(move["amount"]), currency),
        fee_minor=from_stripe(int(move.get("fee") or 0), currency),
        currency=currency,
    )


def fraud_warning(warning: Json) -> FraudWarning:
    """An early fraud warning."""
    return FraudWarning(
        provider_id=str(warning["id"]),
        charge=id_of(warning.get("charge")),
        payment_intent=id_of(warning.get("payment_intent")),
        fraud_type=str(warning.get("fraud_type") or ""),
        actionable=bool(warning.get("actionable")),
    )
