"""Deliveries: in order, again until they are taken, each subscription by itself, and never for ever (engine 20)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from support import factories
from support.backend import Backend, backend_process
from support.bookkeeping import signs_up
from support.event_crew import RULES, SECRET_KEY, NoMail, endpoint, happens, time_passes
from support.mailroom import RULES as OUTBOX_RULES
from support.mailroom import Mailbox, mailer_of
from support.servers import free_port
from support.serving import serving
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from typing_extensions import override

from activities.deliveries import Deliveries
from activities.messages import Messages
from activities.webhooks import Delivered, NotDelivered, Postman, Secrets
from billing.commands import Cancel, When
from billing.errors import InvalidInput
from models.database import Database
from models.tables import DeliveryOutcome, DisabledBecause, EndpointState, WebhookEndpoint
from settings import Settings
from starter.connections import Connections
from starter.event_symptoms import silent_endpoints
from starter.webhook_endpoints import EndpointChange, NewEndpoint, WebhookEndpoints


@dataclass
class Wire:
    """A backend at the other end, and everything in between."""

    database: Database
    backend: Backend
    deliveries: Deliveries
    endpoint: WebhookEndpoint
    doors: WebhookEndpoints
    mail: NoMail
    people: list[str]

    def heard(self, person: int = 0) -> list[int]:
        """The sequences that the backend took of a subscription, as they came."""
        return [
            each["sequence"] for each in self.backend.received if each["subscription"] == self.people[person]
        ]

    async def deliver(self) -> int:
        """By a worker that was just started: it does not remember who did not answer."""
        return await Deliveries(self.database, self.mail, RULES).deliver()

    async def log(self) -> list[tuple[str, DeliveryOutcome, int | None]]:
        """Type, outcome and answer of each try, oldest first."""
        tries = await self.doors.deliveries(self.endpoint.id)
        return [(each.type, each.outcome, each.status_code) for each in reversed(tries)]


def doors_of(database: Database, **others: object) -> WebhookEndpoints:
    settings = Settings.model_validate(
        {"database_url": "sqlite://", "secret_key": SECRET_KEY, "private_webhook_addresses": True} | others
    )
    return WebhookEndpoints(Connections(database, settings))


@pytest.fixture
async def people(sqlite_database: Database) -> list[str]:
    async with sqlite_database.write() as session:
        return [(await factories.someone(session)).subscription.id for _ in range(2)]


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return Backend(tmp_path / "memory", [])


@pytest.fixture
def address(backend: Backend) -> Iterator[str]:
    with serving(backend.app()) as base:
        yield f"{base}/events"


@pytest.fixture
async def wire(sqlite_database: Database, people: list[str], backend: Backend, address: str) -> Wire:
    row = await endpoint(sqlite_database, address)
    backend.secrets.append(Secrets(SECRET_KEY).of(row.id, 1))
    mail = NoMail()
    deliveries = Deliveries(sqlite_database, mail, RULES)
    return Wire(sqlite_database, backend, deliveries, row, doors_of(sqlite_database), mail, people)


async def test_an_event_is_signed_and_says_whom_to_let_in(wire: Wire) -> None:
    await happens(wire.database, wire.people[0], "invoice.paid", invoice="in_1", amount_minor=5880, by="anna")
    assert await wire.deliveries.deliver() == 1
    (told,) = wire.backend.received
    assert told["id"] == f"evt_{wire.people[0]}_1"
    assert (told["type"], told["version"], told["sequence"]) == ("invoice.paid", 1, 1)
    assert (told["status"], told["entitled"]) == ("active", True)
    assert (
        told["access_until"] == "2027-02-01T23:00:00Z"
    )  # the period ends in Paris on 1 February, and 24 hours
    assert (told["data"]["invoice"], told["data"]["amount_minor"]) == ("in_1", 5880)
    assert "by" not in told["data"]  # the books know who asked; nobody else need
    assert await wire.deliveries.deliver() == 0


async def test_what_fails_holds_back_its_own_subscription_only(wire: Wire) -> None:
    anna, bruno = wire.people
    wire.backend.refuses[anna] = 500
    await happens(wire.database, anna, "invoice.issued", "invoice.paid")
    await happens(wire.database, bruno, "invoice.issued", "invoice.paid")
    assert await wire.deliveries.deliver() == 2
    assert (wire.heard(0), wire.heard(1)) == ([], [1, 2])
    assert await wire.deliveries.deliver() == 0  # it waits
    wire.backend.refuses.clear()
    await time_passes(wire.database, timedelta(seconds=4))
    assert await wire.deliveries.deliver() == 0
    async with wire.database.read() as session:
        assert (
            await silent_endpoints(session, datetime.now(UTC) + timedelta(hours=2)) == []
        )  # bruno's go through
    await time_passes(wire.database, timedelta(seconds=1))
    assert await wire.deliveries.deliver() == 2
    assert wire.heard(0) == [1, 2]
    anna_tries = [each for each in await wire.log() if each[1] is DeliveryOutcome.FAILED]
    assert anna_tries == [("invoice.issued", DeliveryOutcome.FAILED, 500)]


async def test_the_waits_grow_to_half_an_hour(wire: Wire) -> None:
    wire.backend.refuses["*"] = 503
    await happens(wire.database, wire.people[0], "invoice.issued")
    for seconds in (5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800):
        assert await wire.deliver() == 0
        tries = len(await wire.log())
        await time_passes(wire.database, timedelta(seconds=seconds - 2))
        await wire.deliver()
        assert len(await wire.log()) == tries
        await time_passes(wire.database, timedelta(seconds=2))


async def test_one_event_that_is_never_taken_is_given_up_after_three_days(wire: Wire) -> None:
    anna, bruno = wire.people
    wire.backend.refuses[anna] = 500
    await happens(wire.database, anna, "invoice.issued", "invoice.paid")
    await wire.deliver()
    await time_passes(wire.database, timedelta(days=2, hours=23))
    await happens(wire.database, bruno, "invoice.issued")
    await wire.deliver()
    await time_passes(wire.database, timedelta(hours=1))
    await happens(wire.database, bruno, "invoice.paid")
    await wire.deliver()
    assert ("invoice.issued", DeliveryOutcome.GIVEN_UP, 500) in await wire.log()
    assert (await wire.doors.find(wire.endpoint.id)).state is EndpointState.ENABLED
    wire.backend.refuses.clear()
    await time_passes(wire.database, timedelta(hours=1))
    await wire.deliver()
    assert wire.heard(0) == [2]


async def test_an_endpoint_that_takes_nothing_for_three_days_is_disabled_and_its_owner_told(
    wire: Wire, mailbox: Mailbox
) -> None:
    wire.backend.refuses["*"] = 500
    await happens(wire.database, wire.people[0], "invoice.issued", "invoice.paid")
    await wire.deliver()
    await time_passes(wire.database, timedelta(days=3))
    last = Deliveries(wire.database, mailer_of(mailbox), RULES)
    mailbox.will(status=503, times=1)
    await last.deliver()
    stands = await wire.doors.find(wire.endpoint.id)
    assert (stands.state, stands.disabled_because) == (EndpointState.DISABLED, DisabledBecause.SILENT)
    async with wire.database.read() as session:
        (finding,) = await silent_endpoints(session, datetime.now(UTC))
    assert finding.remedy == f"Mend it, then: relance webhook-endpoint enable {wire.endpoint.id}"
    assert mailbox.letters() == []
    await Deliveries(wire.database, mailer_of(mailbox), RULES).deliver()
    await Deliveries(wire.database, mailer_of(mailbox), RULES).deliver()
    (letter,) = mailbox.letters()
    assert letter["subject"] == "Events are no longer sent to 127.0.0.1"
    assert letter["to"] == [{"email": "dev@example.com", "name": ""}]
    assert "it failed for three days" in letter["text"]
    assert f"relance webhook-endpoint enable {wire.endpoint.id}" in letter["text"]

    wire.backend.refuses.clear()
    await happens(wire.database, wire.people[0], "access.ended")
    assert await wire.deliver() == 0
    await wire.doors.enable(wire.endpoint.id)
    assert await wire.deliver() == 3  # nothing was lost
    assert wire.heard() == [1, 2, 3]


async def test_gone_disables_at_once(wire: Wire) -> None:
    wire.backend.refuses["*"] = 410
    await happens(wire.database, wire.people[0], "invoice.issued")
    await wire.deliver()
    stands = await wire.doors.find(wire.endpoint.id)
    assert (stands.state, stands.disabled_because) == (EndpointState.DISABLED, DisabledBecause.GONE)
    assert [mail.subject for mail in wire.mail.taken] == ["Events are no longer sent to 127.0.0.1"]


async def test_a_person_disables_and_enables(wire: Wire) -> None:
    await wire.doors.disable(wire.endpoint.id)
    await happens(wire.database, wire.people[0], "invoice.issued")
    assert await wire.deliver() == 0
    await wire.doors.enable(wire.endpoint.id, skip_missed=True)
    await happens(wire.database, wire.people[0], "invoice.paid")
    assert await wire.deliver() == 1
    assert wire.heard() == [2]
    assert wire.mail.taken == []


async def test_only_what_is_asked_for_is_sent_and_from_the_beginning_when_replayed(
    sqlite_database: Database, people: list[str], backend: Backend, address: str
) -> None:
    anna, bruno = people
    await happens(sqlite_database, anna, "invoice.issued", "invoice.paid", "access.changed")
    doors = doors_of(sqlite_database)
    await Deliveries(sqlite_database, NoMail(), RULES).publish()
    row = await doors.create(NewEndpoint(url=address, owner="dev@example.com", types=("invoice.*",)))
    backend.secrets.append((await doors.secret(row.id)).secret)
    await happens(sqlite_database, anna, "access.ended", "invoice.written_off")
    await happens(sqlite_database, bruno, "access.granted")
    deliveries = Deliveries(sqlite_database, NoMail(), RULES)

    assert await deliveries.deliver() == 1  # what was before it came is not sent
    assert [told["id"] for told in backend.received] == [f"evt_{anna}_5"]
    assert (await doors.replay(row.id)).behind == 1
    assert await deliveries.deliver() == 3
    assert [told["sequence"] for told in backend.received] == [5, 1, 2, 5]
    await doors.replay(row.id, after=f"evt_{anna}_1", subscription=anna)
    assert await deliveries.deliver() == 2
    await doors.replay(row.id, subscription=bruno)
    assert await deliveries.deliver() == 0
    assert [told["sequence"] for told in backend.received] == [5, 1, 2, 5, 2, 5]


async def test_a_rotated_secret_is_valid_beside_the_one_before(wire: Wire) -> None:
    before = (await wire.doors.secret(wire.endpoint.id)).secret
    after = (await wire.doors.rotate_secret(wire.endpoint.id, keep_hours=24)).secret
    assert before != after
    with pytest.raises(InvalidInput, match="The last rotation ends at"):  # a repeated call changes nothing
        await wire.doors.rotate_secret(wire.endpoint.id)
    assert (await wire.doors.secret(wire.endpoint.id)).secret == after
    for secret in (before, after):
        wire.backend.secrets[:] = [secret]
        await happens(wire.database, wire.people[0], "invoice.issued")
        assert await wire.deliver() == 1
    await time_passes(wire.database, timedelta(hours=24))
    wire.backend.secrets[:] = [before]
    await happens(wire.database, wire.people[0], "invoice.issued")
    assert await wire.deliver() == 0
    assert (await wire.log())[-1] == ("invoice.issued", DeliveryOutcome.FAILED, 400)


async def test_an_endpoint_moves_and_what_had_failed_is_tried_there_at_once(
    wire: Wire, tmp_path: Path
) -> None:
    wire.backend.refuses["*"] = 500
    await happens(wire.database, wire.people[0], "invoice.issued", "invoice.paid")
    assert await wire.deliver() == 0
    other = Backend(tmp_path / "other", wire.backend.secrets)
    with serving(other.app()) as base:
        changed = await wire.doors.change(
            wire.endpoint.id, EndpointChange(url=f"{base}/events", description="moved")
        )
        assert (changed.url, changed.description, changed.failing_since, changed.behind) == (
            f"{base}/events",
            "moved",
            None,
            1,
        )
        assert await wire.deliver() == 2
    assert [told["sequence"] for told in other.received] == [1, 2]
    assert wire.heard() == []
    with pytest.raises(InvalidInput) as refusal:
        await wire.doors.change(wire.endpoint.id, EndpointChange(url="ftp://example.com/"))
    assert refusal.value.field == "url"
    assert (await wire.doors.find(wire.endpoint.id)).url == changed.url


async def test_other_types_are_sent_from_now_on(wire: Wire) -> None:
    anna, bruno = wire.people
    key = wire.endpoint.id
    await wire.doors.change(key, EndpointChange(types=("access.*",)))
    await happens(wire.database, anna, "access.granted", "invoice.issued", "invoice.paid")
    await happens(wire.database, bruno, "invoice.issued")
    assert await wire.deliver() == 1
    wire.backend.refuses[bruno] = 500
    await happens(wire.database, bruno, "access.granted", "invoice.paid")
    assert await wire.deliver() == 0
    await wire.doors.change(key, EndpointChange(types=()))
    await happens(wire.database, anna, "access.changed")
    assert await wire.deliver() == 1
    assert wire.heard(0) == [1, 4]  # not the invoice, which was wanted by nobody
    wire.backend.refuses.clear()
    await time_passes(wire.database, timedelta(seconds=5))
    assert await wire.deliver() == 2
    assert wire.heard(1) == [2, 3]  # it waited, and so did what came after it
    with pytest.raises(InvalidInput) as refusal:
        await wire.doors.change(key, EndpointChange(types=("invoice.payed",)))
    assert refusal.value.field == "types"


async def test_a_test_is_signed_and_is_no_event(wire: Wire) -> None:
    await wire.doors.disable(wire.endpoint.id)
    done = await wire.doors.test(wire.endpoint.id, test_id="cmd_1")
    assert (done.delivered, done.status_code, done.detail) == (True, 204, "")
    (told,) = wire.backend.received
    assert (told["id"], told["type"], told["subscription"]) == (done.event, "endpoint.test", None)
    assert (told["entitled"], told["sequence"], told["data"]) == (False, 0, {"endpoint": wire.endpoint.id})
    before = list(wire.backend.secrets)
    await wire.doors.rotate_secret(wire.endpoint.id)
    assert (await wire.doors.test(wire.endpoint.id)).delivered  # by the secret before as well
    wire.backend.secrets[:] = ["whsec_" + before[0][6:][::-1]]
    refused = await wire.doors.test(wire.endpoint.id)
    assert (refused.delivered, refused.status_code) == (False, 400)
    assert refused.detail == "answered 400: bad signature"
    assert await wire.log() == []


async def test_the_log_lets_go_of_what_was_taken_and_of_nothing_that_is_owed(wire: Wire) -> None:
    anna, bruno = wire.people
    rules = replace(RULES, log_kept_for=timedelta(days=30))
    await happens(wire.database, anna, "invoice.issued")
    wire.backend.refuses[anna] = 500
    await wire.deliver()
    wire.backend.refuses = {bruno: 500}
    await time_passes(wire.database, timedelta(seconds=5))
    await happens(wire.database, bruno, "invoice.paid")
    await wire.deliver()
    assert sorted(await wire.log()) == [
        ("invoice.issued", DeliveryOutcome.DELIVERED, 204),
        ("invoice.issued", DeliveryOutcome.FAILED, 500),
        ("invoice.paid", DeliveryOutcome.FAILED, 500),
    ]

    def in_days(days: int) -> Deliveries:
        later = datetime.now(UTC) + timedelta(days=days)
        return Deliveries(wire.database, wire.mail, rules, now=lambda: later)

    assert await in_days(29).forget() == 0
    await wire.doors.replay(wire.endpoint.id, subscription=anna)
    assert await in_days(31).forget() == 0  # it is sent once more
    assert await wire.deliver() == 1
    assert await Deliveries(wire.database, wire.mail, RULES).forget() == 0
    assert await in_days(31).forget() == 3
    assert await wire.log() == [("invoice.paid", DeliveryOutcome.FAILED, 500)]


async def test_the_log_is_looked_through_while_the_outbox_runs(wire: Wire, mailbox: Mailbox) -> None:
    await happens(wire.database, wire.people[0], "invoice.issued")
    assert await wire.deliver() == 1
    later = datetime.now(UTC) + timedelta(days=31)
    rules = replace(RULES, log_kept_for=timedelta(days=30))
    deliveries = Deliveries(wire.database, mailer_of(mailbox), rules, now=lambda: later)
    async with deliveries.meanwhile():
        ends = asyncio.get_running_loop().time() + 20
        while await wire.log():
            assert asyncio.get_running_loop().time() < ends
            await asyncio.sleep(0.05)


async def test_a_secret_that_others_know_ends_at_once(wire: Wire) -> None:
    await wire.doors.rotate_secret(wire.endpoint.id, keep_hours=0)
    await happens(wire.database, wire.people[0], "invoice.issued")
    assert await wire.deliver() == 0


async def test_a_backend_that_was_down_lets_nobody_in_longer_than_promised_and_hears_all_in_order(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """It is a process of its own that knows nothing but `entitled` and `access_until`."""
    port, memory = free_port(), tmp_path / "memory"
    row = await endpoint(sqlite_database, f"http://127.0.0.1:{port}/events")
    secrets = [Secrets(SECRET_KEY).of(row.id, 1)]
    books = await signs_up(sqlite_database, factories.terms())
    await books.is_paid()
    anna = books.subscription_id

    async def deliver() -> int:
        return await Deliveries(sqlite_database, NoMail(), RULES).deliver()

    with backend_process(port, memory, secrets) as http:

        def lets_in(at: str) -> bool:
            return bool(http.get(f"/lets-in/{anna}", params={"at": at}).json())

        assert await deliver() > 0
        assert lets_in("2027-01-10T12:00:00+00:00")
        assert lets_in("2027-02-01T22:59:59+00:00")
        assert not lets_in("2027-02-01T23:00:00+00:00")
    # It is down for two hours, in which she leaves.
    await books.passes(9)
    assert await books.tells(Cancel(command_id="leaves", when=When.NOW))
    for _ in range(4):
        assert await deliver() == 0
        await time_passes(sqlite_database, timedelta(minutes=30))
    with backend_process(port, memory, secrets) as http:
        assert lets_in("2027-01-10T12:00:00+00:00")  # it has not heard
        assert not lets_in("2027-02-01T23:00:00+00:00")
        assert await deliver() > 0
        assert not lets_in("2027-01-10T12:00:00+00:00")
        told = http.get("/told").json()
    assert [each["sequence"] for each in told] == list(range(1, len(told) + 1))
    assert len({each["id"] for each in told}) == len(told)
    ended = [each["type"] for each in told if each["type"].startswith(("access", "subscription"))]
    assert ended[-2:] == ["subscription.canceled", "access.ended"]
    assert datetime.fromisoformat(told[-1]["timestamp"]) == books.at


# Beside the mails


async def test_the_outbox_publishes_and_delivers_while_it_runs(wire: Wire, mailbox: Mailbox) -> None:
    deliveries = Deliveries(wire.database, wire.mail, RULES)
    outbox = Messages(wire.database, mailer_of(mailbox), OUTBOX_RULES, deliveries=deliveries)
    environment = ActivityEnvironment(client=cast("Client", object()))
    round_ = asyncio.create_task(environment.run(outbox.drain_outbox))
    await happens(wire.database, wire.people[0], "invoice.issued", "invoice.paid")
    await until(lambda: wire.heard() == [1, 2])
    environment.worker_shutdown()
    await asyncio.wait_for(round_, 20)


async def test_a_slow_endpoint_delays_no_other(wire: Wire, people: list[str]) -> None:
    slow = await endpoint(wire.database, "http://slow.example/")
    released = asyncio.Event()

    class Post(Postman):
        """One of the two does not answer until the test is done with it."""

        @override
        async def post(self, url: str, body: str, headers: dict[str, str]) -> Delivered | NotDelivered:
            if url == slow.url:
                await released.wait()
                return Delivered(status_code=200, took_ms=1)
            return await super().post(url, body, headers)

    deliveries = Deliveries(wire.database, wire.mail, RULES, posts=Post(allow_private=True))
    async with deliveries.meanwhile():
        await happens(wire.database, people[0], "invoice.issued")
        await until(lambda: wire.heard() == [1])
        await happens(wire.database, people[0], "invoice.paid")
        await until(lambda: wire.heard() == [1, 2])
    assert await wire.doors.deliveries(slow.id) == []
    released.set()
    await until(lambda: not deliveries._serving)  # noqa: SLF001 - what goes on by itself
    assert [each.type for each in await wire.doors.deliveries(slow.id)] == ["invoice.issued"]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something, with a limit."""
    for _ in range(3000):
        if holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come to that")
