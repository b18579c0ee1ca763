"""What the books say, typed in by hand as rows, on both databases: the diary and the overview."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from support import factories

from activities.books.notices import AccessRules, emit, write_mail
from billing.payment import AttemptState, DeclineClass, Trigger
from models.database import Database
from models.tables import InvoiceStatus, Message, MessageState, PaymentState
from settings import Settings
from starter.client import RelanceClient
from starter.reading import FirstOutcome

ACCESS = AccessRules(window=timedelta(0), grace=timedelta(hours=24))
NEW_YEAR = factories.NEW_YEAR
"""The first instant of 1 January 2027 in Paris, as a UTC instant of 2026."""
THIRD = datetime(2027, 1, 3, 8, 0, tzinfo=UTC)


async def a_month(session: AsyncSession) -> factories.Someone:
    """Declined on the first, paid on the third."""
    anna = await factories.someone(session)
    invoice = factories.invoice(
        anna, status=InvoiceStatus.PAID, paid_minor=3480, number="F-000001", paid_at=THIRD
    )
    session.add(invoice)
    session.add(
        factories.attempt(
            anna,
            invoice,
            1,
            state=AttemptState.DECLINED,
            decline_code="insufficient_funds",
            decline_class=DeclineClass.RETRY_LATER,
            settled_at=NEW_YEAR + timedelta(seconds=2),
        )
    )
    session.add(
        factories.attempt(
            anna,
            invoice,
            2,
            trigger=Trigger.RETRY,
            state=AttemptState.SUCCEEDED,
            begun_at=THIRD,
            settled_at=THIRD + timedelta(seconds=3),
        )
    )
    row = anna.subscription
    emit(session, row, "subscription.started", {}, NEW_YEAR, ACCESS)
    emit(session, row, "subscription.past_due", {}, NEW_YEAR + timedelta(seconds=2), ACCESS)
    emit(session, row, "subscription.recovered", {}, THIRD + timedelta(seconds=3), ACCESS)
    for kind, at in (("payment_failed", NEW_YEAR), ("receipt", THIRD)):
        await write_mail(
            session,
            anna.customer,
            kind=kind,
            step=kind,
            occurrence="1",
            at=at,
            subscription=row,
            invoice=invoice,
        )
    return anna


@pytest.fixture
def client(database: Database) -> RelanceClient:
    async def now() -> datetime:
        return datetime(2027, 1, 20, 9, 0, tzinfo=UTC)

    return RelanceClient(
        database, None, Settings(temporal_address="127.0.0.1:1", boundary_window_minutes=0), now=now
    )


async def test_the_diary_tells_the_same_on_both_databases(client: RelanceClient, database: Database) -> None:
    async with database.write() as session:
        anna = await a_month(session)
    for key in (anna.subscription.id, anna.customer.id):
        assert [fact.line for fact in await client.diary(key)] == [
            "2027-01-01 invoice 34.80 issued",
            "2027-01-01 charge declined: insufficient_funds",
            "2027-01-01 status active",
            "2027-01-01 status past_due",
            "2027-01-01 access begins",
            "2027-01-01 mail payment_failed",
            "2027-01-03 charge paid 34.80",
            "2027-01-03 status active",
            "2027-01-03 mail receipt",
        ]


async def test_what_never_happened_is_not_told(client: RelanceClient, database: Database) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)
        draft = factories.invoice(
            anna, status=InvoiceStatus.DRAFT, number=None, issued_at=None, issued_on=None, gated=True
        )
        session.add(draft)
        session.add(factories.attempt(anna, draft, 1, state=AttemptState.QUEUED))
        await write_mail(
            session,
            anna.customer,
            kind="invoice_issued",
            step="invoice_issued",
            occurrence="1",
            at=NEW_YEAR,
            subscription=anna.subscription,
            invoice=draft,
        )
        await session.flush()
        [mail] = (await session.exec(select(Message))).all()
        mail.state = MessageState.WITHDRAWN
    assert await client.diary(anna.subscription.id) == []


async def test_a_failed_sign_up_shows_the_dropped_draft_and_why(
    client: RelanceClient, database: Database
) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)
        draft = factories.invoice(
            anna, status=InvoiceStatus.VOID, number=None, issued_at=None, issued_on=None, gated=True
        )
        session.add(draft)
        session.add(
            factories.attempt(
                anna,
                draft,
                1,
                state=AttemptState.ABANDONED,
                begun_at=NEW_YEAR,
                settled_at=NEW_YEAR + timedelta(days=9),
            )
        )
    view = await client.show(anna.subscription.id)
    assert [(i.id, i.status, [(a.state, a.at) for a in i.attempts]) for i in view.invoices] == [
        (draft.id, "void", [("abandoned", NEW_YEAR)])
    ]
    assert view.owed_minor == 0


async def test_support_reads_status_access_debts_and_what_comes(
    client: RelanceClient, database: Database
) -> None:
    async with database.write() as session:
        anna = await a_month(session)
    view = await client.show(anna.subscription.id)
    assert (view.status, view.entitled, view.owed_minor) == ("active", True, 0)
    assert view.access_until == datetime(2027, 2, 1, 23, 0, tzinfo=UTC)  # February in Paris, and a day
    assert view.next_invoice is not None
    assert (view.next_invoice.on, view.next_invoice.total_minor) == (date(2027, 2, 1), 3480)
    assert view.payment_method == "visa 4242, valid to 12/2030"
    assert [(a.trigger, a.state, a.decline_words) for a in view.invoices[0].attempts] == [
        ("first", "declined", "the bank declined: insufficient funds"),
        ("retry", "succeeded", ""),
    ]
    assert [mail.kind for mail in view.mails] == ["receipt", "payment_failed"]
    assert [(step.on, step.what, step.why) for step in view.ahead] == [
        (date(2027, 2, 1), "boundary", "renewal on 2027-02-01")
    ]


async def test_the_state_comes_from_the_books_where_temporal_is_away(
    client: RelanceClient, database: Database
) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)
    answer = await client.state(anna.subscription.id)
    assert (answer.source, answer.as_of) == ("books", factories.BORN)
    assert answer.state.next.why == "renewal on 2027-02-01"


@pytest.mark.parametrize(
    ("invoice", "attempt", "outcome"),
    [
        ({"status": InvoiceStatus.PAID, "paid_minor": 3480}, {"state": "succeeded"}, FirstOutcome.PAID),
        ({"payment_state": PaymentState.PROCESSING}, {"state": "processing"}, FirstOutcome.PROCESSING),
        ({"payment_state": PaymentState.UNKNOWN}, {"state": "unknown"}, FirstOutcome.PROCESSING),
        (
            {"payment_state": PaymentState.ACTION_REQUIRED},
            {"state": "action_required"},
            FirstOutcome.ACTION_REQUIRED,
        ),
        ({"payment_state": PaymentState.DECLINED}, {"state": "declined"}, FirstOutcome.DECLINED),
        ({"owner": "collection"}, None, FirstOutcome.NO_METHOD),
    ],
)
async def test_the_first_payment_in_every_state(
    sqlite_database: Database, invoice: dict[str, Any], attempt: dict[str, Any] | None, outcome: FirstOutcome
) -> None:
    client = RelanceClient(sqlite_database, None, Settings())
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        row = factories.invoice(anna, **invoice)
        session.add(row)
        if attempt is not None:
            session.add(factories.attempt(anna, row, 1, **attempt))
    assert (await client.wait_for_first_payment(anna.subscription.id, seconds=0)).outcome is outcome
