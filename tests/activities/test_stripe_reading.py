"""What a PaymentIntent says about the newest try, from hand-written answers of Stripe."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.gateway import MethodFacts, NeverRan, ProviderRefused
from activities.stripe_reading import method_facts, newest_try, settled
from billing.payment import (
    ActionRequired,
    Canceled,
    DeclineClass,
    Declined,
    Outcome,
    Paid,
    Processing,
    Unknown,
)

BEGAN = datetime(2027, 2, 1, 8, 0, 0, tzinfo=UTC)


def charge(*, seconds_after: int, **more: object) -> dict[str, Any]:
    created = int((BEGAN + timedelta(seconds=seconds_after)).timestamp())
    return {"id": "ch_1", "object": "charge", "created": created, **more}


def intent(status: str, **more: object) -> dict[str, Any]:
    return {"id": "pi_1", "status": status, "latest_charge": None, "last_payment_error": None, **more}


NO_FUNDS = {"code": "card_declined", "decline_code": "insufficient_funds", "charge": "ch_1"}
NO_FUNDS_OUTCOME = Declined(
    payment_intent="pi_1", code="insufficient_funds", decline_class=DeclineClass.RETRY_LATER
)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            intent("succeeded", latest_charge=charge(seconds_after=1)),
            Paid(payment_intent="pi_1", charge="ch_1"),
        ),
        (intent("succeeded", latest_charge="ch_2"), Paid(payment_intent="pi_1", charge="ch_2")),
        (intent("processing"), Processing(payment_intent="pi_1")),
        (intent("requires_action"), ActionRequired(payment_intent="pi_1")),
        (intent("canceled"), Canceled(payment_intent="pi_1")),
        (intent("requires_capture"), Unknown(payment_intent="pi_1")),
        # Declined after the try began: it was this one.
        (
            intent(
                "requires_payment_method",
                latest_charge=charge(seconds_after=2),
                last_payment_error=NO_FUNDS,
            ),
            NO_FUNDS_OUTCOME,
        ),
        # Stripe's clock a little behind ours.
        (
            intent(
                "requires_payment_method",
                latest_charge=charge(seconds_after=-4),
                last_payment_error=NO_FUNDS,
            ),
            NO_FUNDS_OUTCOME,
        ),
        # The latest decline is older: the try in question never reached the bank.
        (
            intent(
                "requires_payment_method",
                latest_charge=charge(seconds_after=-3600),
                last_payment_error=NO_FUNDS,
            ),
            NeverRan(payment_intent="pi_1"),
        ),
        (intent("requires_payment_method"), NeverRan(payment_intent="pi_1")),
        (intent("requires_confirmation"), NeverRan(payment_intent="pi_1")),
        # The bank wanted the payer; the payer then failed.
        (
            intent(
                "requires_payment_method",
                latest_charge=charge(seconds_after=1),
                last_payment_error={
                    "code": "authentication_required",
                    "decline_code": "authentication_required",
                    "charge": "ch_1",
                },
            ),
            ActionRequired(payment_intent="pi_1"),
        ),
        (
            intent(
                "requires_payment_method",
                latest_charge=charge(seconds_after=-3600),
                last_payment_error={"code": "payment_intent_authentication_failure"},
            ),
            Declined(
                payment_intent="pi_1",
                code="payment_intent_authentication_failure",
                decline_class=DeclineClass.NEEDS_CUSTOMER,
            ),
        ),
        # Blocked before it reached the bank.
        (
            intent(
                "requires_payment_method",
                latest_charge=charge(
                    seconds_after=1, outcome={"type": "blocked", "reason": "highest_risk_level"}
                ),
                last_payment_error={
                    "code": "card_declined",
                    "decline_code": "generic_decline",
                    "charge": "ch_1",
                },
            ),
            Declined(payment_intent="pi_1", code="highest_risk_level", decline_class=DeclineClass.FRAUD_STOP),
        ),
    ],
)
def test_the_newest_try(facts: dict[str, Any], expected: Outcome | NeverRan) -> None:
    assert newest_try(facts, since=BEGAN, as_of=BEGAN) == expected


def test_the_networks_wait_on_a_charge_is_counted_from_the_business_instant() -> None:
    facts = intent(
        "requires_payment_method",
        latest_charge=charge(
            seconds_after=1,
            outcome={"type": "issuer_declined", "network_advice_code": "25"},
            payment_method_details={"card": {"network": "mastercard"}},
        ),
        last_payment_error=NO_FUNDS,
    )
    outcome = newest_try(facts, since=BEGAN, as_of=BEGAN)
    assert isinstance(outcome, Declined)
    assert outcome.not_before == datetime(2027, 2, 2, 8, 0, 0, tzinfo=UTC)


def test_by_itself_a_payment_intent_that_waits_says_nothing() -> None:
    assert settled(intent("requires_payment_method")) == Unknown(payment_intent="pi_1")


def test_a_card_and_a_bank_account() -> None:
    card = {
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": "fp_1",
        "country": "FR",
    }
    assert method_facts({"id": "pm_1", "type": "card", "card": card}) == MethodFacts(
        id="pm_1",
        kind="card",
        brand="visa",
        last4="4242",
        exp_month=12,
        exp_year=2034,
        fingerprint="fp_1",
    )
    debit = {"last4": "3201", "fingerprint": "fp_2", "country": "AT"}
    assert method_facts({"id": "pm_2", "type": "sepa_debit", "sepa_debit": debit}) == MethodFacts(
        id="pm_2", kind="sepa_debit", last4="3201", fingerprint="fp_2"
    )


def test_another_kind_of_method_is_refused() -> None:
    with pytest.raises(ProviderRefused, match="paypal"):
        method_facts({"id": "pm_3", "type": "paypal", "paypal": {}})
