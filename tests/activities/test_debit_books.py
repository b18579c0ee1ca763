"""SEPA debits in the books: told first, made on their day, under a mandate that holds (rules 22, 28)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from sqlmodel import SQLModel, col, select
from support import factories
from support.bookkeeping import Preparing
from support.factories import BORN, NEW_YEAR, Someone

from activities.books.chase_steps import look_at_case
from activities.books.chasing import collection_key
from activities.books.config import BookRules
from activities.books.gate import GateRefused, Refusal, begin_attempt
from activities.books.inbox import errand_of, store_event
from activities.books.issuing import write_invoice
from activities.books.mandates import Agreed, keep_mandate, mandate_of
from activities.books.outcomes import record_outcome
from activities.books.rows import usable_method
from activities.books.transitions import collect_invoice
from activities.books.work import Work
from activities.gateway import MandateFacts
from billing.chase import Mail, StepKind
from billing.payment import (
    AttemptState,
    DeclineClass,
    Declined,
    Outcome,
    Paid,
    Processing,
    ProviderFee,
    Trigger,
)
from models.boundary import CaseReport, LookOrder
from models.database import Database
from models.tables import (
    Collection,
    Customer,
    Invoice,
    InvoiceStatus,
    JournalLine,
    MandateRow,
    Message,
    OutgoingEvent,
    PaymentAttempt,
    SubscriptionRow,
)
from starter.accounts import read_accounts

ISSUED = datetime(2027, 3, 23, 9, 0, tzinfo=UTC)
"""23 March 2027, a Tuesday before Easter: with three days of notice the debit is on the 30th (K4)."""
MORNING = datetime(2027, 3, 30, 7, 0, tzinfo=UTC)
RULES = BookRules()
Row = TypeVar("Row", bound=SQLModel)


class Debited:
    """A customer whose account is debited, and what the books say of one invoice."""

    def __init__(self, database: Database, anna: Someone, invoice_id: str, rules: BookRules = RULES) -> None:
        self.database, self.anna, self.invoice_id, self.rules = database, anna, invoice_id, rules

    async def look(self, at: datetime) -> CaseReport:
        """What the chase does at an instant; mails that are due by then are written."""
        async with self.database.write() as session:
            order = LookOrder(id=self.invoice_id, as_of=at)
            return await look_at_case(session, Preparing(), self.rules, order)

    async def begin(self, number: int, trigger: Trigger, at: datetime) -> PaymentAttempt | GateRefused:
        async with self.database.write() as session:
            return await begin_attempt(
                session,
                Preparing(),
                self.rules,
                invoice_id=self.invoice_id,
                number=number,
                trigger=trigger,
                at=at,
            )

    async def hears(self, attempt: PaymentAttempt, outcome: Outcome, at: datetime) -> None:
        async with self.database.write() as session:
            await record_outcome(
                session, Preparing(), self.rules, attempt_id=attempt.id, outcome=outcome, at=at
            )

    async def row(self, table: type[Row], key: str | None = None) -> Row:
        async with self.database.read() as session:
            return await session.get_one(table, key or self.invoice_id)

    async def collection(self) -> Collection:
        return await self.row(Collection, collection_key(await self.row(Invoice)))

    async def mandate(self) -> MandateRow:
        async with self.database.read() as session:
            return (await session.exec(select(MandateRow))).one()

    async def mails(self) -> list[tuple[str, str, dict[str, Any]]]:
        query = select(Message).where(Message.kind == "debit_notice").order_by(col(Message.at))
        async with self.database.read() as session:
            return [(mail.kind, mail.step, mail.context) for mail in (await session.exec(query)).all()]


async def issued(
    database: Database, *, at: datetime = ISSUED, rules: BookRules = RULES, gated: bool = False
) -> Debited:
    """34.80 issued to somebody whose account is debited, and on its way to be collected."""
    async with database.write() as session:
        anna = await factories.someone(session, by_debit=True)
        invoice = await write_invoice(session, anna.subscription, factories.issue(gated=gated), at, rules)
        await collect_invoice(Work(session, Preparing(), rules, anna.subscription, at), invoice)
    return Debited(database, anna, invoice.id, rules)


async def test_an_invoice_waits_for_the_day_that_its_payer_is_told_of(sqlite_database: Database) -> None:
    debited = await issued(sqlite_database)
    collection = await debited.collection()
    assert (collection.day0, collection.debit_on) == (date(2027, 3, 30), None)
    seen = await debited.look(ISSUED)
    assert (seen.step.kind, seen.step.due, seen.attempts) == (StepKind.CHARGE, MORNING, 0)
    assert (await debited.collection()).debit_on == date(2027, 3, 30)
    mandate = await debited.mandate()
    assert await debited.mails() == [
        (
            "debit_notice",
            "debit_notice:2027-03-30",
            {
                "amount_minor": 3480,
                "debit_on": "2027-03-30",
                "mandate": mandate.id,
                "attempted_on": None,
                "decline_class": None,
            },
        )
    ]
    await debited.look(ISSUED + timedelta(days=1))
    assert len(await debited.mails()) == 1
    invoice = await debited.row(Invoice)
    assert (invoice.status, invoice.in_arrears) == (InvoiceStatus.OPEN, False)


async def test_nothing_is_debited_that_was_not_told_nor_before_its_day(sqlite_database: Database) -> None:
    debited = await issued(sqlite_database)
    untold = await debited.begin(1, Trigger.FIRST, ISSUED)
    assert untold == GateRefused(Refusal.NOT_ANNOUNCED)
    await debited.look(ISSUED)
    evening_before = datetime(2027, 3, 29, 21, 59, tzinfo=UTC)
    for trigger in (Trigger.FIRST, Trigger.SUPPORT, Trigger.METHOD_REPLACED):
        assert await debited.begin(1, trigger, evening_before) == GateRefused(Refusal.NOT_ANNOUNCED)
    attempt = await debited.begin(1, Trigger.FIRST, MORNING)
    assert isinstance(attempt, PaymentAttempt)
    params = attempt.request["params"]
    assert params["allowed_payment_method_types"] == ["sepa_debit"]
    assert (params["off_session"], params["expand"]) == (True, ["latest_charge"])
    assert (await debited.mandate()).last_debit_on == date(2027, 3, 30)


async def test_what_the_payer_orders_needs_no_notice_and_is_confirmed(sqlite_database: Database) -> None:
    debited = await issued(sqlite_database)
    attempt = await debited.begin(1, Trigger.CUSTOMER, ISSUED)
    assert isinstance(attempt, PaymentAttempt)
    outcome = Processing(payment_intent="pi_1", expected_on=date(2027, 3, 25))
    await debited.hears(attempt, outcome, ISSUED)
    await debited.hears(attempt, outcome, ISSUED + timedelta(days=1))
    ((_, step, context),) = await debited.mails()
    assert (step, context["ordered"], context["amount_minor"]) == ("debit_notice:2027-03-25", True, 3480)
    assert (await debited.row(PaymentAttempt, attempt.id)).expected_on == date(2027, 3, 25)


async def test_while_it_is_under_way_nothing_is_owed_and_a_failure_is_told_with_the_repeat(
    sqlite_database: Database,
) -> None:
    debited = await issued(sqlite_database)
    await debited.look(ISSUED)
    attempt = await debited.begin(1, Trigger.FIRST, MORNING)
    assert isinstance(attempt, PaymentAttempt)
    await debited.hears(attempt, Processing(payment_intent="pi_1"), MORNING)
    invoice, row = (
        await debited.row(Invoice),
        await debited.row(SubscriptionRow, debited.anna.subscription.id),
    )
    assert (invoice.payment_state, invoice.in_arrears, row.status) == ("processing", False, "active")
    failed_at = datetime(2027, 4, 2, 9, 30, tzinfo=UTC)
    no = Declined(payment_intent="pi_1", code="insufficient_funds", decline_class=DeclineClass.RETRY_LATER)
    await debited.hears(attempt, no, failed_at)
    seen = await debited.look(failed_at)
    assert (await debited.row(SubscriptionRow, debited.anna.subscription.id)).status == "past_due"
    (_, step, context) = (await debited.mails())[-1]
    assert (step, context["attempted_on"], context["decline_class"]) == (
        "debit_notice:2027-04-09",
        "2027-03-30",
        "retry_later",
    )
    assert (seen.step.kind, seen.step.due) == (StepKind.CHARGE, datetime(2027, 4, 9, 7, 0, tzinfo=UTC))
    assert await debited.begin(2, Trigger.RETRY, failed_at) == GateRefused(Refusal.NOT_ANNOUNCED)


async def test_u15_the_end_of_the_service_is_not_decided_while_a_debit_is_under_way(
    sqlite_database: Database,
) -> None:
    """Who reads only events would hold the customer out on the policy's last day, whose end waits for the bank."""
    debited = await issued(sqlite_database)
    await debited.look(ISSUED)
    first = await debited.begin(1, Trigger.FIRST, MORNING)
    assert isinstance(first, PaymentAttempt)
    await debited.hears(first, Processing(payment_intent="pi_1"), MORNING)
    failed_at, repeated_at = datetime(2027, 4, 2, 9, 30, tzinfo=UTC), datetime(2027, 4, 9, 7, 0, tzinfo=UTC)
    no = Declined(payment_intent="pi_1", code="insufficient_funds", decline_class=DeclineClass.RETRY_LATER)
    await debited.hears(first, no, failed_at)
    await debited.look(failed_at)
    second = await debited.begin(2, Trigger.RETRY, repeated_at)
    assert isinstance(second, PaymentAttempt)
    await debited.hears(second, Processing(payment_intent="pi_1"), repeated_at)
    for day in (12, 22, 24):  # asked again and again, and still no word
        await debited.hears(
            second, Processing(payment_intent="pi_1"), datetime(2027, 4, day, 9, 30, tzinfo=UTC)
        )
    failed_again_at = datetime(2027, 4, 28, 9, 30, tzinfo=UTC)
    await debited.hears(second, no, failed_again_at)
    await debited.look(failed_again_at)
    own = await debited.begin(3, Trigger.CUSTOMER, datetime(2027, 5, 4, 9, 30, tzinfo=UTC))
    assert isinstance(own, PaymentAttempt)
    for day in (4, 6, 8):
        await debited.hears(own, Processing(payment_intent="pi_1"), datetime(2027, 5, day, 9, 30, tzinfo=UTC))
    await debited.hears(own, no, datetime(2027, 5, 9, 9, 30, tzinfo=UTC))
    async with sqlite_database.read() as session:
        query = select(OutgoingEvent).order_by(col(OutgoingEvent.sequence))
        events = (await session.exec(query)).all()
    told = [f"{e.at:%m-%d} {e.name} {e.access_until:%m-%d %H:%M}" for e in events if e.status == "past_due"]
    assert told == [
        "04-02 subscription.past_due 04-26 07:00",
        "04-02 access.changed 04-26 07:00",
        "04-02 dunning.step 04-26 07:00",
        "04-09 payment.processing 04-26 07:00",
        "04-22 access.changed 04-29 07:00",
        "04-24 access.changed 05-01 07:00",
        "04-28 payment.failed 05-01 07:00",
        "04-28 access.changed 05-05 07:00",
        "04-28 dunning.step 05-05 07:00",
        "05-04 payment.processing 05-05 07:00",
        "05-04 access.changed 05-12 07:00",
        "05-08 access.changed 05-19 07:00",
        "05-09 payment.failed 05-19 07:00",
        "05-09 access.changed 05-05 07:00",
    ]


async def test_a_sign_up_is_debited_at_once_and_begins_with_the_banks_order(
    sqlite_database: Database,
) -> None:
    debited = await issued(sqlite_database, gated=True)
    (attempt,) = await attempts(sqlite_database)
    assert attempt.state is AttemptState.QUEUED
    begun = await debited.begin(1, Trigger.FIRST, ISSUED)
    assert isinstance(begun, PaymentAttempt)
    await debited.hears(begun, Processing(payment_intent="pi_1"), ISSUED)
    invoice = await debited.row(Invoice)
    assert (invoice.status, invoice.number) == (InvoiceStatus.OPEN, "F-000001")
    collection = await debited.collection()
    assert collection.day0 == date(2027, 3, 23)
    # No day was named: the first banking day after the order.
    assert [step for _, step, _ in await debited.mails()] == ["debit_notice:2027-03-24"]


async def test_a_seller_may_wait_for_the_money_of_a_sign_up(sqlite_database: Database) -> None:
    debited = await issued(sqlite_database, gated=True, rules=BookRules(access_when_settled=True))
    begun = await debited.begin(1, Trigger.FIRST, ISSUED)
    assert isinstance(begun, PaymentAttempt)
    await debited.hears(begun, Processing(payment_intent="pi_1"), ISSUED)
    seen = await debited.look(ISSUED + timedelta(days=2))
    invoice = await debited.row(Invoice)
    assert (invoice.status, invoice.number, seen.step.kind) == (InvoiceStatus.DRAFT, None, StepKind.SETTLE)
    await debited.hears(begun, Paid(payment_intent="pi_1", charge="ch_1"), ISSUED + timedelta(days=8))
    invoice = await debited.row(Invoice)
    assert (invoice.status, invoice.number) == (InvoiceStatus.PAID, "F-000001")


async def test_another_kind_of_method_is_charged_by_another_payment_intent(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        invoice = await write_invoice(session, anna.subscription, factories.issue(), ISSUED, RULES)
        await collect_invoice(Work(session, Preparing(), RULES, anna.subscription, ISSUED), invoice)
    debited = Debited(sqlite_database, anna, invoice.id)
    attempt = await debited.begin(1, Trigger.FIRST, ISSUED)
    assert isinstance(attempt, PaymentAttempt)
    no = Declined(
        payment_intent="pi_card", code="expired_card", decline_class=DeclineClass.NEW_PAYMENT_METHOD
    )
    await debited.hears(attempt, no, ISSUED)
    async with sqlite_database.write() as session:
        account = factories.account(anna.customer.id)
        session.add(account)
        await session.flush()
        session.add(factories.mandate(account))
        (await session.get_one(Customer, anna.customer.id)).default_method_id = account.id
    second = await debited.begin(2, Trigger.CUSTOMER, ISSUED + timedelta(hours=1))
    assert isinstance(second, PaymentAttempt)
    assert (second.generation, second.request["operation"]) == (2, "create_and_confirm")
    assert (await debited.row(Invoice)).superseded_intent == "pi_card"


# Mandates


async def test_a_mandate_that_nobody_used_for_36_months_is_over_when_it_is_needed(
    sqlite_database: Database,
) -> None:
    later = datetime(2029, 12, 17, 9, 0, tzinfo=UTC)  # accepted on 15 December 2026
    debited = await issued(sqlite_database, at=later)
    mandate = await debited.mandate()
    assert mandate.ended_because == "nothing was collected under it for 36 months"
    seen = await debited.look(later)
    assert (await debited.collection()).day0 == date(2029, 12, 17)
    assert seen.step.mail is not Mail.DEBIT_NOTICE
    assert await debited.mails() == []
    async with sqlite_database.read() as session:
        kinds = [mail.kind for mail in (await session.exec(select(Message))).all()]
    assert sorted(kinds) == ["invoice_issued", "payment_failed"]


async def test_on_its_last_day_it_still_holds(sqlite_database: Database) -> None:
    last_day = datetime(2029, 12, 15, 9, 0, tzinfo=UTC)
    assert (await (await issued(sqlite_database, at=last_day)).mandate()).ended_at is None


async def test_one_that_is_revoked_at_the_provider_never_comes_back(sqlite_database: Database) -> None:
    debited = await issued(sqlite_database)
    await debited.look(ISSUED)
    mandate = await debited.mandate()

    async def hears(event_id: str, status: str) -> str:
        thing = {"object": "mandate", "id": mandate.provider_id, "status": status}
        event = {"id": event_id, "type": "mandate.updated", "data": {"object": thing}}
        await store_event(sqlite_database, event, received_at=ISSUED)
        async with sqlite_database.write() as session:
            return (await errand_of(session, event_id, now=ISSUED)).note

    assert await hears("evt_1", "inactive") == f"ended {mandate.id}"
    # An older word arrives later, and the news once more.
    assert await hears("evt_2", "active") == f"noted: mandate {mandate.id} is over here"
    assert await hears("evt_3", "inactive") == f"ended {mandate.id}"
    assert (await debited.mandate()).ended_at == ISSUED
    async with sqlite_database.read() as session:
        customer = await session.get_one(Customer, debited.anna.customer.id)
        assert await usable_method(session, customer) is None
    refused = await debited.begin(1, Trigger.FIRST, MORNING)
    assert refused == GateRefused(Refusal.NO_METHOD)
    # What was announced is asked for instead.
    assert (await debited.look(MORNING)).step.kind is not StepKind.CHARGE
    thing = {"object": "mandate", "id": "mandate_else", "status": "inactive"}
    await store_event(
        sqlite_database,
        {"id": "evt_4", "type": "mandate.updated", "data": {"object": thing}},
        received_at=ISSUED,
    )
    async with sqlite_database.write() as session:
        errand = await errand_of(session, "evt_4", now=ISSUED)
    assert errand.note == "noted: mandate mandate_else is none of ours"


async def test_an_account_that_the_bank_refuses_is_not_announced_again(sqlite_database: Database) -> None:
    debited = await issued(sqlite_database)
    await debited.look(ISSUED)
    attempt = await debited.begin(1, Trigger.FIRST, MORNING)
    assert isinstance(attempt, PaymentAttempt)
    await debited.hears(attempt, Processing(payment_intent="pi_1"), MORNING)
    failed_at = datetime(2027, 4, 2, 9, 30, tzinfo=UTC)
    no = Declined(payment_intent="pi_1", code="account_closed", decline_class=DeclineClass.NEW_PAYMENT_METHOD)
    await debited.hears(attempt, no, failed_at)
    seen = await debited.look(failed_at)
    mandate = await debited.mandate()
    assert (mandate.ended_at, mandate.ended_because) == (
        failed_at,
        "the bank refused the account: account_closed",
    )
    assert len(await debited.mails()) == 1
    async with sqlite_database.read() as session:
        kinds = [mail.kind for mail in (await session.exec(select(Message))).all()]
    assert sorted(kinds) == ["debit_notice", "invoice_issued", "payment_failed"]
    assert seen.step.kind is StepKind.NOTICE


async def test_a_new_mandate_takes_the_place_of_the_one_before(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session, by_debit=True)
    assert anna.method is not None
    facts = MandateFacts(id="mandate_2", reference="NEW", is_active=True, accepted_at=NEW_YEAR)
    agreed = Agreed(notice_days=14, text="I agree.", text_version="2027-01")
    async with sqlite_database.write() as session:
        method = await session.get_one(type(anna.method), anna.method.id)
        new = await keep_mandate(session, method, facts, agreed, creditor_id="FR72ZZZ123456", at=NEW_YEAR)
        again = await keep_mandate(session, method, facts, agreed, creditor_id="", at=NEW_YEAR)
        assert again is new
        current = await mandate_of(session, method)
        assert current is new
        query = select(MandateRow).where(MandateRow.id != new.id)
        old = (await session.exec(query)).one()
    assert (old.ended_at, old.ended_because) == (NEW_YEAR, "replaced by another mandate")
    assert (new.notice_days, new.text_version, new.accepted_at) == (14, "2027-01", NEW_YEAR)
    assert old.accepted_at == BORN


async def attempts(database: Database) -> list[PaymentAttempt]:
    async with database.read() as session:
        return list((await session.exec(select(PaymentAttempt))).all())


async def test_what_the_provider_keeps_of_a_failed_debit_is_booked_once_and_is_not_the_customers(
    sqlite_database: Database,
) -> None:
    debited = await issued(sqlite_database)
    await debited.look(ISSUED)
    fee = ProviderFee(id="txn_1", amount_minor=350, currency="EUR")
    given_back = ProviderFee(id="txn_2", amount_minor=-35, currency="EUR")
    no = Declined(
        payment_intent="pi_1",
        code="insufficient_funds",
        decline_class=DeclineClass.RETRY_LATER,
        fees=(given_back, fee),
    )
    attempt = await debited.begin(1, Trigger.FIRST, MORNING)
    assert isinstance(attempt, PaymentAttempt)
    await debited.hears(attempt, Processing(payment_intent="pi_1"), MORNING)
    for _ in range(2):
        await debited.hears(attempt, no, datetime(2027, 4, 2, 9, 30, tzinfo=UTC))
    async with sqlite_database.read() as session:
        query = select(JournalLine).where(JournalLine.kind == "failure_fee").order_by(col(JournalLine.entry))
        booked = [(line.entry, line.account, line.amount_minor) for line in await session.exec(query)]
        accounts = await read_accounts(session, None)
    assert sorted(booked) == [
        ("failure_fee/txn_1", "cash", -350),
        ("failure_fee/txn_1", "provider_fees", 350),
        ("failure_fee/txn_2", "cash", 35),
        ("failure_fee/txn_2", "provider_fees", -35),
    ]
    assert [(one.open_minor, one.adds_up) for one in accounts.customers] == [(3480, True)]
    assert accounts.unbalanced == ()
