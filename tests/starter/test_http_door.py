"""The HTTP door: webhooks are genuine, stored before they are answered, and told once; health says the truth."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import select
from support import factories
from support.factories import Someone
from support.mailroom import KEY, LINKS
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.books.chasing import open_collection
from activities.books.config import BookRules
from activities.books.inbox import store_event
from activities.books.issuing import write_invoice
from activities.incoming import Incoming
from activities.links import LinkPurpose
from billing.payment import AttemptState, DeclineClass, Trigger
from models.boundary import Wish
from models.database import Database
from models.tables import (
    IncomingEvent,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    PaymentMethod,
    PaymentState,
)
from settings import Settings
from starter.api import create_app
from starter.money_symptoms import money_symptoms
from starter.symptoms import Trouble

SECRET = "whsec_of_the_endpoint"  # noqa: S105 - a test's own
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
"""In real time; the books may live in any year."""
OLD_SECRET = "whsec_being_replaced"  # noqa: S105


@dataclass
class TemporalDouble:
    """Temporal as the door sees it: who runs, what they were told, and how it fails."""

    running: set[str] = field(default_factory=set)
    told: list[tuple[str, str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, Wish, str]] = field(default_factory=list)
    fails_with: Exception | None = None
    serving: bool = True

    @property
    def service_client(self) -> TemporalDouble:
        return self

    async def check_health(self, *, timeout: timedelta) -> bool:  # noqa: ASYNC109, ARG002 - Temporal's
        if self.fails_with:
            raise self.fails_with
        return self.serving

    def get_workflow_handle(self, workflow_id: str) -> HandleDouble:
        return HandleDouble(self, workflow_id)


@dataclass
class HandleDouble:
    temporal: TemporalDouble
    id: str

    def _check(self) -> None:
        if self.temporal.fails_with:
            raise self.temporal.fails_with
        if self.id not in self.temporal.running:
            raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")

    async def signal(self, name: str, argument: object, **_: object) -> None:
        self._check()
        self.temporal.told.append((self.id, name, argument))

    async def start_update(self, name: str, wish: Wish, *, id: str, **_: object) -> TakenDown:  # noqa: A002
        self._check()
        self.temporal.asked.append((self.id, name, wish, id))
        return TakenDown()


class TakenDown:
    async def result(self, **_: object) -> None:
        return None


@pytest.fixture
def temporal(monkeypatch: pytest.MonkeyPatch) -> TemporalDouble:
    # Nobody charges here: the door need not wait for an outcome.
    monkeypatch.setattr("starter.http.pay.MOST_LOOKS", 0)
    monkeypatch.setattr("starter.http.pay.PATIENCE", timedelta(seconds=0.2))
    return TemporalDouble()


def settings_for(url: str, **changes: Any) -> Settings:  # noqa: ANN401 - any setting
    given: dict[str, Any] = {
        "database_url": url,
        "secret_key": KEY,
        "stripe_webhook_secret": (SECRET, OLD_SECRET),
        "public_url": "https://pay.example.com",
    }
    return Settings(**given | changes)


@asynccontextmanager
async def opened(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="https://pay.example.com") as client,
    ):
        yield client


@pytest.fixture
async def door(database_url: str, temporal: TemporalDouble) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings_for(database_url), temporal=cast("Client", temporal))
    async with opened(app) as client:
        yield client


def event_of(
    kind: str, thing: dict[str, Any], *, event_id: str = "evt_1", created: int = 0
) -> dict[str, Any]:
    return {
        "id": event_id,
        "object": "event",
        "type": kind,
        "created": created or int(time.time()),
        "data": {"object": thing},
    }


def signed(event: object, *, secret: str = SECRET, at: float | None = None) -> dict[str, Any]:
    """A request as Stripe signs it: HMAC-SHA256 over `<time>.<body>`."""
    body = json.dumps(event).encode()
    stamp = int(at or time.time())
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"content": body, "headers": {"Stripe-Signature": f"t={stamp},v1={mac}"}}


async def stored(database: Database) -> list[IncomingEvent]:
    async with database.read() as session:
        return list((await session.exec(select(IncomingEvent))).all())


@pytest.fixture
async def anna(database: Database) -> Someone:
    async with database.write() as session:
        return await factories.someone(session)


async def invoice_of(
    database: Database, someone: Someone, *, attempt: AttemptState | None = None, collected: bool = True
) -> Invoice:
    """January's invoice, EUR 34.80, whose PaymentIntent is pi_1."""
    issued = datetime(2027, 1, 1, 8, 0, tzinfo=UTC)
    async with database.write() as session:
        session.add(someone.subscription)
        invoice = await write_invoice(session, someone.subscription, factories.issue(), issued, BookRules())
        invoice.payment_intent = "pi_1"
        if collected:
            await open_collection(session, someone.subscription, invoice, issued)
        if attempt is not None:
            session.add(attempt_on(someone, invoice, attempt, at=issued))
        return invoice


def attempt_on(
    someone: Someone,
    invoice: Invoice,
    state: AttemptState,
    *,
    at: datetime,
    **changes: Any,  # noqa: ANN401 - of the row
) -> PaymentAttempt:
    given: dict[str, Any] = {
        "id": f"att_{invoice.id}_{state.value}",
        "invoice_id": invoice.id,
        "subscription_id": invoice.subscription_id,
        "customer_id": invoice.customer_id,
        "number": 1,
        "chase": 1,
        "generation": 1,
        "trigger": Trigger.FIRST,
        "state": state,
        "method_id": someone.method.id if someone.method else "",
        "amount_minor": invoice.total_minor,
        "currency": invoice.currency,
        "idempotency_key": f"key_{invoice.id}_{state.value}",
        "payment_intent": "pi_1",
        "begun_at": at,
        "sent_at": LONG_AGO,
    }
    return PaymentAttempt(**given | changes)


def intent(invoice: Invoice | None = None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    metadata = {"invoice": invoice.id, "subscription": invoice.subscription_id} if invoice else {}
    return {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "metadata": metadata, **changes}


# Webhooks


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
async def test_a_genuine_event_is_stored_and_answered(
    door: httpx.AsyncClient, database: Database, secret: str
) -> None:
    answer = await door.post(
        "/webhooks/stripe", **signed(event_of("charge.updated", {"id": "ch_1"}), secret=secret)
    )
    assert (answer.status_code, answer.json()) == (200, {"received": True, "duplicate": False})
    (event,) = await stored(database)
    assert (event.id, event.provider, event.kind) == ("evt_1", "stripe", "charge.updated")
    assert event.note == "noted: nothing here waits for it"
    assert event.handed_on_at is not None


@pytest.mark.parametrize(
    "request_",
    [
        signed(event_of("charge.updated", {}), secret="whsec_of_somebody_else"),  # noqa: S106
        signed(event_of("charge.updated", {}), at=time.time() - 301),
        {**signed(event_of("charge.updated", {})), "content": b'{"id": "evt_2"}'},
        {"content": b"{}", "headers": {}},
        {"content": b"{}", "headers": {"Stripe-Signature": "t=1,v1=\u00e9".encode()}},
    ],
    ids=["another secret", "too old", "another body", "unsigned", "garbage"],
)
async def test_a_forged_event_is_refused_and_not_stored(
    door: httpx.AsyncClient, database: Database, request_: dict[str, Any]
) -> None:
    answer = await door.post("/webhooks/stripe", **request_)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["title"], problem["status"], problem["code"]) == ("Bad Request", 400, "bad_signature")
    assert problem["field"] == "Stripe-Signature"
    assert "STRIPE_WEBHOOK_SECRET" in problem["detail"]
    assert await stored(database) == []


async def test_a_signed_body_that_is_no_event_is_refused(door: httpx.AsyncClient) -> None:
    answer = await door.post("/webhooks/stripe", **signed({"id": "evt_1", "object": "v2.core.event"}))
    assert (answer.status_code, answer.json()["code"]) == (400, "unreadable_event")


async def test_a_body_beyond_a_megabyte_is_not_read(door: httpx.AsyncClient) -> None:
    answer = await door.post("/webhooks/stripe", content=b" " * 1_000_001)
    assert answer.status_code == 413


async def test_the_same_event_twice_is_told_once(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await invoice_of(database, anna, attempt=AttemptState.PROCESSING)
    temporal.running = {f"collection/{invoice.id}", f"subscription/{anna.subscription.id}"}
    request = signed(event_of("payment_intent.succeeded", intent()))
    first = await door.post("/webhooks/stripe", **request)
    again = await door.post("/webhooks/stripe", **request)
    assert (first.json()["duplicate"], again.json()["duplicate"]) == (False, True)
    assert temporal.told == [(f"collection/{invoice.id}", "payment_settled", {"event_id": "evt_1"})]
    (event,) = await stored(database)
    assert event.note == f"handed on to collection/{invoice.id}"


async def test_an_event_is_stored_before_it_is_answered_and_waits_where_temporal_is_away(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await invoice_of(database, anna, attempt=AttemptState.PROCESSING)
    temporal.fails_with = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
    answer = await door.post("/webhooks/stripe", **signed(event_of("payment_intent.succeeded", intent())))
    assert answer.status_code == 200
    (event,) = await stored(database)
    assert event.handed_on_at is None

    temporal.fails_with, temporal.running = None, {f"collection/{invoice.id}"}
    later = event.received_at + timedelta(seconds=3)
    incoming = Incoming(database, TellsDouble(temporal), now=lambda: later)
    assert await incoming.hand_on_waiting() == 1
    assert await incoming.hand_on_waiting() == 0
    assert [told[0] for told in temporal.told] == [f"collection/{invoice.id}"]


@dataclass
class TellsDouble:
    temporal: TemporalDouble

    async def tell(self, workflow_id: str, signal: str, fact: dict[str, str]) -> bool:
        try:
            await self.temporal.get_workflow_handle(workflow_id).signal(signal, fact)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise
        return True


async def test_an_event_that_cannot_be_handed_on_rests_and_holds_back_no_other(
    database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    await invoice_of(database, anna, attempt=AttemptState.PROCESSING)
    now = datetime(2027, 1, 2, tzinfo=UTC)
    temporal.fails_with = RuntimeError("a bug")
    async with database.write() as session:
        for number, kind in enumerate(["payment_intent.succeeded", "charge.updated"]):
            event = event_of(kind, intent(), event_id=f"evt_{number}")
            session.add(
                IncomingEvent(
                    id=f"evt_{number}", provider="stripe", kind=kind, payload=event, received_at=now
                )
            )
    incoming = Incoming(database, TellsDouble(temporal), now=lambda: now + timedelta(minutes=1))
    assert await incoming.hand_on_waiting() == 1
    assert {event.id: event.handed_on_at is None for event in await stored(database)} == {
        "evt_0": True,
        "evt_1": False,
    }


async def test_without_a_collection_the_subscription_hears_it(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    await invoice_of(database, anna, attempt=AttemptState.UNKNOWN)
    temporal.running = {f"subscription/{anna.subscription.id}"}
    await door.post("/webhooks/stripe", **signed(event_of("payment_intent.succeeded", intent())))
    assert [told[0] for told in temporal.told] == [f"subscription/{anna.subscription.id}"]


async def test_where_nobody_runs_it_is_only_noted(
    door: httpx.AsyncClient, database: Database, anna: Someone
) -> None:
    invoice = await invoice_of(database, anna, attempt=AttemptState.UNKNOWN)
    await door.post("/webhooks/stripe", **signed(event_of("payment_intent.succeeded", intent())))
    (event,) = await stored(database)
    assert event.handed_on_at is not None
    assert event.note.startswith(f"for the collection; nobody runs: collection/{invoice.id}")


async def test_the_invoice_is_found_by_metadata_while_its_payment_intent_is_not_booked(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await invoice_of(database, anna, attempt=AttemptState.UNKNOWN)
    async with database.write() as session:
        row = await session.get_one(Invoice, invoice.id)
        row.payment_intent = None
        (await session.get_one(PaymentAttempt, f"att_{invoice.id}_unknown")).payment_intent = None
    temporal.running = {f"collection/{invoice.id}"}
    await door.post("/webhooks/stripe", **signed(event_of("payment_intent.succeeded", intent(invoice))))
    assert [told[0] for told in temporal.told] == [f"collection/{invoice.id}"]


async def test_a_payment_of_somebody_else_is_noted_as_unmatched(
    door: httpx.AsyncClient, database: Database
) -> None:
    await door.post("/webhooks/stripe", **signed(event_of("payment_intent.succeeded", intent())))
    (event,) = await stored(database)
    assert event.note == "unmatched: no invoice and no subscription of ours"


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("payment_intent.succeeded", AttemptState.SUCCEEDED),
        ("payment_intent.payment_failed", AttemptState.DECLINED),
        ("payment_intent.canceled", AttemptState.ABANDONED),
    ],
)
async def test_news_that_the_books_hold_already_is_told_to_nobody(
    door: httpx.AsyncClient,
    database: Database,
    temporal: TemporalDouble,
    anna: Someone,
    kind: str,
    state: AttemptState,
) -> None:
    invoice = await invoice_of(database, anna, attempt=state)
    temporal.running = {f"collection/{invoice.id}"}
    await door.post("/webhooks/stripe", **signed(event_of(kind, intent())))
    assert temporal.told == []
    (event,) = await stored(database)
    assert event.note == f"known: the books have it for {invoice.id}"


@pytest.mark.parametrize("state", [AttemptState.ABANDONED, AttemptState.DECLINED])
async def test_money_that_comes_after_the_attempt_was_closed_is_shown_by_the_doctor(
    door: httpx.AsyncClient,
    database: Database,
    temporal: TemporalDouble,
    anna: Someone,
    state: AttemptState,
) -> None:
    """Nobody's workflow can book it: a person has to see it (I1)."""
    invoice = await invoice_of(database, anna, attempt=state)
    temporal.running = {f"collection/{invoice.id}"}
    await door.post("/webhooks/stripe", **signed(event_of("payment_intent.succeeded", intent())))
    assert temporal.told == []
    async with database.read() as session:
        found = [finding async for finding in money_symptoms(session, datetime.now(UTC))]
    assert [(f.trouble, f.about) for f in found] == [(Trouble.MONEY, "pi_1")]
    assert found[0].says.startswith(f"money came for {invoice.id}")


async def test_a_failure_of_an_earlier_try_does_not_disturb_the_present_one(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await invoice_of(database, anna, attempt=AttemptState.ACTION_REQUIRED)
    temporal.running = {f"collection/{invoice.id}"}
    a_second_before = int(datetime(2027, 1, 1, 7, 59, 59, tzinfo=UTC).timestamp())
    event = event_of("payment_intent.payment_failed", intent(), created=a_second_before)
    await door.post("/webhooks/stripe", **signed(event))
    assert temporal.told == []
    event = event_of("payment_intent.payment_failed", intent(), event_id="evt_2", created=a_second_before + 1)
    await door.post("/webhooks/stripe", **signed(event))
    assert len(temporal.told) == 1


async def test_an_answer_that_is_being_written_is_waited_for(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await invoice_of(database, anna)
    async with database.write() as session:
        now = datetime.now(UTC)
        session.add(attempt_on(anna, invoice, AttemptState.STARTED, at=now, sent_at=now, id="att_now"))
    temporal.running = {f"collection/{invoice.id}"}
    event = event_of("payment_intent.succeeded", intent(), created=int(time.time()) + 1)
    await door.post("/webhooks/stripe", **signed(event))
    assert temporal.told == []
    (row,) = await stored(database)
    assert row.handed_on_at is None  # the outbox takes it up

    async with database.write() as session:
        (await session.get_one(PaymentAttempt, "att_now")).state = AttemptState.SUCCEEDED
    incoming = Incoming(database, TellsDouble(temporal))
    assert await incoming.hand_on("evt_1") == f"known: the books have it for {invoice.id}"


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("refund.created", {"id": "re_1"}),
        ("charge.refunded", {"id": "ch_1", "amount_refunded": 880, "currency": "eur"}),
        ("charge.dispute.created", {"id": "dp_1"}),
        ("radar.early_fraud_warning.created", {"id": "issfr_1"}),
    ],
)
async def test_what_has_to_be_looked_at_at_stripe_is_left_to_the_worker(
    sqlite_database: Database, kind: str, thing: dict[str, Any]
) -> None:
    """The door asks Stripe nothing: the event waits in the inbox."""
    await store_event(sqlite_database, event_of(kind, thing), received_at=LONG_AGO)
    incoming = Incoming(sqlite_database, TellsDouble(TemporalDouble()))
    assert await incoming.hand_on("evt_1") is None
    (event,) = await stored(sqlite_database)
    assert event.handed_on_at is None


async def test_neither_names_nor_secrets_are_stored(door: httpx.AsyncClient, database: Database) -> None:
    thing = intent(
        client_secret="pi_1_secret_x",  # noqa: S106
        receipt_email="anna@example.com",
        charges={"data": [{"id": "ch_1", "billing_details": {"name": "Anna", "address": {"city": "Lyon"}}}]},
    )
    await door.post("/webhooks/stripe", **signed(event_of("payment_intent.created", thing)))
    (event,) = await stored(database)
    assert event.payload["data"]["object"] == {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "succeeded",
        "metadata": {},
        "charges": {"data": [{"id": "ch_1"}]},
    }


def card(provider_id: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    facts = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030, "fingerprint": "f1"}
    return {"id": provider_id, "object": "payment_method", "type": "card", "card": {**facts, **changes}}


async def test_a_renewed_card_is_known_at_once(
    door: httpx.AsyncClient, database: Database, anna: Someone
) -> None:
    assert anna.method is not None
    event = event_of(
        "payment_method.automatically_updated", card(anna.method.provider_id, exp_year=2034, last4="1881")
    )
    await door.post("/webhooks/stripe", **signed(event))
    async with database.read() as session:
        row = await session.get_one(PaymentMethod, anna.method.id)
    assert (row.last4, row.exp_month, row.exp_year) == ("1881", 12, 2034)


async def test_a_card_that_was_taken_away_is_not_usable_any_more(
    door: httpx.AsyncClient, database: Database, anna: Someone
) -> None:
    assert anna.method is not None
    await door.post(
        "/webhooks/stripe", **signed(event_of("payment_method.detached", card(anna.method.provider_id)))
    )
    async with database.read() as session:
        row = await session.get_one(PaymentMethod, anna.method.id)
    assert row.detached_at is not None


async def test_a_setup_names_a_method_that_we_have_or_not(
    door: httpx.AsyncClient, database: Database, anna: Someone
) -> None:
    assert anna.method is not None
    for number, method in enumerate([anna.method.provider_id, "pm_unknown", card("pm_other"), None]):
        setup = {"id": "seti_1", "object": "setup_intent", "payment_method": method}
        event = event_of("setup_intent.succeeded", setup, event_id=f"evt_{number}")
        assert (await door.post("/webhooks/stripe", **signed(event))).status_code == 200
    notes = [event.note for event in sorted(await stored(database), key=lambda event: event.id)]
    assert notes[0] == f"noted: {anna.method.id} is ours already"
    assert notes[1] == "noted: payment method pm_unknown is none of ours"


# Health


async def test_a_door_that_can_work_is_ready(door: httpx.AsyncClient) -> None:
    assert (await door.get("/healthz")).json() == {"status": "ok"}
    answer = await door.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ok", "checks": {"database": "ok", "temporal": "ok"}},
    )


async def test_without_temporal_the_door_is_alive_and_not_ready(
    database_url: str, unused_tcp_port: int
) -> None:
    settings = settings_for(database_url, temporal_address=f"127.0.0.1:{unused_tcp_port}", sandbox="unused")
    async with opened(create_app(settings)) as door:
        assert (await door.get("/healthz")).status_code == 200
        answer = await door.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": "ok", "temporal": "temporal_unreachable"}


async def test_a_temporal_that_does_not_serve_is_said(
    door: httpx.AsyncClient, temporal: TemporalDouble
) -> None:
    temporal.serving = False
    assert (await door.get("/readyz")).json()["checks"]["temporal"] == "not_serving"
    temporal.fails_with = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
    assert (await door.get("/readyz")).json()["checks"]["temporal"] == "no_answer"


async def test_a_database_without_tables_is_not_ready(bare_url: str, temporal: TemporalDouble) -> None:
    async with opened(create_app(settings_for(bare_url), temporal=cast("Client", temporal))) as door:
        answer = await door.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]["database"]) == (503, "database_behind")


async def test_what_is_not_there_is_a_problem_too(door: httpx.AsyncClient) -> None:
    answer = await door.get("/nowhere")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Not Found.",
        "code": "not_found",
        "remedy": "Check the address of the call.",
    }


# The pay page


def pay_path(invoice: Invoice, *, expires_in: timedelta = timedelta(days=1)) -> str:
    return f"/pay/{LINKS.token(LinkPurpose.PAY, invoice.id, datetime.now(UTC) + expires_in)}"


async def declined(database: Database, someone: Someone) -> Invoice:
    """An invoice whose first charge was declined, as its collection has it."""
    invoice = await invoice_of(database, someone)
    async with database.write() as session:
        session.add(
            attempt_on(
                someone,
                invoice,
                AttemptState.DECLINED,
                at=datetime(2027, 1, 1, 8, 0, tzinfo=UTC),
                decline_class=DeclineClass.RETRY_LATER,
                decline_code="insufficient_funds",
                settled_at=datetime(2027, 1, 1, 8, 0, 1, tzinfo=UTC),
            )
        )
    return invoice


async def test_the_page_says_what_is_owed_in_the_payers_language(
    door: httpx.AsyncClient, database: Database, anna: Someone
) -> None:
    invoice = await declined(database, anna)
    answer = await door.get(pay_path(invoice))
    assert answer.status_code == 200
    assert '<html lang="fr">' in answer.text
    assert f"<dd>{invoice.number}</dd>" in answer.text
    assert "34,80\u00a0€" in answer.text
    assert "Visa •••• 4242" in answer.text
    assert "<button>Payer maintenant</button>" in answer.text
    assert "script" not in answer.text
    assert "http" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_the_button_asks_the_collection_to_charge_once(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await declined(database, anna)
    temporal.running = {f"collection/{invoice.id}"}
    path, form = pay_path(invoice), {"command": "0123456789abcdef01234567"}
    answer = await door.post(path, data=form)
    assert answer.status_code == 303
    ((workflow_id, name, wish, update_id),) = temporal.asked
    assert (workflow_id, name, update_id) == (
        f"collection/{invoice.id}",
        "pay_now",
        "pay/0123456789abcdef01234567",
    )
    assert (wish.trigger, wish.command_id, wish.by) == (Trigger.CUSTOMER, update_id, "customer")
    page = await door.get(answer.headers["location"])
    assert "Un paiement est en cours" in page.text
    assert "<button>" not in page.text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (AttemptState.DECLINED, "Le paiement n’a pas abouti avec Visa •••• 4242"),
        (AttemptState.PROCESSING, "Un paiement est en cours"),
    ],
)
async def test_the_page_after_the_button_tells_the_outcome(
    door: httpx.AsyncClient, database: Database, anna: Someone, state: AttemptState, words: str
) -> None:
    invoice = await declined(database, anna)
    now = datetime.now(UTC)
    async with database.write() as session:
        session.add(
            attempt_on(
                anna, invoice, state, at=now, sent_at=now, number=2, id="att_asked", idempotency_key="asked"
            )
        )
    page = await door.get(f"{pay_path(invoice)}?asked={int(now.timestamp()) - 1}")
    assert words in page.text


async def test_a_paid_invoice_is_not_paid_again(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await declined(database, anna)
    async with database.write() as session:
        row = await session.get_one(Invoice, invoice.id)
        row.status, row.paid_minor = InvoiceStatus.PAID, row.total_minor
    page = await door.get(pay_path(invoice))
    assert "C’est réglé" in page.text
    assert "<button>" not in page.text
    assert (await door.post(pay_path(invoice))).status_code == 303
    assert temporal.asked == []


async def test_where_the_wish_cannot_be_taken_the_page_says_try_again(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await declined(database, anna)
    temporal.fails_with = RPCError("away", RPCStatusCode.UNAVAILABLE, b"")
    answer = await door.post(pay_path(invoice), data={"command": "not a nonce"})
    assert answer.headers["location"].endswith("?asked=later")
    page = await door.get(answer.headers["location"])
    assert "Nous n’avons pas pu prendre votre demande" in page.text
    assert "<button>" in page.text


async def test_a_refusal_by_the_collection_is_not_shown_as_an_error(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await declined(database, anna)
    temporal.fails_with = WorkflowUpdateFailedError(ApplicationError("A payment is under way."))
    answer = await door.post(pay_path(invoice))
    assert "Un paiement est en cours" in (await door.get(answer.headers["location"])).text


async def test_while_an_answer_is_unknown_nothing_is_asked_for(
    door: httpx.AsyncClient, database: Database, temporal: TemporalDouble, anna: Someone
) -> None:
    invoice = await invoice_of(database, anna)
    async with database.write() as session:
        at = datetime.now(UTC)
        session.add(attempt_on(anna, invoice, AttemptState.UNKNOWN, at=at, sent_at=at))
        (await session.get_one(Invoice, invoice.id)).payment_state = PaymentState.UNKNOWN
    for path in (pay_path(invoice), f"{pay_path(invoice)}/method"):
        answer = await door.post(path, data={"command": "0123456789abcdef01234567"})
        assert (answer.status_code, answer.headers["location"]) == (303, path.removesuffix("/method"))
        page = await door.get(answer.headers["location"])
        assert "Un paiement est en cours" in page.text
        assert "<button" not in page.text
    assert temporal.asked == []


async def test_without_a_method_there_is_no_button(database: Database, door: httpx.AsyncClient) -> None:
    async with database.write() as session:
        ben = await factories.someone(session, with_method=False)
    page = await door.get(pay_path(await invoice_of(database, ben)))
    assert "aucun moyen de paiement à débiter" in page.text
    assert "factures@example.com" in page.text
    assert "Payer maintenant" not in page.text
    assert "<button>Ajouter un moyen de paiement</button>" in page.text


@pytest.mark.parametrize(
    ("accepts", "words"), [("fr-FR,fr", "Ce lien a expiré"), ("de", "This link has expired")]
)
async def test_an_expired_link_is_told_kindly(
    door: httpx.AsyncClient, database: Database, anna: Someone, accepts: str, words: str
) -> None:
    path = pay_path(await declined(database, anna), expires_in=-timedelta(seconds=1))
    for answer in (
        await door.get(path, headers={"Accept-Language": accepts}),
        await door.post(path, headers={"Accept-Language": accepts}),
    ):
        assert answer.status_code == 410
        assert words in answer.text


async def test_a_forged_link_opens_nothing(
    door: httpx.AsyncClient, database: Database, anna: Someone
) -> None:
    path = pay_path(await declined(database, anna))
    for forged in (path[:-1] + ("A" if path[-1] != "A" else "B"), "/pay/nonsense", "/pay/in_1.99999999999.x"):
        answer = await door.get(forged)
        assert answer.status_code == 404
        assert "This link is not valid" in answer.text


async def test_a_secret_that_is_missing_is_named() -> None:
    with pytest.raises(Exception, match="Set STRIPE_WEBHOOK_SECRET"):
        create_app(settings_for("sqlite:///unused.db", stripe_webhook_secret=()))
