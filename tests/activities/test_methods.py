"""Which payment method the gate lets an attempt charge, and what events make of a method (rules 23, 27)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select
from support import factories
from support.factories import NEW_YEAR, Someone
from support.provider_post import Told

from activities.books.chasing import load_case, lock_collection, open_collection
from activities.books.config import BookRules
from activities.books.gate import GateRefused, begin_attempt
from activities.books.inbox import store_event
from activities.books.standing import method_facts
from activities.books.steps import take_step
from activities.gateway import Charge, PreparedRequest
from activities.incoming import Incoming
from activities.stripe_requests import prepare
from billing.case import Case, in_charge, no_automatic_charge
from billing.dispute import DisputeState
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.steps import StepKind
from models.boundary import StepOrder
from models.database import Database
from models.tables import (
    Collection,
    Customer,
    Dispute,
    Invoice,
    Message,
    PaymentAttempt,
    PaymentMethod,
    SubscriptionRow,
)

DEAD = {"decline_code": "expired_card", "decline_class": DeclineClass.NEW_PAYMENT_METHOD}
ASKS = {"decline_code": "incorrect_cvc", "decline_class": DeclineClass.NEEDS_CUSTOMER}
POOR = {"decline_code": "insufficient_funds", "decline_class": DeclineClass.RETRY_LATER}
LATER = NEW_YEAR + timedelta(days=1)
AGREED: dict[str, Any] = {"backup_method_id": "pm_backup", "backup_agreed_at": NEW_YEAR}


class Preparing:
    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


class Till:
    """Anna, whose open invoice was declined on her default card; another card of hers is kept."""

    def __init__(self, database: Database, anna: Someone, invoice: Invoice) -> None:
        self.database, self.anna, self.invoice = database, anna, invoice

    async def begin(self, trigger: Trigger = Trigger.RETRY) -> str | None:
        """The method that the gate lets be charged, or None."""
        async with self.database.write() as session:
            answer = await begin_attempt(
                session,
                Preparing(),
                BookRules(),
                invoice_id=self.invoice.id,
                number=2,
                trigger=trigger,
                at=LATER,
            )
        return None if isinstance(answer, GateRefused) else answer.method_id

    async def case(self) -> Case:
        async with self.database.write() as session:
            row = await session.get_one(SubscriptionRow, self.anna.subscription.id)
            invoice = await session.get_one(Invoice, self.invoice.id)
            return await load_case(
                session, row, invoice, await lock_collection(session, invoice), BookRules()
            )

    async def change(self, table: type[Any], key: str, **changes: object) -> None:
        async with self.database.write() as session:
            found = await session.get_one(table, key)
            for name, value in changes.items():
                setattr(found, name, value)

    async def hear(
        self, kind: str, *, at: int = 1_800_000_000, event_id: str = "evt_1", **card: object
    ) -> tuple[str | None, list[tuple[str, str]]]:
        """An event about the default card: what was noted, and who was woken."""
        method = self.anna.method
        assert method is not None
        known = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030}
        thing = {
            "id": method.provider_id,
            "object": "payment_method",
            "type": "card",
            "card": {**known, "fingerprint": method.fingerprint, **card},
        }
        event = {"id": event_id, "type": kind, "created": at, "data": {"object": thing}}
        await store_event(self.database, event, received_at=datetime.now(UTC))
        told = Told()
        return await Incoming(self.database, told, now=lambda: LATER).hand_on(event_id), told.told

    async def asked(self) -> list[str]:
        async with self.database.read() as session:
            (chase,) = (await session.exec(select(Collection))).all()
        return [wish["trigger"] for wish in chase.asked]


async def till(database: Database, answer: dict[str, Any] = DEAD, **customer: object) -> Till:
    async with database.write() as session:
        anna = await factories.someone(session)
        backup = factories.method(anna.customer.id, id="pm_backup", last4="4444", fingerprint="backup-4444")
        for name, value in customer.items():
            setattr(anna.customer, name, value)
        invoice = factories.invoice(anna)
        first = factories.attempt(anna, invoice, state=AttemptState.DECLINED, settled_at=NEW_YEAR, **answer)
        session.add_all([backup, invoice, first])
        await session.flush()
        await open_collection(session, anna.subscription, invoice, NEW_YEAR)
    return Till(database, anna, invoice)


@pytest.mark.parametrize(
    ("answer", "trigger", "role"),
    [
        (DEAD, Trigger.BACKUP, "backup"),
        (DEAD, Trigger.RETRY, "backup"),
        (ASKS, Trigger.RETRY, "backup"),
        (POOR, Trigger.RETRY, "default"),
        (DEAD, Trigger.CUSTOMER, "default"),
        (DEAD, Trigger.SUPPORT, "default"),
        (DEAD, Trigger.METHOD_REPLACED, "default"),
    ],
)
async def test_the_gate_charges_the_method_that_was_planned(
    sqlite_database: Database, answer: dict[str, Any], trigger: Trigger, role: str
) -> None:
    anna = await till(sqlite_database, answer, **AGREED)
    planned = in_charge(await anna.case()) if trigger.is_automatic else await anna.case()
    assert anna.anna.method is not None
    expected = "pm_backup" if role == "backup" else anna.anna.method.id
    assert (planned.method, await anna.begin(trigger)) == (expected, expected)


async def test_without_the_customers_consent_nothing_stands_in(sqlite_database: Database) -> None:
    anna = await till(sqlite_database, backup_method_id="pm_backup")
    assert (await anna.case()).backup is None
    assert await anna.begin() != "pm_backup"


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        (PaymentMethod, {"stopped": True}),
        (PaymentMethod, {"detached_at": NEW_YEAR}),
        (PaymentMethod, {"kind": "sepa_debit"}),
        (Invoice, {"chase": 2}),
    ],
    ids=["stopped", "taken away", "a debit", "the payment was taken back"],
)
async def test_what_may_not_stand_in(
    sqlite_database: Database, table: type[Any], changes: dict[str, Any]
) -> None:
    anna = await till(sqlite_database, **AGREED)
    await anna.change(table, "pm_backup" if table is PaymentMethod else anna.invoice.id, **changes)
    assert await anna.begin() != "pm_backup"


async def test_nothing_stands_in_for_a_card_in_dispute(sqlite_database: Database) -> None:
    anna = await till(sqlite_database, **AGREED)
    assert anna.anna.method is not None
    async with sqlite_database.write() as session:
        session.add(
            Dispute(
                id="dp_1",
                provider_id="dp_1",
                attempt_id=(await session.exec(select(PaymentAttempt.id))).one(),
                invoice_id=anna.invoice.id,
                customer_id=anna.anna.customer.id,
                method_id=anna.anna.method.id,
                state=DisputeState.OPEN,
                reason="fraudulent",
                amount_minor=3480,
                currency="EUR",
                opened_at=NEW_YEAR,
            )
        )
    assert await anna.begin() is None
    assert in_charge(await anna.case()).method is None


async def test_a_card_that_was_stopped_leaves_its_place(sqlite_database: Database) -> None:
    anna = await till(sqlite_database, **AGREED)
    assert anna.anna.method is not None
    await anna.change(PaymentMethod, anna.anna.method.id, stopped=True)
    assert await anna.begin() == "pm_backup"
    async with sqlite_database.read() as session:
        row = await session.get_one(SubscriptionRow, anna.anna.subscription.id)
        assert await method_facts(session, row) == {"has_method": True, "method_expires_on": None}


# What the provider tells


async def test_a_renewed_card_is_charged_at_once_where_it_was_called_dead(sqlite_database: Database) -> None:
    anna = await till(sqlite_database)
    note, woken = await anna.hear("payment_method.automatically_updated", exp_year=2034, fingerprint="new")
    assert anna.anna.method is not None
    assert note == f"renewed {anna.anna.method.id}; to be charged: {anna.invoice.id}"
    assert woken == [
        (f"collection/{anna.invoice.id}", "look"),
        (f"subscription/{anna.anna.subscription.id}", "look"),
    ]
    assert await anna.asked() == ["renewed"]
    case = await anna.case()
    assert [attempt.card_renewed for attempt in case.attempts] == [True]
    assert (case.asked, case.on_method, case.elsewhere) == ((Trigger.RENEWED,), (), ())
    assert await anna.begin(Trigger.RENEWED) == anna.anna.method.id


async def test_of_the_same_number_the_networks_count_on(sqlite_database: Database) -> None:
    """Only the month changed: what was declined on the number still counts among its thirty days."""
    anna = await till(sqlite_database)
    await anna.hear("payment_method.automatically_updated", exp_year=2034)
    assert [attempt.number for attempt in (await anna.case()).elsewhere] == [1]


@pytest.mark.parametrize("answer", [POOR, ASKS], ids=["poor", "asks"])
async def test_a_decline_for_another_reason_causes_no_charge(
    sqlite_database: Database, answer: dict[str, Any]
) -> None:
    anna = await till(sqlite_database, answer)
    await anna.hear("payment_method.automatically_updated", exp_year=2034)
    assert await anna.asked() == []


@pytest.mark.parametrize(
    ("code", "never_again", "charges"),
    [
        ("invalid_account", False, True),
        ("new_account_information_available", False, True),
        ("invalid_account", True, True),
        ("transaction_not_allowed", False, False),
        ("currency_not_supported", False, False),
        ("stop_payment_order", True, False),
        ("revocation_of_authorization", True, False),
        ("do_not_honor", True, False),
    ],
)
async def test_a_card_with_another_number_is_tried_at_once_only_where_the_number_was_the_trouble(
    sqlite_database: Database, code: str, *, never_again: bool, charges: bool
) -> None:
    """stripe B7; who told the bank to stop the payments did not mean the number."""
    answer = {"decline_code": code, "decline_class": DeclineClass.NEW_PAYMENT_METHOD}
    anna = await till(sqlite_database, answer | {"never_again": never_again})
    await anna.hear(
        "payment_method.automatically_updated", exp_year=2034, last4="9999", fingerprint="fingerprint-9999"
    )
    assert await anna.asked() == (["renewed"] if charges else [])
    is_withdrawn = never_again and not charges
    assert (no_automatic_charge(await anna.case(), Trigger.RETRY) is not None) is is_withdrawn
    assert (await anna.begin(Trigger.RETRY) is None) is is_withdrawn


async def test_a_renewed_card_that_is_not_charged_any_more_causes_no_charge_of_another(
    sqlite_database: Database,
) -> None:
    """Its owner gave another card since, which was declined for want of money and waits for its own day."""
    anna = await till(sqlite_database)
    async with sqlite_database.write() as session:
        session.add(factories.method(anna.anna.customer.id, id="pm_new", fingerprint="new", last4="1111"))
        await session.flush()
        customer = await session.get_one(Customer, anna.anna.customer.id)
        customer.default_method_id = "pm_new"
        declined = {"state": AttemptState.DECLINED, "trigger": Trigger.METHOD_REPLACED, **POOR}
        session.add(factories.attempt(anna.anna, anna.invoice, 2, method_id="pm_new", **declined))
    await anna.hear("payment_method.automatically_updated", exp_year=2034)
    assert await anna.asked() == []


async def test_a_card_that_was_taken_away_is_charged_by_no_late_news_of_it(sqlite_database: Database) -> None:
    anna = await till(sqlite_database, **AGREED)
    await anna.hear("payment_method.detached", event_id="evt_d", at=1_800_000_100)
    note, _ = await anna.hear("payment_method.automatically_updated", event_id="evt_u", exp_year=2034)
    assert anna.anna.method is not None
    assert note == f"renewed {anna.anna.method.id}, which was taken away"
    assert await anna.asked() == []


async def test_a_chase_that_is_over_stays_over(sqlite_database: Database) -> None:
    anna = await till(sqlite_database)
    async with sqlite_database.write() as session:
        (chase,) = (await session.exec(select(Collection))).all()
        chase.ended = True
    note, _ = await anna.hear("payment_method.automatically_updated", exp_year=2034)
    assert anna.anna.method is not None
    assert (note, await anna.asked()) == (f"renewed {anna.anna.method.id}", [])


async def test_what_arrives_late_does_not_undo_what_is_newer(sqlite_database: Database) -> None:
    anna = await till(sqlite_database)
    await anna.hear("payment_method.automatically_updated", at=1_800_000_100, exp_year=2034)
    note, _ = await anna.hear(
        "payment_method.updated", at=1_800_000_000, event_id="evt_0", exp_year=2030, last4="4242"
    )
    assert anna.anna.method is not None
    assert note == f"noted: of {anna.anna.method.id} something newer is known"
    async with sqlite_database.read() as session:
        assert (await session.get_one(PaymentMethod, anna.anna.method.id)).exp_year == 2034


async def test_told_twice_it_is_one_charge_and_the_chase_hears_of_it_again(sqlite_database: Database) -> None:
    anna = await till(sqlite_database)
    _, woken = await anna.hear("payment_method.automatically_updated", exp_year=2034)
    _, again = await anna.hear("payment_method.automatically_updated", event_id="evt_2", exp_year=2034)
    assert woken == again
    assert await anna.asked() == ["renewed"]


async def test_a_card_that_was_taken_away_at_the_provider_gives_its_place_to_the_backup(
    sqlite_database: Database,
) -> None:
    anna = await till(sqlite_database, **AGREED)
    note, woken = await anna.hear("payment_method.detached")
    assert anna.anna.method is not None
    assert note == f"detached {anna.anna.method.id}"
    assert (f"collection/{anna.invoice.id}", "look") in woken
    async with sqlite_database.read() as session:
        customer = await session.get_one(Customer, anna.anna.customer.id)
        gone = await session.get_one(PaymentMethod, anna.anna.method.id)
    assert (customer.default_method_id, customer.backup_method_id) == ("pm_backup", None)
    assert customer.backup_agreed_at is None
    assert gone.detached_at == LATER


async def test_an_attempt_that_is_under_way_keeps_its_answer(sqlite_database: Database) -> None:
    anna = await till(sqlite_database)
    async with sqlite_database.write() as session:
        (attempt,) = (await session.exec(select(PaymentAttempt))).all()
        attempt.state, attempt.settled_at, attempt.decline_class = AttemptState.PROCESSING, None, None
    await anna.hear("payment_method.automatically_updated", exp_year=2034)
    assert [a.card_renewed for a in (await anna.case()).attempts] == [False]


async def test_a_renewed_card_is_not_said_to_expire(sqlite_database: Database) -> None:
    """The workflow still waits for the day of the notice; the step is looked at again under the lock."""
    anna = await till(sqlite_database)
    card = anna.anna.method
    assert card is not None
    await anna.change(PaymentMethod, card.id, exp_year=2027, exp_month=1)
    order = StepOrder(
        subscription_id=anna.anna.subscription.id,
        kind=StepKind.NOTIFY,
        key="card_expiring:2027-01-31:month",
        as_of=datetime(2027, 1, 20, 11, tzinfo=UTC),
    )

    async def notices() -> list[str]:
        async with sqlite_database.write() as session:
            await take_step(session, Preparing(), BookRules(), order)
        async with sqlite_database.read() as session:
            query = select(Message).where(Message.kind == "card_expiring")
            return [message.occurrence for message in (await session.exec(query)).all()]

    await anna.hear("payment_method.automatically_updated", exp_year=2034)
    assert await notices() == []
    await anna.change(PaymentMethod, card.id, exp_year=2027, exp_month=1)
    assert await notices() == ["2027-01-31:month"]
