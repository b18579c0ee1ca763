"""Stripe's hosted page in setup mode, as the fake has it: what the SDK sees, and what a payer does on it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import stripe
from fakes import FakeStripe

BACK = "http://127.0.0.1:9/back?page={CHECKOUT_SESSION_ID}"


def begun(client: stripe.StripeClient, mode: str = "setup") -> stripe.checkout.Session:
    customer = client.v1.customers.create({"name": "Anna"}).id
    params: Any = {
        "mode": mode,
        "customer": customer,
        "success_url": BACK,
        "cancel_url": "http://127.0.0.1:9/given-up",
        "allowed_payment_method_types": ["card", "sepa_debit"],
    }
    return client.v1.checkout.sessions.create(params)


def looked_up(client: stripe.StripeClient, session: str) -> tuple[str | None, str, Any]:
    """How the page stands, how its SetupIntent does, and what came of it."""
    found = client.v1.checkout.sessions.retrieve(session, {"expand": ["setup_intent"]})
    setup = found.setup_intent
    assert isinstance(setup, stripe.SetupIntent)
    return found.status, setup.status, setup.payment_method


@pytest.mark.parametrize(
    ("filled_in", "kind"),
    [({"number": "5555 5555 5555 4444"}, "card"), ({"iban": "AT611904300234573201"}, "sepa_debit")],
)
def test_what_is_typed_in_is_saved_with_the_customer(
    fake_stripe: FakeStripe, filled_in: dict[str, str], kind: str
) -> None:
    client = fake_stripe.client()
    session = begun(client)
    assert session.url is not None
    assert looked_up(client, session.id) == ("open", "requires_payment_method", None)
    page = httpx.get(session.url)
    assert 'href="http://127.0.0.1:9/given-up"' in page.text
    done = httpx.post(session.url, data=filled_in)
    assert (done.status_code, done.headers["location"]) == (
        303,
        BACK.replace("{CHECKOUT_SESSION_ID}", session.id),
    )
    status, setup, method = looked_up(client, session.id)
    assert (status, setup) == ("complete", "succeeded")
    saved = client.v1.payment_methods.retrieve(method)
    assert (saved.type, saved.customer) == (kind, session.customer)
    assert "This page is over." in httpx.get(session.url).text
    assert httpx.post(session.url, data=filled_in).status_code == 402


def test_a_declined_card_is_said_on_the_page_and_another_one_may_follow(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    session = begun(client)
    assert session.url is not None
    refused = httpx.post(session.url, data={"number": "4000000000000002"})
    assert refused.status_code == 402
    assert "Your card was declined." in refused.text
    asked = httpx.post(session.url, data={"number": "4000002500003155"})
    assert "/_fake/3ds/seti_" in asked.headers["location"]
    assert looked_up(client, session.id)[0] == "open"
    back = httpx.post(asked.headers["location"], data={"result": "succeeded"})
    assert back.headers["location"] == BACK.replace("{CHECKOUT_SESSION_ID}", session.id)
    assert looked_up(client, session.id)[:2] == ("complete", "succeeded")


def test_a_page_is_for_saving_only_and_can_be_closed(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        begun(client, mode="payment")
    assert refusal.value.param == "mode"
    session = begun(client)
    closed = client.v1.checkout.sessions.expire(session.id)
    assert (closed.status, closed.url) == ("expired", None)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)
