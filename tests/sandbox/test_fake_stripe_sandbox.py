"""What only the sandbox has: scripted banks, test clocks that settle debits, webhooks, faults, the ledger."""

import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from fakes import FakeStripe
from typing_extensions import override

from sandbox.stripe.bank_days import add_bank_days
from sandbox.stripe.server import running
from sandbox.stripe.world import Options


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def customer_on_clock(client: stripe.StripeClient, frozen_at: str, name: str = "clk_demo") -> str:
    clock = client.v1.test_helpers.test_clocks.create({"frozen_time": at(frozen_at), "name": name})
    return client.v1.customers.create({"email": "anna@example.com", "test_clock": clock.id}).id


def saved_card(client: stripe.StripeClient, customer: str, **metadata: str) -> str:
    method = client.v1.payment_methods.create(
        {
            "type": "card",
            "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"},
            "metadata": metadata,
        }
    )
    return client.v1.payment_methods.attach(method.id, {"customer": customer}).id


def outcome(client: stripe.StripeClient, customer: str, method: str, **more: object) -> str:
    params: Any = {
        "amount": 5880,
        "currency": "eur",
        "customer": customer,
        "payment_method": method,
        "off_session": True,
        "confirm": True,
        **more,
    }
    try:
        return client.v1.payment_intents.create(params).status
    except stripe.CardError as error:
        body: dict[str, Any] = error.json_body["error"]  # type: ignore[index]
        return str(body.get("decline_code") or body["code"])


# Scripts


def test_a_scripted_card_fails_twice_and_then_works(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = client.v1.customers.create({}).id
    card = saved_card(client, customer)
    fake_stripe.post(f"script/{card}", ["insufficient_funds", "do_not_honor", "ok"])
    got = [outcome(client, customer, card) for _ in range(4)]
    assert got == ["insufficient_funds", "do_not_honor", "succeeded", "succeeded"]
    tried = [attempt["outcome"] for attempt in fake_stripe.get(f"attempts?customer={customer}")]
    assert tried == ["insufficient_funds", "do_not_honor", "ok", "ok"]


def test_a_script_follows_the_customers_clock(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = customer_on_clock(client, "2027-04-30T12:00:00")
    card = saved_card(
        client, customer, fake_script="insufficient_funds until 2027-05-01, stolen_card from 2027-06-01"
    )
    got = [outcome(client, customer, card)]
    for day in ("2027-05-01T00:00:00+00:00", "2027-06-01T09:00:00+00:00"):
        fake_stripe.post("clock/clk_demo", {"to": day})
        got.append(outcome(client, customer, card))
    assert got == ["insufficient_funds", "succeeded", "stolen_card"]


def test_a_script_can_say_every_field(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = client.v1.customers.create({}).id
    card = saved_card(client, customer)
    refusal = {
        "decline_code": "do_not_honor",
        "advice_code": "do_not_try_again",
        "network_advice_code": "03",
        "network_decline_code": "79",
    }
    fake_stripe.post(f"script/{card}", {"then": refusal})
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.create(
            {
                "amount": 5880,
                "currency": "eur",
                "customer": customer,
                "payment_method": card,
                "off_session": True,
                "confirm": True,
            }
        )
    error: dict[str, Any] = caught.value.json_body["error"]  # type: ignore[index]
    assert {name: error[name] for name in refusal} == refusal
    charge = client.v1.charges.retrieve(error["charge"]).outcome
    assert charge is not None
    assert {name: charge[name] for name in refusal if name != "decline_code"} == {
        "advice_code": "do_not_try_again",
        "network_advice_code": "03",
        "network_decline_code": "79",
    }


def test_a_bad_script_says_what_is_wrong(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    card = saved_card(client, client.v1.customers.create({}).id)
    answer = httpx.post(f"{fake_stripe.base}/_fake/script/{card}", json=["no_such_code"])
    assert answer.status_code == 400
    assert "no_such_code" in answer.json()["error"]
    with pytest.raises(stripe.InvalidRequestError, match="2027-13-01"):
        client.v1.payment_methods.update(card, {"metadata": {"fake_script": "lost_card from 2027-13-01"}})


def test_a_bank_that_times_out_has_taken_the_money(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = client.v1.customers.create({}).id
    card = saved_card(client, customer, fake_script="timeout, timeout insufficient_funds")
    for _ in range(2):
        with pytest.raises(stripe.APIConnectionError):
            outcome(client, customer, card)
    assert fake_stripe.get("ledger")["totals"] == {"eur": {"charged": 5880, "refunded": 0, "net": 5880}}
    assert [one["outcome"] for one in fake_stripe.get("attempts")] == ["ok", "insufficient_funds"]


def test_a_labelled_card_has_a_fingerprint_of_its_own(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    prints = set()
    for label in ("anna", "anna", "bruno"):
        method = client.v1.payment_methods.retrieve(
            saved_card(client, client.v1.customers.create({}).id, fake_card=label)
        )
        assert method.card is not None
        prints.add(method.card.fingerprint)
    assert len(prints) == 2


def test_a_card_expires_on_its_customers_clock(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = customer_on_clock(client, "2034-12-31T12:00:00")
    card = saved_card(client, customer)
    got = [outcome(client, customer, card)]
    fake_stripe.post("clock/clk_demo", {"to": "2035-01-01T00:00:00+00:00"})
    got.append(outcome(client, customer, card))
    fake_stripe.post(f"card/{card}", {"exp_year": 2040, "number": "5555555555554444"})
    got.append(outcome(client, customer, card))
    assert got == ["succeeded", "expired_card", "succeeded"]
    (event,) = client.v1.events.list({"type": "payment_method.automatically_updated"}).data
    assert (event.data.object["card"]["exp_year"], event.data.object["card"]["brand"]) == (2040, "mastercard")
    assert event.data.previous_attributes is not None
    assert event.data.previous_attributes["card"]["exp_year"] == 2034


# Test clocks and bank debits


def debit(client: stripe.StripeClient, customer: str, token: str) -> stripe.PaymentIntent:
    method = client.v1.payment_methods.attach(token, {"customer": customer})
    return client.v1.payment_intents.create(
        {
            "amount": 5880,
            "currency": "eur",
            "customer": customer,
            "payment_method": method.id,
            "confirm": True,
            "mandate_data": {
                "customer_acceptance": {
                    "type": "online",
                    "online": {"ip_address": "127.0.0.1", "user_agent": "test"},
                }
            },
        }
    )


def test_a_debit_settles_after_bank_working_days(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = customer_on_clock(client, "2027-01-29T12:00:00")  # a Friday
    good, bad = (debit(client, customer, f"pm_sepaDebit_{end}_at") for end in ("success", "failed"))
    assert (good.status, bad.status) == ("processing", "processing")
    assert good.created == at("2027-01-29T12:00:00")
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(good.id)
    assert fake_stripe.get("clock/clk_demo") == {"next_due": "2027-02-03T09:30:00+00:00"}
    fake_stripe.post("clock/clk_demo", {"to": "2027-02-03T09:29:59+00:00"})
    assert client.v1.payment_intents.retrieve(bad.id).status == "processing"
    left = fake_stripe.post("clock/clk_demo", {"to": "2027-02-03T09:30:00+00:00"})
    assert left == {"next_due": "2027-02-08T09:30:00+00:00"}
    failed = client.v1.payment_intents.retrieve(bad.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == "insufficient_funds"
    assert fake_stripe.post("clock/clk_demo", {"to": "2027-03-01T00:00:00+00:00"}) == {"next_due": None}
    assert client.v1.payment_intents.retrieve(good.id).status == "succeeded"
    (event,) = client.v1.events.list({"type": "payment_intent.succeeded"}).data
    assert event.created == at("2027-02-08T09:30:00")
    (entry,) = fake_stripe.get("ledger")["charges"]
    assert (entry["payment_intent"], entry["created"]) == (good.id, at("2027-02-08T09:30:00"))


def test_a_debit_off_test_clocks_settles_soon() -> None:
    with running(Options(sepa_seconds=0)) as base:
        client = FakeStripe(base).client()
        intent = debit(client, client.v1.customers.create({}).id, "pm_sepaDebit_success_at").id
        eventually(lambda: client.v1.payment_intents.retrieve(intent).status == "succeeded")


def test_a_debit_needs_a_mandate(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = client.v1.customers.create({}).id
    method = client.v1.payment_methods.attach("pm_sepaDebit_success_at", {"customer": customer}).id
    with pytest.raises(stripe.InvalidRequestError, match="mandate"):
        outcome(client, customer, method)


def test_a_debit_says_when_the_account_is_debited_and_under_which_mandate(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = customer_on_clock(client, "2027-01-29T12:00:00")  # a Friday
    intent = debit(client, customer, "pm_sepaDebit_success_at")
    charge = client.v1.charges.retrieve(str(intent.latest_charge)).to_dict()
    details = charge["payment_method_details"]["sepa_debit"]
    assert details["expected_debit_date"] == "2027-02-01"
    mandate = client.v1.mandates.retrieve(details["mandate"])
    assert (mandate.status, mandate.payment_method) == ("active", intent.payment_method)


def test_a_mandate_that_was_taken_back_holds_no_more(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = client.v1.customers.create({}).id
    method = client.v1.payment_methods.attach("pm_sepaDebit_success_at", {"customer": customer}).id
    setup = client.v1.setup_intents.create(
        {
            "customer": customer,
            "payment_method": method,
            "confirm": True,
            "mandate_data": {"customer_acceptance": {"type": "offline", "offline": {}}},
        }
    )
    fake_stripe.post(f"mandate/{setup.mandate}/revoke")
    (event,) = client.v1.events.list({"type": "mandate.updated"}).data
    assert event.to_dict()["data"]["object"]["status"] == "inactive"
    with pytest.raises(stripe.InvalidRequestError, match="mandate"):
        outcome(client, customer, method)


def test_working_days_skip_the_weekend() -> None:
    assert add_bank_days(datetime(2027, 1, 29, tzinfo=UTC).date(), 6).isoformat() == "2027-02-08"
    assert add_bank_days(datetime(2027, 1, 30, tzinfo=UTC).date(), 1).isoformat() == "2027-02-01"


def test_stripes_own_advance_is_ready_when_done(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    clocks = client.v1.test_helpers.test_clocks
    clock = clocks.create({"frozen_time": at("2027-01-31T00:00:00")})
    assert clocks.advance(clock.id, {"frozen_time": at("2027-02-28T00:00:00")}).status == "advancing"
    eventually(lambda: clocks.retrieve(clock.id).status == "ready")
    assert clocks.retrieve(clock.id).frozen_time == at("2027-02-28T00:00:00")


def test_an_unknown_clock_has_nothing_due(fake_stripe: FakeStripe) -> None:
    assert fake_stripe.get("clock/clk_unknown") == {"next_due": None}
    assert fake_stripe.post("clock/clk_unknown", {"to": "2027-03-01T00:00:00Z"}) == {"next_due": None}


# Webhooks


class Door:
    """An endpoint that answers what it was told, 200 when nothing is left, and keeps what it got."""

    def __init__(self, url: str, answers: list[int]) -> None:
        self.url = url
        self.answers = answers
        self.received: queue.Queue[tuple[bytes, str]] = queue.Queue()

    def next(self) -> tuple[bytes, str]:
        return self.received.get(timeout=10)


@contextmanager
def door(*answers: int) -> Iterator[Door]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = opened.answers.pop(0) if opened.answers else 200
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            opened.received.put((body, self.headers["Stripe-Signature"]))

        @override
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    opened = Door(f"http://127.0.0.1:{server.server_address[1]}/webhooks/stripe", list(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield opened
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def eventually(fact: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < give_up_at, "it never came true"
        time.sleep(0.01)


def test_a_webhook_is_signed_as_stripe_signs(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    with door() as endpoint:
        made = client.v1.webhook_endpoints.create(
            {"url": endpoint.url, "enabled_events": ["customer.created"]}
        )
        assert made.secret is not None
        customer = client.v1.customers.create({"name": "Anna"}, {"idempotency_key": "cus:anna"})
        body, signature = endpoint.next()
        event = stripe.Webhook.construct_event(body, signature, made.secret)
        assert (event.type, event.data.object["id"]) == ("customer.created", customer.id)
        assert event.request is not None
        assert event.request.idempotency_key == "cus:anna"
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(body + b" ", signature, made.secret)
        eventually(lambda: client.v1.events.retrieve(event.id).pending_webhooks == 0)
        assert not hasattr(client.v1.webhook_endpoints.retrieve(made.id), "secret")
        client.v1.webhook_endpoints.delete(made.id)
        assert client.v1.webhook_endpoints.list().data == []


def test_an_endpoint_that_fails_twice_is_asked_three_times() -> None:
    with door(500, 503) as endpoint:
        options = Options(webhook_url=endpoint.url, retry_delays=(0.01, 0.01, 0.01))
        with running(options) as base:
            FakeStripe(base).client().v1.customers.create({})
            got = [endpoint.next() for _ in range(3)]
            eventually(lambda: FakeStripe(base).get("webhooks") == [])
        assert {json.loads(body)["id"] for body, _ in got} == {json.loads(got[0][0])["id"]}
        assert endpoint.received.empty()


def test_on_a_test_clock_retries_wait_for_it(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    with door(500) as endpoint:
        client.v1.webhook_endpoints.create({"url": endpoint.url, "enabled_events": ["customer.created"]})
        customer_on_clock(client, "2027-01-31T08:00:00")
        endpoint.next()
        eventually(lambda: fake_stripe.get("clock/clk_demo") == {"next_due": "2027-01-31T09:00:00+00:00"})
        done = fake_stripe.post("clock/clk_demo", {"to": "2027-01-31T09:00:00+00:00"})
        assert done == {"next_due": None}
        assert endpoint.received.qsize() == 1


def test_webhooks_stay_on_this_machine(fake_stripe: FakeStripe) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        fake_stripe.client().v1.webhook_endpoints.create(
            {"url": "https://example.com/hook", "enabled_events": ["*"]}
        )
    assert caught.value.code == "url_invalid"


def test_it_stops_at_once_while_retries_are_pending() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        gone = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
    began = time.monotonic()
    with running(Options(webhook_url=gone, retry_delays=(3600,))) as base:
        FakeStripe(base).client().v1.customers.create({})
    assert time.monotonic() - began < 5


# Ledger, keys, limits, storage


def test_the_ledger_adds_up_and_can_be_falsified(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = client.v1.customers.create({}).id
    card = saved_card(client, customer)
    outcome(client, customer, card, metadata={"invoice": "inv_1"})
    (entry,) = fake_stripe.get("ledger")["charges"]
    assert (entry["amount"], entry["customer"], entry["metadata"]) == (5880, customer, {"invoice": "inv_1"})
    client.v1.refunds.create({"charge": entry["charge"], "amount": 880})
    assert fake_stripe.get("ledger")["totals"] == {"eur": {"charged": 5880, "refunded": 880, "net": 5000}}
    fake_stripe.post("ledger/shift", {"charge": entry["charge"], "by_minor": -1})
    assert fake_stripe.get("ledger")["totals"] == {"eur": {"charged": 5879, "refunded": 880, "net": 4999}}


@pytest.mark.parametrize("key", ["sk_live_abc", "whatever"])
def test_only_test_keys_are_taken(fake_stripe: FakeStripe, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError, match="sk_test_"):
        fake_stripe.client(key).v1.customers.create({})


def test_accounts_do_not_see_each_other(fake_stripe: FakeStripe) -> None:
    customer = fake_stripe.client().v1.customers.create({}).id
    with pytest.raises(stripe.InvalidRequestError):
        fake_stripe.client("sk_test_other").v1.customers.retrieve(customer)


def test_the_rate_limit_answers_429() -> None:
    with running(Options(rate_limit=2)) as base:
        client = FakeStripe(base).client()
        client.v1.customers.create({})
        client.v1.customers.create({})
        with pytest.raises(stripe.RateLimitError) as caught:
            client.v1.customers.create({})
        assert caught.value.headers is not None
        assert caught.value.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
        client.v1.customers.list()


def test_everything_is_still_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "stripe.db"
    with running(database=file) as base:
        client = FakeStripe(base).client()
        customer = client.v1.customers.create({"name": "Anna"}, {"idempotency_key": "anna"}).id
        card = saved_card(client, customer, fake_script="insufficient_funds, lost_card, then ok")
        first = outcome(client, customer, card)
    with running(database=file) as base:
        client = FakeStripe(base).client()
        assert client.v1.customers.create({"name": "Anna"}, {"idempotency_key": "anna"}).id == customer
        assert [first, outcome(client, customer, card), outcome(client, customer, card)] == [
            "insufficient_funds",
            "lost_card",
            "succeeded",
        ]


def test_the_command_serves_and_stops() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "sandbox.stripe", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - ourselves
        assert process.stdout is not None
        assert process.stdout.readline() == f"fake Stripe: http://127.0.0.1:{port}\n"
        eventually(lambda: is_healthy(port))
        process.terminate()
        assert process.wait(10) in {0, -15}


def is_healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz").is_success
    except httpx.ConnectError:
        return False


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "not a loopback address"),  # noqa: S104 - it must be refused
        (["--webhook-url", "https://example.com/hook"], "this machine only"),
    ],
)
def test_the_command_refuses_other_machines(arguments: list[str], says: str) -> None:
    command = [sys.executable, "-m", "sandbox.stripe", "--port", "0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)  # noqa: S603
    assert (done.returncode, says in done.stderr) == (2, True)


def test_the_front_page_shows_what_the_bank_answered(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    customer = client.v1.customers.create({}).id
    outcome(client, customer, saved_card(client, customer, fake_script="do_not_honor"))
    shown = httpx.get(f"{fake_stripe.base}/")
    assert shown.status_code == 200
    assert "do_not_honor" in shown.text
    assert customer in shown.text


# The dashboard: refunds by hand, disputes, warnings of fraud


def paid_charge(client: stripe.StripeClient, customer: str | None = None) -> str:
    """A charge of 58.80."""
    customer = customer or client.v1.customers.create({}).id
    assert outcome(client, customer, saved_card(client, customer)) == "succeeded"
    return client.v1.charges.list({"customer": customer}).data[0].id


def told(client: stripe.StripeClient, *prefixes: str) -> list[str]:
    """Names of the events that were sent, oldest first."""
    names = [event.type for event in client.v1.events.list({"limit": 100}).data]
    return [name for name in reversed(names) if name.startswith(prefixes)]


def test_a_refund_by_hand_in_the_dashboard_tells_of_itself(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    charge = paid_charge(client)
    made = fake_stripe.post(f"charge/{charge}/refund", {"amount": 880, "reason": "requested_by_customer"})
    assert (made["amount"], made["status"], made["metadata"]) == (880, "succeeded", {})
    assert client.v1.refunds.retrieve(made["id"]).charge == charge
    intent = client.v1.charges.retrieve(charge).payment_intent
    assert fake_stripe.post(f"charge/{intent}/refund")["amount"] == 5000
    assert told(client, "refund.", "charge.refunded") == ["refund.created", "charge.refunded"] * 2
    refused = httpx.post(f"{fake_stripe.base}/_fake/charge/{charge}/refund", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "charge_already_refunded")
    assert httpx.post(f"{fake_stripe.base}/_fake/charge/ch_none/refund").status_code == 404


def test_a_dispute_takes_the_money_and_a_fee_and_a_won_one_brings_the_money_back(
    fake_stripe: FakeStripe,
) -> None:
    client = fake_stripe.client()
    charge = paid_charge(client)
    made = fake_stripe.post(f"charge/{charge}/dispute", {"reason": "product_not_received"})
    dispute = client.v1.disputes.retrieve(made["id"])
    assert (dispute.status, dispute.reason, dispute.amount) == (
        "needs_response",
        "product_not_received",
        5880,
    )
    assert not dispute.is_charge_refundable
    moves = [(move.amount, move.fee, move.net) for move in dispute.balance_transactions]
    assert moves == [(-5880, 2000, -7880)]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"charge": charge})
    assert caught.value.code == "charge_disputed"
    assert fake_stripe.get("ledger")["totals"] == {"eur": {"charged": 5880, "refunded": 0, "net": -2000}}
    fake_stripe.post(f"dispute/{made['id']}", {"status": "won"})
    assert fake_stripe.get("ledger")["totals"]["eur"]["net"] == 3880
    assert [entry["kind"] for entry in fake_stripe.get("ledger")["disputes"]] == [
        "dispute",
        "dispute_fee",
        "dispute_won",
    ]
    assert told(client, "charge.dispute") == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ]
    assert client.v1.refunds.create({"charge": charge}).amount == 5880


@pytest.mark.parametrize(
    ("said", "status"),
    [("winning_evidence", "won"), ("losing_evidence", "lost"), ("a letter", "under_review")],
)
def test_evidence_decides_as_in_stripes_test_mode(fake_stripe: FakeStripe, said: str, status: str) -> None:
    client = fake_stripe.client()
    made = fake_stripe.post(f"charge/{paid_charge(client)}/dispute")
    answered = client.v1.disputes.update(
        made["id"], {"evidence": {"uncategorized_text": said}, "submit": True}
    )
    assert (answered.status, answered.evidence_details.submission_count) == (status, 1)


def test_giving_in_loses_a_dispute_and_nothing_follows_a_lost_one_but_an_appeal(
    fake_stripe: FakeStripe,
) -> None:
    client = fake_stripe.client()
    dispute = client.v1.disputes.close(fake_stripe.post(f"charge/{paid_charge(client)}/dispute")["id"])
    assert dispute.status == "lost"
    refused = httpx.post(f"{fake_stripe.base}/_fake/dispute/{dispute.id}", json={"status": "under_review"})
    assert refused.status_code == 400
    assert fake_stripe.post(f"dispute/{dispute.id}", {"status": "won"})["status"] == "won"


def test_an_inquiry_moves_nothing_until_it_becomes_a_dispute(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    charge = paid_charge(client)
    made = fake_stripe.post(f"charge/{charge}/dispute", {"inquiry": True})
    inquiry = client.v1.disputes.retrieve(made["id"])
    assert (inquiry.status, inquiry.balance_transactions) == ("warning_needs_response", [])
    assert client.v1.refunds.create({"charge": charge, "amount": 880}).status == "succeeded"
    fake_stripe.post(f"dispute/{made['id']}", {"status": "needs_response"})
    moved = client.v1.disputes.retrieve(made["id"]).balance_transactions
    assert [move.amount for move in moved] == [-5880]


@pytest.mark.parametrize(
    ("token", "reason", "status"),
    [
        ("createDispute", "fraudulent", "needs_response"),
        ("createDisputeProductNotReceived", "product_not_received", "needs_response"),
        ("createDisputeInquiry", "fraudulent", "warning_needs_response"),
    ],
)
def test_stripes_dispute_cards_are_disputed_a_day_later(
    fake_stripe: FakeStripe, token: str, reason: str, status: str
) -> None:
    client = fake_stripe.client()
    customer = customer_on_clock(client, "2027-01-31T08:00:00")
    card = client.v1.payment_methods.attach(f"pm_card_{token}", {"customer": customer}).id
    assert outcome(client, customer, card) == "succeeded"
    assert client.v1.disputes.list().data == []
    fake_stripe.post("clock/clk_demo", {"to": "2027-02-01T08:00:00+00:00"})
    (dispute,) = client.v1.disputes.list().data
    assert (dispute.reason, dispute.status) == (reason, status)
    assert dispute.created == at("2027-02-01T08:00:00")


def test_a_warning_of_fraud_is_actionable_until_the_money_went_back(fake_stripe: FakeStripe) -> None:
    client = fake_stripe.client()
    charge = paid_charge(client)
    made = fake_stripe.post(f"charge/{charge}/fraud_warning", {"fraud_type": "unauthorized_use_of_card"})
    warnings = client.v1.radar.early_fraud_warnings
    found = warnings.retrieve(made["id"])
    assert (found.charge, found.fraud_type, found.actionable) == (charge, "unauthorized_use_of_card", True)
    client.v1.refunds.create({"charge": charge})
    assert not warnings.retrieve(made["id"]).actionable
    assert told(client, "radar") == ["radar.early_fraud_warning.created"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("charge/{}/refund", {"sum": 1}),
        ("charge/{}/dispute", {"reason": "dislike"}),
        ("charge/{}/dispute", {"inquiry": "yes"}),
        ("charge/{}/dispute", "fraudulent"),
    ],
)
def test_the_dashboard_says_what_it_takes(fake_stripe: FakeStripe, path: str, body: object) -> None:
    charge = paid_charge(fake_stripe.client())
    answer = httpx.post(f"{fake_stripe.base}/_fake/{path.format(charge)}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
