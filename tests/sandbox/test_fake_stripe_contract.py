"""What a charging engine relies on at its provider, through the official SDK.

Runs against the sandbox's fake. With a secret test key in STRIPE_CONTRACT_KEY it runs against that Stripe account
(`STRIPE_CONTRACT_KEY=sk_test_... pytest --force-enable-socket tests/sandbox/test_fake_stripe_contract.py`); what
needs the fake's control plane is then skipped.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import stripe
from fakes import TEST_KEY, FakeStripe

REAL_KEY = os.environ.get("STRIPE_CONTRACT_KEY")


@dataclass(frozen=True)
class Provider:
    """Stripe as the tests meet it: the client, and the fake when it is one."""

    client: stripe.StripeClient
    fake: FakeStripe | None

    def needs_control(self) -> FakeStripe:
        if self.fake is None:
            pytest.skip("needs the fake's control plane")
        return self.fake

    def customer(self) -> str:
        return self.client.v1.customers.create({"email": "anna@example.com", "name": "Anna"}).id

    def saved(self, customer: str, card: str = "pm_card_visa") -> str:
        return self.client.v1.payment_methods.attach(card, {"customer": customer}).id

    def charge(
        self, customer: str, method: str, *, key: str | None = None, **more: object
    ) -> stripe.PaymentIntent:
        params: Any = {
            "amount": 5880,
            "currency": "eur",
            "customer": customer,
            "payment_method": method,
            "allowed_payment_method_types": ["card"],
            "off_session": True,
            "confirm": True,
            **more,
        }
        return self.client.v1.payment_intents.create(params, {"idempotency_key": key or new_key()})

    def confirm(
        self, intent: str, method: str, *, key: str | None = None, **more: object
    ) -> stripe.PaymentIntent:
        params: Any = {"payment_method": method, "off_session": True, **more}
        return self.client.v1.payment_intents.confirm(intent, params, {"idempotency_key": key or new_key()})

    def charges(self, intent: str) -> list[str]:
        found = self.client.v1.charges.list({"payment_intent": intent}).data
        return [charge.status for charge in found]


def new_key() -> str:
    return uuid4().hex


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> Iterator[Provider]:
    http = stripe.RequestsClient(timeout=20)
    if REAL_KEY is not None:
        if not REAL_KEY.startswith("sk_test_"):
            pytest.fail("STRIPE_CONTRACT_KEY must be a test key.")
        yield Provider(stripe.StripeClient(REAL_KEY, http_client=http, max_network_retries=0), None)
    else:
        fake: FakeStripe = request.getfixturevalue("fake_stripe")
        client = stripe.StripeClient(
            TEST_KEY, base_addresses={"api": fake.base}, http_client=http, max_network_retries=0
        )
        yield Provider(client, fake)
    http.close()  # type: ignore[no-untyped-call]


def declined(call: Callable[[], object]) -> stripe.CardError:
    with pytest.raises(stripe.CardError) as caught:
        call()
    return caught.value


def replayed(answer: stripe.StripeObject) -> bool:
    response = answer.last_response
    assert isinstance(response, stripe.StripeResponse)
    return response.headers.get("Idempotent-Replayed") == "true"


def details(error: stripe.StripeError) -> dict[str, Any]:
    body: dict[str, Any] = error.json_body["error"]  # type: ignore[index]
    return body


# Idempotency keys


def test_the_same_key_twice_is_one_intent(provider: Provider) -> None:
    customer = provider.customer()
    method, key = provider.saved(customer), new_key()
    first = provider.charge(customer, method, key=key)
    second = provider.charge(customer, method, key=key)
    assert first.id == second.id
    assert (replayed(first), replayed(second)) == (False, True)
    assert provider.charges(first.id) == ["succeeded"]


def test_a_key_with_other_parameters_is_refused(provider: Provider) -> None:
    customer = provider.customer()
    method, key = provider.saved(customer), new_key()
    provider.charge(customer, method, key=key)
    with pytest.raises(stripe.IdempotencyError) as caught:
        provider.charge(customer, method, key=key, amount=5881)
    assert caught.value.http_status == 400


def test_a_key_belongs_to_one_endpoint(provider: Provider) -> None:
    customer = provider.customer()
    method, key = provider.saved(customer), new_key()
    intent = provider.charge(customer, method, key=key)
    with pytest.raises(stripe.IdempotencyError):
        provider.confirm(intent.id, method, key=key)


def test_of_two_at_once_one_wins(provider: Provider) -> None:
    customer = provider.customer()
    method, key = provider.saved(customer), new_key()
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(provider.charge, customer, method, key=key) for _ in range(4)]
    answers, conflicts = [], []
    for done in tries:
        error = done.exception()
        if error is None:
            answers.append(done.result().id)
        else:
            assert isinstance(error, stripe.APIError)
            conflicts.append(details(error)["code"])
    assert len(set(answers)) == 1
    assert set(conflicts) <= {"idempotency_key_in_use"}
    assert provider.charges(answers[0]) == ["succeeded"]


def test_a_key_in_use_is_a_conflict_and_then_a_replay(provider: Provider) -> None:
    fake, customer = provider.needs_control(), provider.customer()
    method, key = provider.saved(customer), new_key()
    slow = {"match": {"method": "POST", "path": "/payment_intents$"}, "delay_seconds": 1}
    fake.post("faults", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(provider.charge, customer, method, key=key)
        while fake.get("faults"):
            time.sleep(0.01)
        with pytest.raises(stripe.APIError) as caught:
            provider.charge(customer, method, key=key)
    assert (caught.value.http_status, details(caught.value)["code"]) == (409, "idempotency_key_in_use")
    assert provider.charge(customer, method, key=key).id == first.result().id


def test_a_decline_is_replayed_and_a_new_key_tries_again(provider: Provider) -> None:
    customer, key = provider.customer(), new_key()
    method = provider.saved(customer, "pm_card_chargeCustomerFail")
    first = declined(lambda: provider.charge(customer, method, key=key))
    intent = details(first)["payment_intent"]["id"]
    again = declined(lambda: provider.charge(customer, method, key=key))
    assert again.headers is not None
    assert again.headers["Idempotent-Replayed"] == "true"
    assert provider.charges(intent) == ["failed"]
    declined(lambda: provider.confirm(intent, method))
    assert provider.charges(intent) == ["failed", "failed"]


def test_nothing_is_kept_when_validation_fails(provider: Provider) -> None:
    customer, key = provider.customer(), new_key()
    method = provider.saved(customer)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        provider.charge(customer, method, key=key, amount="a lot")
    assert caught.value.code == "parameter_invalid_integer"
    assert provider.charge(customer, method, key=key).status == "succeeded"


def test_a_key_is_free_again_when_an_update_fails_validation(provider: Provider) -> None:
    intents, key = provider.client.v1.payment_intents, new_key()
    intent = intents.create({"amount": 5880, "currency": "eur"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        intents.update(intent.id, {"amount": 10}, {"idempotency_key": key})
    assert caught.value.code == "amount_too_small"
    assert intents.update(intent.id, {"amount": 6000}, {"idempotency_key": key}).amount == 6000


def test_keys_are_forgotten_after_a_day(provider: Provider) -> None:
    fake, customer = provider.needs_control(), provider.customer()
    method, key = provider.saved(customer), new_key()
    first = provider.charge(customer, method, key=key)
    fake.post("clock", {"seconds": 86_000})
    assert provider.charge(customer, method, key=key).id == first.id
    fake.post("clock", {"seconds": 500})
    assert provider.charge(customer, method, key=key).id != first.id


def test_keys_are_per_account(provider: Provider) -> None:
    fake, key = provider.needs_control(), new_key()
    mine = provider.client.v1.customers.create({"name": "Anna"}, {"idempotency_key": key})
    theirs = fake.client("sk_test_other").v1.customers.create({"name": "Anna"}, {"idempotency_key": key})
    assert mine.id != theirs.id


def test_a_lost_answer_is_found_again_under_its_key(provider: Provider) -> None:
    fake, customer = provider.needs_control(), provider.customer()
    method, key = provider.saved(customer), new_key()
    fake.post("faults", {"match": {"path": "/v1/payment_intents"}, "drop_response": True})
    with pytest.raises(stripe.APIConnectionError):
        provider.charge(customer, method, key=key)
    found = provider.charge(customer, method, key=key)
    assert found.status == "succeeded"
    assert replayed(found)
    assert [entry["idempotency_key"] for entry in fake.get("ledger")["charges"]] == [key]


def test_a_server_error_may_be_kept_while_the_work_never_ran(provider: Provider) -> None:
    fake, customer = provider.needs_control(), provider.customer()
    method, key = provider.saved(customer), new_key()
    fake.post("faults", {"match": {"path": "/v1/payment_intents"}, "status": 500, "kept": True})
    for _ in range(2):
        with pytest.raises(stripe.APIError) as caught:
            provider.charge(customer, method, key=key)
        assert caught.value.http_status == 500
    assert fake.get("attempts") == []


def test_a_429_comes_before_the_key(provider: Provider) -> None:
    fake, customer = provider.needs_control(), provider.customer()
    method, key = provider.saved(customer), new_key()
    fake.post("faults", {"match": {"path": "/v1/payment_intents"}, "status": 429, "times": 2})
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            provider.charge(customer, method, key=key)
    assert provider.charge(customer, method, key=key).status == "succeeded"


# The life of a PaymentIntent


def test_declined_then_confirmed_with_a_good_card_is_one_success(provider: Provider) -> None:
    customer = provider.customer()
    bad, good = provider.saved(customer, "pm_card_chargeCustomerFail"), provider.saved(customer)
    error = details(declined(lambda: provider.charge(customer, bad)))
    assert (error["code"], error["payment_method"]["id"]) == ("card_declined", bad)
    intent = provider.client.v1.payment_intents.retrieve(
        error["payment_intent"]["id"], {"expand": ["latest_charge"]}
    )
    assert (intent.status, intent.payment_method) == ("requires_payment_method", None)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == "generic_decline"
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.outcome is not None
    assert intent.latest_charge.outcome.type == "issuer_declined"
    paid = provider.confirm(intent.id, good)
    assert (paid.status, paid.amount_received) == ("succeeded", 5880)
    assert provider.charges(intent.id) == ["succeeded", "failed"]


def test_a_success_cannot_be_confirmed_again(provider: Provider) -> None:
    customer = provider.customer()
    method = provider.saved(customer)
    intent = provider.charge(customer, method)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        provider.confirm(intent.id, method)
    assert caught.value.code == "payment_intent_unexpected_state"
    assert details(caught.value)["payment_intent"]["status"] == "succeeded"
    assert provider.charges(intent.id) == ["succeeded"]


def test_a_cancelled_intent_takes_no_money(provider: Provider) -> None:
    customer = provider.customer()
    intents = provider.client.v1.payment_intents
    intent = intents.create({"amount": 5880, "currency": "eur", "customer": customer})
    canceled = intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    method = provider.saved(customer)
    with pytest.raises(stripe.InvalidRequestError) as confirming:
        provider.confirm(intent.id, method)
    with pytest.raises(stripe.InvalidRequestError) as canceling:
        intents.cancel(intent.id)
    assert confirming.value.code == canceling.value.code == "payment_intent_unexpected_state"


def test_a_method_of_somebody_else_is_refused(provider: Provider) -> None:
    customer, other = provider.customer(), provider.customer()
    theirs = provider.saved(other)
    with pytest.raises(stripe.InvalidRequestError):
        provider.charge(customer, theirs)
    with pytest.raises(stripe.InvalidRequestError):
        provider.client.v1.payment_methods.attach(theirs, {"customer": customer})


def test_a_detached_method_is_gone(provider: Provider) -> None:
    customer = provider.customer()
    method = provider.saved(customer)
    assert provider.client.v1.payment_methods.detach(method).customer is None
    with pytest.raises(stripe.InvalidRequestError):
        provider.charge(customer, method)
    assert provider.client.v1.customers.payment_methods.list(customer).data == []


@pytest.mark.parametrize(("amount", "code"), [(49, "amount_too_small"), (0, "parameter_invalid_integer")])
def test_tiny_amounts_are_refused(provider: Provider, amount: int, code: str) -> None:
    customer = provider.customer()
    with pytest.raises(stripe.InvalidRequestError) as caught:
        provider.charge(customer, provider.saved(customer), amount=amount)
    assert (caught.value.code, caught.value.param) == (code, "amount")


@pytest.mark.parametrize(
    ("token", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
def test_declining_cards_decline(provider: Provider, token: str, code: str, decline_code: str | None) -> None:
    params: Any = {
        "amount": 5880,
        "currency": "eur",
        "payment_method": token,
        "allowed_payment_method_types": ["card"],
        "confirm": True,
    }
    error = details(declined(lambda: provider.client.v1.payment_intents.create(params)))
    assert (error["code"], error.get("decline_code")) == (code, decline_code)
    customer = provider.customer()
    assert declined(lambda: provider.saved(customer, token)).code == code


def test_the_same_card_has_the_same_fingerprint(provider: Provider) -> None:
    methods = provider.client.v1.payment_methods
    prints = []
    for token in ("pm_card_visa", "pm_card_visa", "pm_card_mastercard"):
        card = methods.retrieve(provider.saved(provider.customer(), token)).card
        assert card is not None
        prints.append(card.fingerprint)
        assert card.last4 in {"4242", "4444"}
    assert prints[0] == prints[1] != prints[2]


# Authentication


def test_off_session_authentication_is_asked_for_and_then_given_on_session(provider: Provider) -> None:
    customer = provider.customer()
    method = provider.saved(customer, "pm_card_authenticationRequired")
    error = details(declined(lambda: provider.charge(customer, method)))
    assert (error["code"], error["decline_code"]) == ("authentication_required", "authentication_required")
    intent = error["payment_intent"]["id"]
    assert error["payment_intent"]["status"] == "requires_payment_method"
    asking = provider.confirm(intent, method, off_session=False, return_url="http://127.0.0.1:8000/back")
    assert asking.status == "requires_action"
    assert asking.next_action is not None
    assert asking.next_action.type == "redirect_to_url"
    fake = provider.needs_control()
    fake.post(f"3ds/{intent}", {"result": "failed"})
    failed = provider.client.v1.payment_intents.retrieve(intent)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    provider.confirm(intent, method, off_session=False, return_url="http://127.0.0.1:8000/back")
    answer = fake.post(f"3ds/{intent}", {"result": "succeeded"})
    assert answer["status"] == "succeeded"
    assert answer["return_url"].endswith("redirect_status=succeeded")
    assert provider.charges(intent) == ["succeeded", "failed"]


def test_a_card_set_up_for_later_needs_no_more_authentication(provider: Provider) -> None:
    fake, customer = provider.needs_control(), provider.customer()
    setup = provider.client.v1.setup_intents.create(
        {
            "customer": customer,
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "usage": "off_session",
            "confirm": True,
            "allowed_payment_method_types": ["card"],
        }
    )
    assert setup.status == "requires_action"
    fake.post(f"3ds/{setup.id}", {"result": "succeeded"})
    done = provider.client.v1.setup_intents.retrieve(setup.id, {"expand": ["payment_method"]})
    assert done.status == "succeeded"
    assert isinstance(done.payment_method, stripe.PaymentMethod)
    assert done.payment_method.customer == customer
    assert provider.charge(customer, done.payment_method.id).status == "succeeded"


# Parameters


def test_unknown_parameters_are_refused(provider: Provider) -> None:
    customer = provider.customer()
    method, key = provider.saved(customer), new_key()
    for unknown, name in (
        ({"colour": "red"}, "colour"),
        ({"shipping": {"colour": "red"}}, "shipping[colour]"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            provider.charge(customer, method, key=key, **unknown)
        assert caught.value.code == "parameter_unknown"
        assert caught.value.param == name
    with pytest.raises(stripe.InvalidRequestError) as caught:
        provider.charge(customer, method, key=key, payment_method_types=["card"])
    assert caught.value.code == "payment_method_types_no_longer_supported"


def test_missing_things_are_404_or_400(provider: Provider) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        provider.client.v1.payment_intents.retrieve("pi_nobody")
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        provider.charge("cus_nobody", "pm_card_visa")
    assert (caught.value.http_status, caught.value.param) == (400, "customer")


# Refunds and lists


def test_refunds_never_pass_the_charge(provider: Provider) -> None:
    customer = provider.customer()
    intent = provider.charge(customer, provider.saved(customer))
    refunds = provider.client.v1.refunds
    assert refunds.create({"payment_intent": intent.id, "amount": 5000}).status == "succeeded"
    with pytest.raises(stripe.InvalidRequestError):
        refunds.create({"payment_intent": intent.id, "amount": 881})
    assert refunds.create({"payment_intent": intent.id}).amount == 880
    with pytest.raises(stripe.InvalidRequestError) as caught:
        refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"


def test_the_same_refund_key_twice_is_one_refund(provider: Provider) -> None:
    customer, key = provider.customer(), new_key()
    intent = provider.charge(customer, provider.saved(customer))
    refunds = provider.client.v1.refunds
    asked: Any = {"payment_intent": intent.id, "amount": 3000, "metadata": {"refund": "rf_1"}}
    first, second = (refunds.create(asked, {"idempotency_key": key}) for _ in range(2))
    assert first.id == second.id
    assert [found.id for found in refunds.list({"payment_intent": intent.id}).data] == [first.id]
    assert first.metadata is not None
    assert first.metadata.to_dict() == {"refund": "rf_1"}


def test_a_refund_that_arrives_late_is_pending_first(provider: Provider) -> None:
    fake, customer = provider.needs_control(), provider.customer()
    intent = provider.charge(customer, provider.saved(customer, "pm_card_pendingRefund"))
    refund = provider.client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
    assert refund.status == "pending"
    fake.post(f"refund/{refund.id}", {"status": "succeeded"})
    assert provider.client.v1.refunds.retrieve(refund.id).status == "succeeded"


def test_a_refund_can_fail_after_it_succeeded_and_its_money_can_go_back_again(provider: Provider) -> None:
    fake, customer = provider.needs_control(), provider.customer()
    intent = provider.charge(customer, provider.saved(customer, "pm_card_visa"))
    refunds = provider.client.v1.refunds
    refund = refunds.create({"payment_intent": intent.id})
    assert refund.status == "succeeded"
    fake.post(f"refund/{refund.id}", {"status": "failed", "failure_reason": "lost_or_stolen_card"})
    failed = refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "lost_or_stolen_card")
    assert fake.get("ledger")["totals"]["eur"] == {"charged": 5880, "refunded": 0, "net": 5880}
    events = provider.client.v1.events.list({"type": "refund.failed"}).data
    assert [event.data.object["id"] for event in events] == [refund.id]
    assert refunds.create({"payment_intent": intent.id}).amount == 5880


def test_intents_are_listed_by_customer_newest_first_page_by_page(provider: Provider) -> None:
    customer = provider.customer()
    intents = provider.client.v1.payment_intents
    made = [
        intents.create(
            {"amount": 5880, "currency": "eur", "customer": customer, "metadata": {"n": str(n)}}
        ).id
        for n in range(3)
    ]
    page = intents.list({"customer": customer, "limit": 2})
    assert [intent.id for intent in page.data] == [made[2], made[1]]
    assert page.has_more
    assert [intent.id for intent in page.auto_paging_iter()] == [made[2], made[1], made[0]]


def test_metadata_is_merged_and_emptied(provider: Provider) -> None:
    intents = provider.client.v1.payment_intents
    intent = intents.create({"amount": 5880, "currency": "eur", "metadata": {"invoice": "inv_1", "try": "1"}})
    changed = intents.update(intent.id, {"metadata": {"try": "2", "invoice": ""}})
    assert changed.metadata.to_dict() == {"try": "2"}


def test_events_tell_what_happened_and_by_which_key(provider: Provider) -> None:
    customer, key = provider.customer(), new_key()
    intent = provider.charge(customer, provider.saved(customer), key=key)
    events = provider.client.v1.events.list({"types": ["payment_intent.succeeded", "charge.succeeded"]}).data
    mine = [event for event in events if event.request and event.request.idempotency_key == key]
    assert {event.type for event in mine} == {"payment_intent.succeeded", "charge.succeeded"}
    told = next(event for event in mine if event.type == "payment_intent.succeeded")
    assert told.api_version == stripe.api_version
    assert told.data.object["id"] == intent.id
    assert told.livemode is False
