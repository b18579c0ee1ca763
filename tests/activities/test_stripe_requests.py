"""What is sent to Stripe: keys, parameters and amounts, from stored facts alone."""

from typing import Any

import pytest
from pydantic import ValidationError
from stripe.params import PaymentIntentConfirmParams, PaymentIntentCreateParams

from activities.gateway import Charge, PreparedRequest, require_key
from activities.stripe_amounts import NotChargeable, to_stripe
from activities.stripe_gateway import StripeGateway
from activities.stripe_requests import prepare
from billing.errors import InvalidInput

FIRST: dict[str, Any] = {
    "invoice_id": "inv_7",
    "generation": 1,
    "attempt_number": 1,
    "amount_minor": 5880,
    "currency": "EUR",
    "customer": "cus_1",
    "payment_method": "pm_1",
    "on_session": False,
    "description": "Invoice F-2027-0001",
    "metadata": {"subscription": "sub_3", "attempt": "att_9"},
}
LATER: dict[str, Any] = {
    **FIRST,
    "attempt_number": 3,
    "payment_intent": "pi_5",
    "payment_method": "pm_2",
}


def test_the_first_attempt_creates_and_confirms_in_one_call() -> None:
    assert prepare(Charge(**FIRST)) == PreparedRequest(
        operation="create_and_confirm",
        idempotency_key="inv_7:pi:1",
        payment_intent=None,
        params={
            "amount": 5880,
            "currency": "eur",
            "customer": "cus_1",
            "payment_method": "pm_1",
            "allowed_payment_method_types": ["card"],
            "confirm": True,
            "description": "Invoice F-2027-0001",
            "metadata": {
                "subscription": "sub_3",
                "attempt": "att_9",
                "invoice": "inv_7",
                "generation": "1",
            },
            "off_session": True,
        },
    )


def test_a_later_attempt_confirms_the_same_payment_intent_under_a_key_of_its_own() -> None:
    assert prepare(Charge(**LATER)) == PreparedRequest(
        operation="confirm",
        idempotency_key="inv_7:confirm:1:3",
        payment_intent="pi_5",
        params={"payment_method": "pm_2", "off_session": True},
    )


def test_a_new_generation_has_a_new_key() -> None:
    assert prepare(Charge(**{**FIRST, "generation": 2, "attempt_number": 4})).idempotency_key == "inv_7:pi:2"


def test_with_the_payer_there_the_bank_is_asked_for_consent_to_later_charges() -> None:
    first = prepare(Charge(**{**FIRST, "on_session": True})).params
    assert "off_session" not in first
    assert first["setup_future_usage"] == "off_session"
    assert prepare(Charge(**{**LATER, "on_session": True})).params == {
        "payment_method": "pm_2",
        "setup_future_usage": "off_session",
    }


def test_every_parameter_is_one_that_this_version_of_stripe_knows() -> None:
    assert prepare(Charge(**FIRST)).params.keys() <= PaymentIntentCreateParams.__annotations__.keys()
    assert prepare(Charge(**LATER)).params.keys() <= PaymentIntentConfirmParams.__annotations__.keys()


def test_a_stored_request_comes_back_from_json_unchanged() -> None:
    request = prepare(Charge(**FIRST))
    assert PreparedRequest.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize("amount_minor", [0, -1])
def test_nothing_is_not_charged(amount_minor: int) -> None:
    with pytest.raises(ValidationError):
        Charge(**{**FIRST, "amount_minor": amount_minor})


@pytest.mark.parametrize("key", ["", "  ", "k" * 256])
def test_no_request_without_a_key_of_ours(key: str) -> None:
    with pytest.raises(InvalidInput, match="idempotency key"):
        require_key(key)


def test_a_missing_key_of_the_account_is_named() -> None:
    with pytest.raises(Exception, match="Set STRIPE_API_KEY") as caught:
        StripeGateway(api_key=None, api_base="http://127.0.0.1:1")
    assert caught.value.field == "STRIPE_API_KEY"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("amount_minor", "currency", "at_stripe"),
    [
        (5880, "EUR", 5880),
        (1099, "USD", 1099),
        (500, "JPY", 500),
        (5, "ISK", 500),
        (5, "UGX", 500),
        (1_250_000, "MGA", 12_500),
        (5120, "KWD", 5120),
        (10, "TND", 10),
        (17500, "HUF", 17500),
    ],
)
def test_stripes_own_minor_units(amount_minor: int, currency: str, at_stripe: int) -> None:
    assert to_stripe(amount_minor, currency) == at_stripe


@pytest.mark.parametrize(
    ("amount_minor", "currency", "step"), [(5124, "KWD", 10), (1, "BHD", 10), (12_550, "MGA", 100)]
)
def test_an_amount_too_fine_for_stripe_is_refused_not_rounded(
    amount_minor: int, currency: str, step: int
) -> None:
    with pytest.raises(NotChargeable) as caught:
        to_stripe(amount_minor, currency)
    assert caught.value.step_minor == step
    assert caught.value.field == "amount_minor"
