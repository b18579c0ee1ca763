"""The outbox: each queued mail leaves once, whatever happens to the provider or to us (engine 19, rules 26, 29)."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import event
from support import factories
from support.factories import Someone
from support.mailroom import NINE, RULES, Mailbox, Watch, mailer_of, queued, rows_of
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment
from typing_extensions import override

from activities.books import outbox as books
from activities.books.issuing import write_invoice
from activities.mailer import MailOutcome, OutgoingMail
from activities.messages import DrainReport, Messages
from activities.pace import Pace
from mails.render import RenderedMail
from models.database import Database
from models.tables import IncomingEvent, Invoice, Message, MessageState


@pytest.fixture
async def anna(database: Database) -> Someone:
    async with database.write() as session:
        return await factories.someone(session)


async def write(database: Database, *rows: Message) -> None:
    async with database.write() as session:
        session.add_all(rows)


async def chased_invoice(database: Database, someone: Someone) -> Invoice:
    """An open invoice that a collection owns."""
    async with database.write() as session:
        session.add(someone.subscription)
        invoice = await write_invoice(session, someone.subscription, factories.issue(), NINE, RULES.books)
        invoice.owner = "collection"
        for row in session.new:
            if isinstance(row, Message):
                session.expunge(row)
        return invoice


async def test_a_mail_leaves_once_and_is_kept_as_sent(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    assert await outbox.drain(10) == 1
    assert await outbox.drain(10) == 0
    (letter,) = mailbox.letters()
    (row,) = await rows_of(database)
    assert letter["subject"] == "Votre abonnement «\u00a0Pro\u00a0» reprend"
    assert letter["sender"] == {"email": "factures@example.com", "name": "Exemple SAS"}
    assert letter["to"] == [{"email": "anna@example.com", "name": "Anna Martin"}]
    assert letter["custom_args"] == {
        "message_id": row.id,
        "kind": "resumed",
        "as_of": "2027-02-01T08:00:00+00:00",
    }
    assert (row.state, row.tries, row.leased_until) == (MessageState.SENT, 1, None)
    assert (row.subject, row.body_text, row.body_html) == (letter["subject"], letter["text"], letter["html"])
    assert row.provider_id == letter["message_id"]
    assert row.sent_at == watch.at


async def test_mails_leave_in_the_order_of_their_facts(
    database: Database, outbox: Messages, mailbox: Mailbox, anna: Someone
) -> None:
    late = queued(anna, "resumed", occurrence="2027-02-03", at=NINE + timedelta(days=2))
    early = queued(anna, "paused", at=NINE)
    await write(database, late, early)
    assert await outbox.drain(1) == 1
    assert [letter["custom_args"]["kind"] for letter in mailbox.letters()] == ["paused"]
    assert await outbox.drain(1) == 1
    assert len(mailbox.letters()) == 2


async def test_an_outage_only_delays(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    mailbox.will(status=503, times=2)
    assert await outbox.drain(10) == 0
    (row,) = await rows_of(database)
    assert (row.state, row.tries) == (MessageState.QUEUED, 1)
    assert "status 503" in row.last_error
    assert row.leased_until == watch.at + timedelta(seconds=5)
    watch.passes(seconds=4)
    assert await outbox.drain(10) == 0
    watch.passes(seconds=1)
    assert await outbox.drain(10) == 0  # the second 503
    (row,) = await rows_of(database)
    assert row.leased_until == watch.at + timedelta(seconds=10)
    watch.passes(seconds=10)
    assert await outbox.drain(10) == 1
    assert len(mailbox.letters()) == 1
    (row,) = await rows_of(database)
    assert (row.state, row.tries, row.last_error) == (MessageState.SENT, 3, "")


async def test_while_the_provider_is_away_the_rest_of_the_queue_is_left_alone(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    days = [f"2027-02-{day:02d}" for day in range(1, 21)]
    await write(database, *(queued(anna, "resumed", occurrence=day) for day in days))
    mailbox.will(status=500, times=1000)
    assert await outbox.drain(100) == 0
    assert await outbox.drain(100) == 0  # at rest: asks nobody
    rows = await rows_of(database)
    assert sum(row.tries for row in rows) == 6  # those that were side by side
    assert sum(row.leased_until is None for row in rows) == 14
    mailbox.clear()
    watch.passes(seconds=5)
    assert await outbox.drain(100) == 20
    assert len(mailbox.letters()) == 20


async def test_no_access_waits_for_a_person_and_goes_on(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    mailbox.will(status=401)
    assert await outbox.drain(10) == 0
    (row,) = await rows_of(database)
    assert row.state is MessageState.QUEUED
    assert "Check SENDGRID_API_KEY" in row.last_error
    watch.passes(seconds=5)
    assert await outbox.drain(10) == 1


async def test_a_mail_that_the_provider_refuses_is_not_tried_again(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    mailbox.will(status=400)
    assert await outbox.drain(10) == 1
    watch.passes(hours=1)
    assert await outbox.drain(10) == 0
    (row,) = await rows_of(database)
    assert row.state is MessageState.REFUSED
    assert "status 400" in row.last_error
    assert mailbox.letters() == []


async def test_after_a_lost_answer_a_mail_is_not_sent_again(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    mailbox.will(drop_response=True)
    assert await outbox.drain(10) == 1
    watch.passes(hours=1)
    assert await outbox.drain(10) == 0
    (row,) = await rows_of(database)
    assert row.state is MessageState.DELIVERY_UNKNOWN
    assert row.subject == "Votre abonnement «\u00a0Pro\u00a0» reprend"
    assert len(mailbox.letters()) == 1


async def test_after_a_lost_answer_a_legal_notice_is_sent_again_but_not_for_ever(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "cancel_scheduled", occurrence="2027-03-01"))
    mailbox.will(drop_response=True, times=5)
    dealt_with = 0
    for _ in range(8):
        dealt_with += await outbox.drain(10)
        watch.passes(minutes=15)
    (row,) = await rows_of(database)
    assert (row.state, row.tries) == (MessageState.DELIVERY_UNKNOWN, 3)
    assert len(mailbox.letters()) == 3
    assert dealt_with == 3


async def test_a_legal_notice_whose_second_try_is_answered_is_sent(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "cancel_scheduled", occurrence="2027-03-01"))
    mailbox.will(drop_response=True)
    await outbox.drain(10)
    (row,) = await rows_of(database)
    assert (row.state, row.leased_until) == (MessageState.QUEUED, watch.at + timedelta(minutes=5))
    watch.passes(minutes=5)
    assert await outbox.drain(10) == 1
    (row,) = await rows_of(database)
    assert row.state is MessageState.SENT


class Killed(BaseException):
    """The process ends here."""


class KilledOnTheWay:
    """A mailer whose process dies before or after the mail is handed over."""

    def __init__(self, mailbox: Mailbox, *, after: bool) -> None:
        self.mailer = mailer_of(mailbox)
        self.after = after

    async def send(self, mail: OutgoingMail) -> MailOutcome:
        if self.after:
            await self.mailer.send(mail)
        raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before it was handed over", "after it"])
async def test_a_process_that_dies_while_sending_counts_as_a_lost_answer(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone, *, after: bool
) -> None:
    await write(database, queued(anna, "resumed"))
    with pytest.raises(Killed):
        await Messages(database, KilledOnTheWay(mailbox, after=after), RULES, now=watch).drain(10)
    (row,) = await rows_of(database)
    assert row.state is MessageState.SENDING
    watch.passes(seconds=89)
    assert await outbox.drain(10) == 0
    watch.passes(seconds=1)
    assert await outbox.drain(10) == 1
    (row,) = await rows_of(database)
    assert row.state is MessageState.DELIVERY_UNKNOWN
    assert len(mailbox.letters()) == (1 if after else 0)


async def test_a_process_that_dies_before_sending_costs_a_minute(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    async with database.write() as session:
        (claim,) = await books.claim(session, limit=10, now=watch.at)
    assert await outbox.drain(10) == 0
    watch.passes(seconds=60)
    assert await outbox.drain(10) == 1
    assert len(mailbox.letters()) == 1
    async with database.write() as session:  # should the dead one be alive after all: its lease is lost
        mail = RenderedMail(subject="x", text="x", html="x")
        assert await books.begin_sending(session, claim, mail, listed=(), now=watch.at) is None


async def test_an_answer_that_comes_after_all_is_written_down(
    database: Database, outbox: Messages, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    async with database.write() as session:
        (claim,) = await books.claim(session, limit=10, now=watch.at)
    async with database.write() as session:
        mail = RenderedMail(subject="s", text="t", html="h")
        sending = await books.begin_sending(session, claim, mail, listed=(), now=watch.at)
    assert sending is not None
    watch.passes(seconds=90)
    assert await outbox.drain(10) == 1
    async with database.write() as session:
        await books.record_sent(session, sending, provider_id="late", now=watch.at)
    (row,) = await rows_of(database)
    assert (row.state, row.provider_id) == (MessageState.SENT, "late")


async def test_two_drainers_at_once_send_each_mail_once(
    database: Database, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    days = [f"2027-02-{day:02d}" for day in range(1, 25)]
    await write(database, *(queued(anna, "resumed", occurrence=day) for day in days))
    drainers = [Messages(database, mailer_of(mailbox), RULES, now=watch) for _ in range(4)]
    done = await asyncio.gather(*(drainer.drain(7) for drainer in drainers for _ in range(2)))
    while await drainers[0].drain(7):
        pass
    rows = await rows_of(database)
    assert {row.state for row in rows} == {MessageState.SENT}
    letters = [letter["custom_args"]["message_id"] for letter in mailbox.letters()]
    assert sorted(letters) == sorted(row.id for row in rows)
    assert sum(done) <= 24


async def test_a_mail_that_cannot_be_written_holds_back_no_other(
    database: Database, outbox: Messages, mailbox: Mailbox, anna: Someone
) -> None:
    await write(
        database,
        queued(anna, "no_such_kind"),
        queued(anna, "plan_changed", context={"from": "Basic"}),
        queued(anna, "paused", occurrence="2027-02-02", recipients=[]),
        queued(anna, "resumed"),
    )
    assert await outbox.drain(10) == 4
    states = {row.kind: (row.state.value, row.last_error) for row in await rows_of(database)}
    assert states["resumed"] == ("sent", "")
    assert states["no_such_kind"][0] == states["plan_changed"][0] == states["paused"][0] == "refused"
    assert "no billing contact" in states["paused"][1]
    assert len(mailbox.letters()) == 1


async def test_a_fault_of_ours_is_tried_again_later(
    database: Database, outbox: Messages, watch: Watch, anna: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(database, queued(anna, "resumed"))

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("activities.messages.render", broken)
        assert await outbox.drain(10) == 0
    (row,) = await rows_of(database)
    assert (row.state, row.tries) == (MessageState.QUEUED, 1)
    assert "a bug" in row.last_error
    watch.passes(seconds=5)
    assert await outbox.drain(10) == 1


async def test_no_transaction_is_open_while_the_provider_is_asked(
    database: Database, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    open_now = 0

    def begun(_: object) -> None:
        nonlocal open_now
        open_now += 1

    def ended(_: object) -> None:
        nonlocal open_now
        open_now -= 1

    for name, function in (("begin", begun), ("commit", ended), ("rollback", ended)):
        event.listen(database.engine.sync_engine, name, function)

    class Looks(KilledOnTheWay):
        @override
        async def send(self, mail: OutgoingMail) -> MailOutcome:
            assert open_now == 0
            return await self.mailer.send(mail)

    assert await Messages(database, Looks(mailbox, after=True), RULES, now=watch).drain(10) == 1
    (row,) = await rows_of(database)
    assert row.state is MessageState.SENT


# Reminders of one customer and day (rules 26)


@pytest.fixture
async def ben(database: Database, anna: Someone) -> Someone:
    """Anna's second subscription."""
    async with database.write() as session:
        value = factories.state("sub_second", anna.customer.id, terms=factories.terms(plan_id=anna.plan.id))
        row = factories.subscription(anna.entity.id, value)
        session.add(row)
    return Someone(anna.entity, anna.customer, anna.method, anna.plan, row, None)


def reminder(
    someone: Someone, invoice: Invoice, *, at: datetime = NINE, ends_on: str = "2027-02-22"
) -> Message:
    context = {"ends_on": ends_on, "consequence": "suspend"}
    return queued(
        someone,
        "payment_reminder",
        step="reminder:7",
        occurrence="1",
        invoice_id=invoice.id,
        context=context,
        at=at,
    )


async def test_reminders_of_a_customer_and_day_are_one_mail_that_lists_all(
    database: Database, outbox: Messages, mailbox: Mailbox, anna: Someone, ben: Someone
) -> None:
    one, two = await chased_invoice(database, anna), await chased_invoice(database, ben)
    await write(
        database,
        reminder(anna, one, at=NINE),
        reminder(ben, two, at=NINE + timedelta(hours=14, minutes=59)),  # 23:59 in Paris
    )
    assert await outbox.drain(1) == 1
    (letter,) = mailbox.letters()
    assert letter["subject"] == "Rappel\u00a0: 69,60\u00a0€ à régler"
    assert f"Facture {one.number}" in letter["text"]
    assert f"Facture {two.number}" in letter["text"]
    rows = await rows_of(database)
    assert [row.state for row in rows] == [MessageState.SENT, MessageState.SENT]
    assert {row.provider_id for row in rows} == {letter["message_id"]}
    assert {row.body_text for row in rows} == {letter["text"]}


async def test_a_reminder_that_comes_later_on_the_day_was_said_already(
    database: Database, outbox: Messages, mailbox: Mailbox, anna: Someone, ben: Someone
) -> None:
    one, two = await chased_invoice(database, anna), await chased_invoice(database, ben)
    await write(database, reminder(anna, one))
    assert await outbox.drain(10) == 1
    await write(database, reminder(ben, two, at=NINE + timedelta(seconds=2)))
    await outbox.drain(10)
    (letter,) = mailbox.letters()
    assert {row.provider_id for row in await rows_of(database)} == {letter["message_id"]}


async def test_the_next_day_has_its_own_reminder(
    database: Database, outbox: Messages, mailbox: Mailbox, anna: Someone, ben: Someone
) -> None:
    one, two = await chased_invoice(database, anna), await chased_invoice(database, ben)
    midnight = NINE + timedelta(hours=15)  # in Paris; still 1 February in London
    await write(database, reminder(anna, one), reminder(ben, two, at=midnight))
    assert await outbox.drain(10) == 2
    assert len(mailbox.letters()) == 2


async def test_the_earliest_deadline_is_the_one_that_is_named(
    database: Database, outbox: Messages, mailbox: Mailbox, anna: Someone, ben: Someone
) -> None:
    one, two = await chased_invoice(database, anna), await chased_invoice(database, ben)
    await write(
        database,
        reminder(anna, one, at=NINE, ends_on="2027-03-01"),
        reminder(ben, two, at=NINE + timedelta(seconds=1), ends_on="2027-02-22"),
    )
    await outbox.drain(10)
    (letter,) = mailbox.letters()
    assert "21 février 2027" in letter["text"]  # the day before the end
    assert "28 février 2027" not in letter["text"]


async def test_a_reminder_of_a_paid_invoice_never_leaves(
    database: Database, outbox: Messages, mailbox: Mailbox, anna: Someone
) -> None:
    invoice = await chased_invoice(database, anna)
    await write(database, reminder(anna, invoice))
    async with database.write() as session:
        paid = await session.get_one(Invoice, invoice.id)
        paid.status, paid.paid_minor = paid.status.PAID, paid.total_minor
    assert await outbox.drain(10) == 1
    (row,) = await rows_of(database)
    assert row.state is MessageState.WITHDRAWN
    assert row.last_error == "Nothing is asked for any more: the invoice is paid."
    assert mailbox.letters() == []


async def test_a_paid_invoice_takes_no_other_reminder_of_the_day_with_it(
    database: Database, outbox: Messages, mailbox: Mailbox, anna: Someone, ben: Someone
) -> None:
    """Its deadline comes first, so that the mail would have been written from it."""
    paid, owed = await chased_invoice(database, anna), await chased_invoice(database, ben)
    await write(
        database,
        reminder(anna, paid, ends_on="2027-02-22"),
        reminder(ben, owed, at=NINE + timedelta(minutes=1), ends_on="2027-03-01"),
    )
    async with database.write() as session:
        row = await session.get_one(Invoice, paid.id)
        row.status, row.paid_minor = row.status.PAID, row.total_minor
    assert await outbox.drain(10) == 1
    (letter,) = mailbox.letters()
    assert f"Facture {owed.number}" in letter["text"]
    assert f"Facture {paid.number}" not in letter["text"]
    assert [row.state for row in await rows_of(database)] == [MessageState.WITHDRAWN, MessageState.SENT]


# The pace


def test_the_pace_grows_to_a_minute_and_ends_with_a_success(watch: Watch) -> None:
    pace = Pace()
    pauses = []
    for _ in range(9):
        assert not pace.rests(watch.at)
        pace.failed(watch.at)
        pace.failed(watch.at)  # a call side by side counts once
        start = watch.at
        while pace.rests(watch.at):
            watch.passes(seconds=1)
        pauses.append((watch.at - start).total_seconds())
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    pace.failed(watch.at)
    pace.succeeded()
    assert not pace.rests(watch.at)


# The activity that the outbox workflow keeps running


class NobodyRuns:
    """A Temporal client without any workflow."""

    def get_workflow_handle(self, _: str) -> NobodyRuns:
        return self

    async def signal(self, *_: object, **__: object) -> None:
        raise RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")


@pytest.fixture
def environment() -> ActivityEnvironment:
    return ActivityEnvironment(client=cast("Client", NobodyRuns()))


async def test_a_round_sends_mails_hands_on_events_and_beats(
    database: Database,
    outbox: Messages,
    mailbox: Mailbox,
    watch: Watch,
    anna: Someone,
    *,
    environment: ActivityEnvironment,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("activities.messages.ROUND_SECONDS", 0.0)
    beats: list[object] = []
    environment.on_heartbeat = lambda *details: beats.append(details)
    await write(database, queued(anna, "resumed"))
    async with database.write() as session:
        session.add(
            IncomingEvent(
                id="evt_1",
                provider="stripe",
                kind="payment_intent.succeeded",
                payload={"data": {"object": {"metadata": {"subscription": anna.subscription.id}}}},
                received_at=watch.at - timedelta(seconds=3),
            )
        )
    assert await environment.run(outbox.drain_outbox) == DrainReport(mails=1, events=1)
    assert beats
    assert len(mailbox.letters()) == 1
    async with database.read() as session:
        note = (await session.get_one(IncomingEvent, "evt_1")).note
    assert note == f"for the subscription; nobody runs: subscription/{anna.subscription.id}"


async def test_a_round_ends_when_the_worker_stops(outbox: Messages, environment: ActivityEnvironment) -> None:
    round_ = asyncio.create_task(environment.run(outbox.drain_outbox))
    await asyncio.sleep(0)
    environment.worker_shutdown()
    assert await asyncio.wait_for(round_, 10) == DrainReport()


async def test_a_mail_that_was_begun_is_written_down_when_the_round_is_cancelled(
    database: Database, mailbox: Mailbox, watch: Watch, anna: Someone
) -> None:
    await write(database, queued(anna, "resumed"))
    begun = asyncio.Event()

    class Slow(KilledOnTheWay):
        @override
        async def send(self, mail: OutgoingMail) -> MailOutcome:
            begun.set()
            await asyncio.sleep(0.2)
            return await self.mailer.send(mail)

    drain = asyncio.create_task(Messages(database, Slow(mailbox, after=True), RULES, now=watch).drain(10))
    await begun.wait()
    drain.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drain
    (row,) = await rows_of(database)
    assert row.state is MessageState.SENT
