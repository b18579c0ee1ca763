from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select
from support import factories
from support.factories import NEW_YEAR, Someone
from support.processes import PROCESSES, Crowd

from activities.books.chasing import open_collection
from activities.books.config import BookRules
from activities.books.gate import GateRefused, Refusal, begin_attempt
from activities.gateway import Charge, PreparedRequest
from activities.stripe_requests import prepare
from billing.payment import AttemptState, Trigger
from models.database import Database
from models.tables import Invoice, InvoiceStatus, PaymentAttempt

LIVE = {"queued", "started", "processing", "action_required", "unknown"}
PERSONS = (Trigger.CUSTOMER, Trigger.SUPPORT, Trigger.METHOD_REPLACED)


class Preparing:
    """The part of the gateway that needs no network."""

    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


async def _begin(
    database: Database,
    invoice: Invoice,
    number: int = 1,
    trigger: Trigger = Trigger.FIRST,
    *,
    at: datetime = NEW_YEAR,
    state: AttemptState = AttemptState.STARTED,
) -> PaymentAttempt | Refusal:
    async with database.write() as session:
        answer = await begin_attempt(
            session,
            Preparing(),
            BookRules(),
            invoice_id=invoice.id,
            number=number,
            trigger=trigger,
            at=at,
            state=state,
        )
    return answer.reason if isinstance(answer, GateRefused) else answer


async def _owing(database: Database, **changes: Any) -> tuple[Someone, Invoice]:  # noqa: ANN401 - of the row
    """Somebody with a card of their own and an open invoice."""
    async with database.write() as session:
        anna = await factories.someone(session)
        assert anna.method is not None
        anna.method.fingerprint = f"fingerprint-{anna.customer.id}"
        invoice = factories.invoice(anna, **changes)
        session.add(invoice)
    return anna, invoice


async def _change(database: Database, row: Any, **changes: Any) -> None:  # noqa: ANN401 - any row
    async with database.write() as session:
        found = await session.get_one(type(row), row.id)
        for name, value in changes.items():
            setattr(found, name, value)


async def _attempts(database: Database, invoice: Invoice) -> list[PaymentAttempt]:
    async with database.read() as session:
        found = await session.exec(
            select(PaymentAttempt).where(PaymentAttempt.invoice_id == invoice.id).order_by("number")
        )
        return list(found.all())


async def _declined(
    database: Database,
    anna: Someone,
    invoice: Invoice,
    *triggers: Trigger,
    apart: timedelta = timedelta(days=1),
) -> None:
    """Write attempts that were all declined, so long apart, and the last one so long before New Year."""
    async with database.write() as session:
        for number, trigger in enumerate(triggers, start=1):
            session.add(
                factories.attempt(
                    anna,
                    invoice,
                    number,
                    trigger=trigger,
                    state=AttemptState.DECLINED,
                    begun_at=NEW_YEAR - (len(triggers) + 1 - number) * apart,
                )
            )


# One after the other


async def test_an_attempt_is_written_with_the_request_that_will_be_sent(database: Database) -> None:
    anna, invoice = await _owing(database, number="F-000001")
    assert anna.method is not None

    await _begin(database, invoice)

    (attempt,) = await _attempts(database, invoice)
    assert (attempt.number, attempt.trigger, attempt.state) == (1, Trigger.FIRST, AttemptState.STARTED)
    assert (attempt.amount_minor, attempt.currency, attempt.begun_at) == (3480, "EUR", NEW_YEAR)
    assert (attempt.chase, attempt.generation) == (1, 1)
    assert attempt.fingerprint == f"fingerprint-{anna.customer.id}"
    assert attempt.idempotency_key == attempt.request["idempotency_key"] == f"{invoice.id}:pi:1"
    assert attempt.request["params"]["amount"] == 3480
    assert attempt.request["params"]["customer"] == "cus_anna"
    assert attempt.request["params"]["payment_method"] == anna.method.provider_id


async def test_asked_again_for_a_number_it_answers_the_same_row_whatever_has_become_of_it(
    database: Database,
) -> None:
    _, invoice = await _owing(database)
    first = await _begin(database, invoice)
    assert isinstance(first, PaymentAttempt)

    again = await _begin(database, invoice, at=NEW_YEAR + timedelta(minutes=5))
    assert isinstance(again, PaymentAttempt)
    assert (again.id, again.begun_at, again.request) == (first.id, NEW_YEAR, first.request)

    await _change(database, first, state=AttemptState.SUCCEEDED)
    await _change(database, invoice, status=InvoiceStatus.PAID, paid_minor=3480)
    settled = await _begin(database, invoice)
    assert isinstance(settled, PaymentAttempt)
    assert (settled.id, settled.state) == (first.id, AttemptState.SUCCEEDED)
    assert len(await _attempts(database, invoice)) == 1


async def test_a_queued_attempt_begins_when_it_is_asked_for_again(database: Database) -> None:
    _, invoice = await _owing(database)
    queued = await _begin(database, invoice, state=AttemptState.QUEUED)
    begun = await _begin(database, invoice)
    assert isinstance(queued, PaymentAttempt)
    assert isinstance(begun, PaymentAttempt)
    assert (queued.state, begun.state) == (AttemptState.QUEUED, AttemptState.STARTED)
    assert begun.id == queued.id


@pytest.mark.parametrize(
    ("shut", "refusal"),
    [
        ({"automatic_collecting": False}, Refusal.STOPPED),
        ({"frozen": True}, Refusal.FROZEN),
        ({"status": InvoiceStatus.UNCOLLECTIBLE}, Refusal.NOT_OPEN),
    ],
)
async def test_a_queued_attempt_does_not_begin_once_the_gate_was_shut(
    sqlite_database: Database, shut: dict[str, object], refusal: Refusal
) -> None:
    _, invoice = await _owing(sqlite_database)
    await _begin(sqlite_database, invoice, state=AttemptState.QUEUED)
    await _change(sqlite_database, invoice, **shut)
    assert await _begin(sqlite_database, invoice) is refusal
    assert [a.state for a in await _attempts(sqlite_database, invoice)] == [AttemptState.QUEUED]


@pytest.mark.parametrize("state", ["queued", "started", "processing", "action_required", "unknown"])
async def test_while_one_attempt_lives_no_other_begins(sqlite_database: Database, state: str) -> None:
    anna, invoice = await _owing(sqlite_database)
    async with sqlite_database.write() as session:
        session.add(factories.attempt(anna, invoice, state=AttemptState(state)))
    assert await _begin(sqlite_database, invoice, 2, Trigger.CUSTOMER) is Refusal.UNDER_WAY


@pytest.mark.parametrize("state", ["declined", "abandoned", "returned"])
async def test_after_one_that_is_over_the_next_number_begins(sqlite_database: Database, state: str) -> None:
    anna, invoice = await _owing(sqlite_database, payment_intent="pi_1")
    async with sqlite_database.write() as session:
        session.add(factories.attempt(anna, invoice, state=AttemptState(state)))
    assert await _begin(sqlite_database, invoice, 3, Trigger.RETRY) is Refusal.NOT_NEXT
    second = await _begin(sqlite_database, invoice, 2, Trigger.RETRY)
    assert isinstance(second, PaymentAttempt)
    assert second.idempotency_key == f"{invoice.id}:confirm:1:2"
    assert second.request["payment_intent"] == "pi_1"


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"status": InvoiceStatus.PAID, "paid_minor": 3480}, Refusal.NOT_OPEN),
        ({"status": InvoiceStatus.UNCOLLECTIBLE}, Refusal.NOT_OPEN),
        ({"status": InvoiceStatus.VOID, "number": None}, Refusal.NOT_OPEN),
        ({"status": InvoiceStatus.DRAFT, "number": None}, Refusal.NOT_OPEN),
        ({"frozen": True}, Refusal.FROZEN),
        ({"paid_minor": 3431}, Refusal.NOT_OPEN),  # 0.49 EUR left: below what Stripe charges
    ],
)
@pytest.mark.parametrize("trigger", [Trigger.FIRST, Trigger.CUSTOMER])
async def test_nobody_charges_an_invoice_that_is_not_to_be_paid_now(
    sqlite_database: Database, changes: dict[str, object], refusal: Refusal, trigger: Trigger
) -> None:
    _, invoice = await _owing(sqlite_database, **changes)
    assert await _begin(sqlite_database, invoice, trigger=trigger) is refusal
    assert await _attempts(sqlite_database, invoice) == []


@pytest.mark.parametrize("held_by", ["promise_on", "held_until"])
@pytest.mark.parametrize("state", [AttemptState.QUEUED, None], ids=["queued", "planned"])
async def test_a_promise_holds_what_was_planned_or_queued_before_it(
    sqlite_database: Database, held_by: str, state: AttemptState | None
) -> None:
    """Rules 25: every charge until its date, where one is made."""
    anna, invoice = await _owing(sqlite_database)
    if state is not None:
        await _begin(sqlite_database, invoice, state=state)
    async with sqlite_database.write() as session:
        chase = await open_collection(session, anna.subscription, invoice, NEW_YEAR)
        setattr(chase, held_by, date(2027, 1, 3))
    assert await _begin(sqlite_database, invoice, trigger=Trigger.RETRY) is Refusal.HELD
    day2, day3 = (datetime(2027, 1, day, 8, tzinfo=UTC) for day in (2, 3))
    assert await _begin(sqlite_database, invoice, trigger=Trigger.RETRY, at=day2) is Refusal.HELD
    assert isinstance(
        await _begin(sqlite_database, invoice, trigger=Trigger.PROMISE, at=day3), PaymentAttempt
    )


async def test_a_promise_does_not_hold_what_a_person_asks_for(sqlite_database: Database) -> None:
    anna, invoice = await _owing(sqlite_database)
    async with sqlite_database.write() as session:
        chase = await open_collection(session, anna.subscription, invoice, NEW_YEAR)
        chase.promise_on = date(2027, 1, 3)
    assert isinstance(await _begin(sqlite_database, invoice, trigger=Trigger.CUSTOMER), PaymentAttempt)


async def test_a_gated_draft_is_charged_before_it_has_a_number(sqlite_database: Database) -> None:
    _, invoice = await _owing(sqlite_database, status=InvoiceStatus.DRAFT, number=None, gated=True)
    assert isinstance(await _begin(sqlite_database, invoice), PaymentAttempt)


@pytest.mark.parametrize("on", ["invoice", "subscription"])
async def test_after_a_cancel_now_only_a_person_starts_an_attempt(sqlite_database: Database, on: str) -> None:
    anna, invoice = await _owing(sqlite_database)
    await _change(
        sqlite_database, invoice if on == "invoice" else anna.subscription, automatic_collecting=False
    )
    for trigger in (Trigger.FIRST, Trigger.RETRY, Trigger.REPEAT, Trigger.PROMISE):
        assert await _begin(sqlite_database, invoice, trigger=trigger) is Refusal.STOPPED
    for number, trigger in enumerate(PERSONS, start=1):
        attempt = await _begin(sqlite_database, invoice, number, trigger)
        assert isinstance(attempt, PaymentAttempt)
        await _change(sqlite_database, attempt, state=AttemptState.DECLINED)
        await _change(sqlite_database, invoice, generation=number + 1)


@pytest.mark.parametrize("gone", ["none", "stopped", "detached"])
async def test_without_a_usable_method_there_is_nothing_to_charge(
    sqlite_database: Database, gone: str
) -> None:
    anna, invoice = await _owing(sqlite_database)
    assert anna.method is not None
    match gone:
        case "none":
            await _change(sqlite_database, anna.customer, default_method_id=None)
        case "stopped":
            await _change(sqlite_database, anna.method, stopped=True)
        case _:
            await _change(sqlite_database, anna.method, detached_at=NEW_YEAR)
    assert await _begin(sqlite_database, invoice) is Refusal.NO_METHOD


# Caps (rules 23)


async def test_a_chase_has_a_first_charge_and_four_retries(sqlite_database: Database) -> None:
    anna, invoice = await _owing(sqlite_database, payment_intent="pi_1")
    await _declined(
        sqlite_database, anna, invoice, Trigger.FIRST, Trigger.REPEAT, Trigger.RETRY, Trigger.RETRY
    )
    fifth = await _begin(sqlite_database, invoice, 5, Trigger.RETRY)
    assert isinstance(fifth, PaymentAttempt)
    await _change(sqlite_database, fifth, state=AttemptState.DECLINED)

    a_week_on = NEW_YEAR + timedelta(days=7)
    for trigger in (Trigger.RETRY, Trigger.PROMISE):
        assert await _begin(sqlite_database, invoice, 6, trigger, at=a_week_on) is Refusal.CAP
    assert isinstance(await _begin(sqlite_database, invoice, 6, Trigger.CUSTOMER), PaymentAttempt)


async def test_what_persons_start_does_not_use_up_the_retries(sqlite_database: Database) -> None:
    anna, invoice = await _owing(sqlite_database, payment_intent="pi_1")
    await _declined(sqlite_database, anna, invoice, *PERSONS, Trigger.FIRST, Trigger.RETRY)
    assert isinstance(await _begin(sqlite_database, invoice, 6, Trigger.RETRY), PaymentAttempt)


async def test_an_invoice_opened_again_is_counted_anew(sqlite_database: Database) -> None:
    anna, invoice = await _owing(sqlite_database, payment_intent="pi_1")
    await _declined(sqlite_database, anna, invoice, Trigger.FIRST, *[Trigger.RETRY] * 4)
    await _change(sqlite_database, invoice, chase=2)
    attempt = await _begin(sqlite_database, invoice, 6, Trigger.FIRST)
    assert isinstance(attempt, PaymentAttempt)
    assert attempt.chase == 2


async def test_persons_start_five_attempts_in_24_hours(sqlite_database: Database) -> None:
    anna, invoice = await _owing(sqlite_database, payment_intent="pi_1")
    # Begun five, four, three, two and one hours before New Year.
    await _declined(sqlite_database, anna, invoice, *[Trigger.CUSTOMER] * 5, apart=timedelta(hours=1))
    assert await _begin(sqlite_database, invoice, 6, Trigger.SUPPORT) is Refusal.CAP

    nineteen_hours_on = datetime(2027, 1, 1, 18, 0, tzinfo=UTC)
    just_before = nineteen_hours_on - timedelta(seconds=1)
    assert await _begin(sqlite_database, invoice, 6, Trigger.CUSTOMER, at=just_before) is Refusal.CAP
    attempt = await _begin(sqlite_database, invoice, 6, Trigger.CUSTOMER, at=nineteen_hours_on)
    assert isinstance(attempt, PaymentAttempt)


# Five processes at once


async def _storm(number: int, url: str, invoice_id: str, turns: int) -> list[str]:
    """Try to charge, settle now and then what came of it; answers what the gate said each time."""
    database = Database(url, pool_size=1)
    said = []
    try:
        for turn in range(turns):
            async with database.write() as session:
                before = list(
                    await session.exec(select(PaymentAttempt).where(PaymentAttempt.invoice_id == invoice_id))
                )
                answer = await begin_attempt(
                    session,
                    Preparing(),
                    BookRules(),
                    invoice_id=invoice_id,
                    number=len(before) + 1,
                    trigger=Trigger.CUSTOMER if number == 0 else Trigger.RETRY,
                    # A card is tried again once in 24 hours: each retry has a day of its own.
                    at=NEW_YEAR if number == 0 else NEW_YEAR + timedelta(days=1 + len(before)),
                )
                said.append(answer.reason.value if isinstance(answer, GateRefused) else answer.id)
            if isinstance(answer, PaymentAttempt) and turn % 2 == 0:
                async with database.write() as session:
                    mine = await session.get_one(PaymentAttempt, answer.id, with_for_update=True)
                    mine.state = AttemptState.DECLINED
                    invoice = await session.get_one(Invoice, invoice_id, with_for_update=True)
                    invoice.payment_intent = "pi_1"
    finally:
        await database.close()
    return said


async def test_five_processes_begin_one_attempt_between_them(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    _, invoice = await _owing(database)
    answers = await crowd.run(_first, database_url, invoice.id)
    assert len(set(answers)) == 1
    assert [a.id for a in await _attempts(database, invoice)] == answers[:1]


async def _first(_: int, url: str, invoice_id: str) -> str:
    """Ask for attempt 1, ten times over."""
    database = Database(url, pool_size=1)
    try:
        ids = set()
        for _turn in range(10):
            async with database.write() as session:
                answer = await begin_attempt(
                    session,
                    Preparing(),
                    BookRules(),
                    invoice_id=invoice_id,
                    number=1,
                    trigger=Trigger.FIRST,
                    at=NEW_YEAR,
                )
                assert isinstance(answer, PaymentAttempt)
                ids.add(answer.id)
        return "+".join(ids)
    finally:
        await database.close()


async def test_five_processes_storm_the_gate_and_never_two_are_through(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    invoices = [(await _owing(database))[1] for _ in range(4)]
    for invoice in invoices:
        said = await crowd.run(_storm, database_url, invoice.id, 30)
        attempts = await _attempts(database, invoice)
        assert sum(len(answers) for answers in said) == 5 * 30
        assert [a.number for a in attempts] == list(range(1, len(attempts) + 1))
        assert sum(a.state.value in LIVE for a in attempts) <= 1
        assert sum(a.trigger is Trigger.RETRY for a in attempts) <= 5
        assert sum(a.trigger is Trigger.CUSTOMER for a in attempts) <= 5
        assert len({a.idempotency_key for a in attempts}) == len(attempts) >= 2
    assert PROCESSES == 5


@pytest.mark.parametrize("state", ["started", "succeeded"])
async def test_the_database_itself_refuses_a_second_attempt_that_lives_or_succeeded(
    database: Database, state: str
) -> None:
    anna, invoice = await _owing(database)

    async def write() -> None:
        async with database.write() as session:
            for number in (1, 2):
                session.add(factories.attempt(anna, invoice, number, state=AttemptState(state)))

    with pytest.raises(IntegrityError):
        await write()
    assert await _attempts(database, invoice) == []
