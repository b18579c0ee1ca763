"""What goes wrong on the wire, met over real loopback HTTP."""

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from scripted_server import Answer, Drop, Garble, Hang, ScriptedServer, Step

from activities.gateway import (
    PreparedRequest,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderUnavailable,
)
from activities.stripe_gateway import StripeGateway
from billing.payment import DeclineClass, Declined, Outcome, Paid, Unknown

NOW = datetime(2027, 1, 31, 8, tzinfo=UTC)
CREATE = PreparedRequest(
    operation="create_and_confirm",
    idempotency_key="inv_7:pi:1",
    params={
        "amount": 5880,
        "currency": "eur",
        "confirm": True,
        "metadata": {"invoice": "inv_7"},
        "allowed_payment_method_types": ["card"],
    },
)
CONFIRM = PreparedRequest(
    operation="confirm",
    idempotency_key="inv_7:confirm:1:2",
    payment_intent="pi_5",
    params={"payment_method": "pm_2", "off_session": True},
)
PAID = Answer(200, {"id": "pi_5", "object": "payment_intent", "status": "succeeded", "latest_charge": "ch_1"})


def error(status: int, *, headers: dict[str, str] | None = None, **body: object) -> Answer:
    return Answer(status, {"error": {"type": "api_error", "message": "as scripted.", **body}}, headers or {})


async def send(base: str, request: PreparedRequest = CREATE, *, timeout_seconds: float = 5) -> Outcome:
    gateway = StripeGateway(api_key="sk_test_1", api_base=base, timeout_seconds=timeout_seconds)
    try:
        return await gateway.send(request, as_of=NOW)
    finally:
        await gateway.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is ours, on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def test_the_stored_request_is_what_is_sent() -> None:
    async with ScriptedServer(PAID) as server:
        assert await send(server.base) == Paid(payment_intent="pi_5", charge="ch_1")
    (request,) = server.seen
    assert (request.method, request.path) == ("POST", "/v1/payment_intents")
    assert request.headers["idempotency-key"] == "inv_7:pi:1"
    assert request.headers["authorization"] == "Bearer sk_test_1"
    assert "x-stripe-client-telemetry" not in request.headers
    assert dict(parse_qsl(request.body)) == {
        "amount": "5880",
        "currency": "eur",
        "confirm": "true",
        "metadata[invoice]": "inv_7",
        "allowed_payment_method_types[0]": "card",
    }


async def test_a_confirm_names_its_payment_intent() -> None:
    async with ScriptedServer(PAID) as server:
        assert isinstance(await send(server.base, CONFIRM), Paid)
    (request,) = server.seen
    assert request.path == "/v1/payment_intents/pi_5/confirm"
    assert request.headers["idempotency-key"] == "inv_7:confirm:1:2"


@pytest.mark.parametrize(
    ("step", "kind", "may_have_run"),
    [
        (Drop(), "connection", True),
        (Garble(), "connection", True),
        (Hang(), "timeout", True),
        (error(500), "server_error", True),
        (error(503), "server_error", True),
        (Answer(502, "<html>bad gateway</html>"), "server_error", True),
        (Answer(200, "no json"), "server_error", True),
        (error(409, code="idempotency_key_in_use"), "conflict", True),
        (error(429, code="rate_limit"), "rate_limited", False),
        (error(429, code="lock_timeout"), "rate_limited", False),
    ],
)
async def test_a_transport_fault_is_sent_once_and_left_to_the_caller(
    step: Step, kind: str, *, may_have_run: bool
) -> None:
    async with ScriptedServer(step) as server:
        with pytest.raises(ProviderUnavailable) as caught:
            await send(server.base, timeout_seconds=0.4)
    assert caught.value.kind == kind
    assert caught.value.may_have_run is may_have_run
    assert len(server.seen) == 1


async def test_a_refused_connection_certainly_did_nothing(closed_port: int) -> None:
    with pytest.raises(ProviderUnavailable) as caught:
        await send(f"http://127.0.0.1:{closed_port}")
    assert caught.value.kind == "connection"
    assert not caught.value.may_have_run


async def test_a_server_error_kept_under_the_key_is_an_unknown_outcome() -> None:
    async with ScriptedServer(error(500, headers={"Idempotent-Replayed": "true"})) as server:
        assert await send(server.base, CONFIRM) == Unknown(payment_intent="pi_5")
        assert await send(server.base, CREATE) == Unknown(payment_intent=None)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_stripe_does_not_take_is_named(status: int) -> None:
    async with ScriptedServer(error(status, type="invalid_request_error")) as server:
        with pytest.raises(ProviderMisconfigured, match="STRIPE_API_KEY") as caught:
            await send(server.base)
    assert caught.value.field == "STRIPE_API_KEY"
    assert "sk_test_1" not in caught.value.message


async def test_a_wrong_request_is_refused_with_its_parameter() -> None:
    refusal = error(400, type="invalid_request_error", code="parameter_unknown", param="colour")
    async with ScriptedServer(refusal) as server:
        with pytest.raises(ProviderRefused, match="as scripted") as caught:
            await send(server.base)
    assert (caught.value.reason, caught.value.field) == ("parameter_unknown", "colour")


async def test_other_parameters_under_a_used_key_leave_the_outcome_unknown() -> None:
    async with ScriptedServer(error(400, type="idempotency_error")) as server:
        assert isinstance(await send(server.base), Unknown)


def a_decline(**more: object) -> Answer:
    intent = {"id": "pi_5", "object": "payment_intent", "status": "requires_payment_method"}
    body = {"type": "card_error", "code": "card_declined", "charge": "ch_9", "payment_intent": intent}
    return Answer(402, {"error": {"message": "as scripted.", **body, **more}})


async def test_stripes_block_is_read_from_the_charge_and_stops_the_retries() -> None:
    charge = {
        "id": "ch_9",
        "object": "charge",
        "outcome": {"type": "blocked", "reason": "previously_declined_do_not_retry"},
    }
    async with ScriptedServer(a_decline(decline_code="generic_decline"), Answer(200, charge)) as server:
        outcome = await send(server.base)
    assert [request.path for request in server.seen] == ["/v1/payment_intents", "/v1/charges/ch_9"]
    assert outcome == Declined(
        payment_intent="pi_5",
        code="previously_declined_do_not_retry",
        decline_class=DeclineClass.NEW_PAYMENT_METHOD,
    )


async def test_a_decline_that_stops_anyway_costs_no_second_call() -> None:
    async with ScriptedServer(a_decline(decline_code="stolen_card")) as server:
        outcome = await send(server.base)
    assert len(server.seen) == 1
    assert isinstance(outcome, Declined)
    assert outcome.decline_class is DeclineClass.FRAUD_STOP


async def test_a_decline_is_not_lost_because_the_key_may_not_read_charges() -> None:
    async with ScriptedServer(a_decline(decline_code="insufficient_funds"), error(403)) as server:
        outcome = await send(server.base)
    assert outcome == Declined(
        payment_intent="pi_5", code="insufficient_funds", decline_class=DeclineClass.RETRY_LATER
    )


async def test_mastercards_wait_is_counted_from_the_business_instant() -> None:
    method = {"id": "pm_1", "object": "payment_method", "type": "card", "card": {"brand": "mastercard"}}
    decline = a_decline(decline_code="insufficient_funds", network_advice_code="26", payment_method=method)
    async with ScriptedServer(decline, error(403)) as server:
        outcome = await send(server.base)
    assert isinstance(outcome, Declined)
    assert outcome.not_before == datetime(2027, 2, 2, 8, tzinfo=UTC)


async def test_an_unknown_decline_code_is_kept_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedServer(a_decline(decline_code="quantum_decline"), error(403)) as server:
        outcome = await send(server.base)
    assert outcome == Declined(
        payment_intent="pi_5", code="quantum_decline", decline_class=DeclineClass.RETRY_LATER
    )
    assert "quantum_decline" in caplog.text
