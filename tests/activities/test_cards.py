"""A card that is charged for several invoices: what a case reads of it, what the gate lets through (rules 26, 27)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import event
from sqlmodel import col, select
from support import factories
from support.factories import NEW_YEAR, Someone
from support.processes import PROCESSES, Crowd
from temporalio.exceptions import ApplicationError

from activities.books.chasing import load_case, open_collection
from activities.books.config import BookRules
from activities.books.gate import GateRefused, Refusal, begin_attempt
from activities.books.outcomes import record_outcome
from activities.books.transitions import collect_invoice
from activities.books.work import Work
from activities.gateway import Charge, PreparedRequest
from activities.launching import Launcher
from activities.payments import Payments
from activities.stripe_gateway import StripeGateway
from activities.stripe_requests import prepare
from billing.case import Case
from billing.chase import Mail, StepKind, next_step
from billing.payment import AttemptState, DeclineClass, Declined, Trigger
from models.boundary import ChargeOrder
from models.database import Database
from models.ids import new_id
from models.tables import Collection, Invoice, PaymentAttempt, SubscriptionRow

LATER = DeclineClass.RETRY_LATER
MORNING = datetime(2027, 1, 5, 8, 0, tzinfo=UTC)
"""09:00 in Paris."""
PERSONS = (Trigger.CUSTOMER, Trigger.SUPPORT, Trigger.METHOD_REPLACED)


class Preparing:
    """The part of the gateway that needs no network."""

    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


@dataclass
class Owing:
    """Somebody with an open invoice that is chased."""

    who: Someone
    invoice: Invoice

    async def tried(
        self,
        database: Database,
        number: int,
        begun_at: datetime,
        code: str | None = "do_not_honor",
        **changes: Any,  # noqa: ANN401 - of the row
    ) -> PaymentAttempt:
        """Write an attempt, declined unless `changes` say otherwise."""
        given: dict[str, Any] = {
            "trigger": Trigger.FIRST if number == 1 else Trigger.RETRY,
            "state": AttemptState.DECLINED,
            "begun_at": begun_at,
            "settled_at": begun_at,
            "decline_code": code,
            "decline_class": LATER,
        }
        attempt = factories.attempt(self.who, self.invoice, number, **{**given, **changes})
        async with database.write() as session:
            session.add(attempt)
        return attempt

    async def begins(
        self,
        database: Database,
        number: int,
        trigger: Trigger = Trigger.RETRY,
        *,
        at: datetime = MORNING,
        state: AttemptState = AttemptState.STARTED,
    ) -> PaymentAttempt | Refusal:
        """What the gate says."""
        async with database.write() as session:
            answer = await begin_attempt(
                session,
                Preparing(),
                BookRules(),
                invoice_id=self.invoice.id,
                number=number,
                trigger=trigger,
                at=at,
                state=state,
            )
        return answer.reason if isinstance(answer, GateRefused) else answer

    async def case(self, database: Database) -> Case:
        """The chase as the rows have it."""
        async with database.read() as session:
            row = await session.get_one(SubscriptionRow, self.who.subscription.id)
            invoice = await session.get_one(Invoice, self.invoice.id)
            query = select(Collection).where(Collection.invoice_id == invoice.id)
            return await load_case(session, row, invoice, (await session.exec(query)).one(), BookRules())


async def owing(database: Database, of: Someone | None = None, **changes: Any) -> Owing:  # noqa: ANN401 - of the invoice
    """Somebody new with the card that everybody here has, or one more subscription `of` somebody."""
    async with database.write() as session:
        who = await factories.someone(session) if of is None else of
        if of is not None:
            value = factories.state(new_id("sub"), of.customer.id)
            who = replace(of, subscription=factories.subscription(of.entity.id, value))
            session.add(who.subscription)
            await session.flush()
        invoice = factories.invoice(who, **changes)
        session.add(invoice)
        await session.flush()
        await open_collection(session, who.subscription, invoice, NEW_YEAR)
    return Owing(who, invoice)


async def change(database: Database, row: Any, **changes: Any) -> None:  # noqa: ANN401 - any row
    async with database.write() as session:
        found = await session.get_one(type(row), row.id)
        for name, value in changes.items():
            setattr(found, name, value)


# What a case reads


async def test_a_case_sees_what_was_tried_on_its_card_for_other_invoices(database: Database) -> None:
    anna, rosa = await owing(database), await owing(database)
    await anna.tried(database, 1, NEW_YEAR)
    await rosa.tried(database, 1, NEW_YEAR, trigger=Trigger.FIRST)
    await rosa.tried(database, 2, MORNING - timedelta(days=1))
    await rosa.tried(database, 3, MORNING, "authentication_required", state=AttemptState.ABANDONED)
    await rosa.tried(
        database, 4, MORNING, None, state=AttemptState.ABANDONED, decline_class=DeclineClass.RETRY
    )
    case = await anna.case(database)
    assert [(a.number, a.begun_at) for a in case.attempts] == [(1, NEW_YEAR)]
    assert sorted((a.number, a.trigger) for a in case.elsewhere) == [
        (1, Trigger.FIRST),
        (2, Trigger.RETRY),
        (3, Trigger.RETRY),
    ]
    step = next_step(case.model_copy(update={"noticed_through_day": 3, "done_through_day": 3}), MORNING)
    assert (step.kind, step.due) == (StepKind.CHARGE, datetime(2027, 1, 8, 8, 0, tzinfo=UTC))


async def test_what_counts_is_not_counted_twice_for_the_same_chase(sqlite_database: Database) -> None:
    """A card that was given again is another method; an invoice opened again has another chase."""
    anna = await owing(sqlite_database)
    assert anna.who.method is not None
    await anna.tried(sqlite_database, 1, NEW_YEAR)
    again = factories.method(anna.who.customer.id)
    async with sqlite_database.write() as session:
        session.add(again)
    await change(sqlite_database, anna.who.customer, default_method_id=again.id)
    case = await anna.case(sqlite_database)
    assert [a.number for a in case.attempts] == [a.number for a in case.elsewhere] == [1]
    await change(sqlite_database, anna.who.customer, default_method_id=anna.who.method.id)
    assert (await anna.case(sqlite_database)).elsewhere == ()


async def test_other_cards_and_other_clocks_are_none_of_its_business(sqlite_database: Database) -> None:
    anna, rosa = await owing(sqlite_database), await owing(sqlite_database)
    await rosa.tried(sqlite_database, 1, NEW_YEAR, fingerprint="fingerprint-1881")
    clock = factories.clock()
    async with sqlite_database.write() as session:
        vera = await factories.someone(session, clock=clock)
        invoice = factories.invoice(vera)
        session.add(invoice)
        await session.flush()
        session.add(
            factories.attempt(
                vera, invoice, state=AttemptState.DECLINED, decline_class=LATER, never_again=True
            )
        )
    assert vera.method is not None
    await change(sqlite_database, vera.method, stopped=True)
    case = await anna.case(sqlite_database)
    assert (case.elsewhere, case.method_stopped, case.repeats_forbidden) == ((), False, False)
    assert isinstance(await anna.begins(sqlite_database, 1, Trigger.FIRST), PaymentAttempt)


async def test_a_ban_of_the_network_holds_for_every_invoice_until_the_card_works_again(
    database: Database,
) -> None:
    anna, rosa = await owing(database), await owing(database)
    await anna.tried(database, 1, NEW_YEAR, never_again=True, decline_class=DeclineClass.NEW_PAYMENT_METHOD)
    await rosa.tried(database, 1, NEW_YEAR)
    assert (await anna.case(database)).repeats_forbidden
    assert (await rosa.case(database)).repeats_forbidden
    for trigger in (Trigger.RETRY, Trigger.REPEAT, Trigger.PROMISE):
        assert await rosa.begins(database, 2, trigger) is Refusal.CAP
    third = await owing(database)
    assert isinstance(await third.begins(database, 1, Trigger.FIRST), PaymentAttempt)
    paid = await anna.begins(database, 2, Trigger.CUSTOMER)
    assert isinstance(paid, PaymentAttempt)
    await change(database, paid, state=AttemptState.SUCCEEDED)
    assert not (await rosa.case(database)).repeats_forbidden
    assert isinstance(await rosa.begins(database, 2), PaymentAttempt)


async def test_a_card_stopped_for_fraud_is_charged_under_no_method_by_nobody(database: Database) -> None:
    anna, rosa = await owing(database), await owing(database)
    attempt = await anna.begins(database, 1, Trigger.FIRST)
    assert isinstance(attempt, PaymentAttempt)
    async with database.write() as session:
        await record_outcome(
            session,
            Preparing(),
            BookRules(),
            attempt_id=attempt.id,
            outcome=Declined(
                payment_intent="pi_1", code="stolen_card", decline_class=DeclineClass.FRAUD_STOP
            ),
            at=MORNING,
        )
    assert (await rosa.case(database)).is_method_stopped
    for trigger in (Trigger.FIRST, Trigger.RETRY, *PERSONS):
        assert await rosa.begins(database, 1, trigger) is Refusal.CARD_STOPPED


async def test_what_the_network_says_is_kept_with_the_attempt(sqlite_database: Database) -> None:
    anna = await owing(sqlite_database)
    attempt = await anna.begins(sqlite_database, 1, Trigger.FIRST)
    assert isinstance(attempt, PaymentAttempt)
    four_days_on = MORNING + timedelta(days=4)
    said = Declined(
        payment_intent="pi_1",
        code="do_not_honor",
        decline_class=LATER,
        not_before=four_days_on,
        never_again=True,
    )
    async with sqlite_database.write() as session:
        await record_outcome(
            session, Preparing(), BookRules(), attempt_id=attempt.id, outcome=said, at=MORNING
        )
    (known,) = (await anna.case(sqlite_database)).attempts
    assert (known.not_before, known.never_again) == (four_days_on, True)


async def test_the_older_chases_of_a_customer_go_first(database: Database) -> None:
    issued = [NEW_YEAR, NEW_YEAR + timedelta(days=1), NEW_YEAR + timedelta(days=1)]
    anna = await owing(database, issued_at=issued[0], id="in_b")
    second = await owing(database, anna.who, issued_at=issued[1], id="in_c")
    third = await owing(database, anna.who, issued_at=issued[2], id="in_d")
    stranger = await owing(database, issued_at=issued[2])
    chases = (anna, second, third, stranger)
    assert [(await one.case(database)).turn for one in chases] == [0, 1, 2, 0]
    async with database.write() as session:
        query = select(Collection).where(Collection.invoice_id == "in_b")
        (await session.exec(query)).one().closed_at = MORNING
    assert [(await one.case(database)).turn for one in chases] == [0, 0, 1, 0]


async def test_a_payers_good_days_are_those_on_which_a_decline_was_mended(database: Database) -> None:
    """Of all subscriptions of the customer; by the customer's calendar."""
    anna = await owing(database)
    await anna.tried(database, 1, NEW_YEAR, "insufficient_funds")
    before = await owing(database, anna.who, id="in_before")
    late = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)  # 1 November in Paris
    await before.tried(database, 1, late - timedelta(days=3))
    await before.tried(database, 2, late, None, state=AttemptState.SUCCEEDED, decline_class=None)
    once = await owing(database, anna.who, id="in_once")
    await once.tried(
        database, 1, late + timedelta(days=9), None, state=AttemptState.SUCCEEDED, decline_class=None
    )
    technical = await owing(database, anna.who, id="in_technical")
    await technical.tried(database, 1, late, decline_class=DeclineClass.RETRY)
    await technical.tried(
        database, 2, late + timedelta(days=12), None, state=AttemptState.SUCCEEDED, decline_class=None
    )
    returned = await owing(database, anna.who, id="in_returned")
    await returned.tried(database, 1, late)
    await returned.tried(
        database, 2, late + timedelta(days=15), None, state=AttemptState.RETURNED, decline_class=None
    )
    case = await anna.case(database)
    assert (case.good_days, case.country) == ((date(2026, 11, 1),), "FR")
    assert (await once.case(database)).good_days == ()  # nothing was declined: nothing to look up


async def test_the_case_names_the_day_on_which_the_card_worked(sqlite_database: Database) -> None:
    anna = await owing(sqlite_database)
    await anna.tried(sqlite_database, 1, NEW_YEAR, "insufficient_funds")
    before = await owing(sqlite_database, anna.who)
    october = datetime(2026, 10, 6, 8, 0, tzinfo=UTC)
    await before.tried(sqlite_database, 1, october - timedelta(days=3))
    await before.tried(sqlite_database, 2, october, None, state=AttemptState.SUCCEEDED, decline_class=None)
    case = (await anna.case(sqlite_database)).model_copy(
        update={"noticed_through_day": 1, "done_through_day": 1}
    )
    step = next_step(case, datetime(2027, 1, 3, 12, 0, tzinfo=UTC))
    assert step.mail is Mail.REMINDER
    assert step.why.sentence() == (
        "insufficient funds; reminder on 4 January 2027 (day 3 of policy monthly v1); not charged before "
        "6 January 2027: the day of the month on which this customer's card worked in October 2026"
    )


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are sent to the database."""
    statements: list[str] = []

    def keep(*arguments: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        statements.append(arguments[2])

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", keep)


async def test_a_case_costs_the_same_however_many_invoices_the_card_pays(sqlite_database: Database) -> None:
    anna = await owing(sqlite_database)
    await anna.tried(sqlite_database, 1, NEW_YEAR, "insufficient_funds")
    with counted(sqlite_database) as alone:
        await anna.case(sqlite_database)
    for day in range(1, 8):
        other = await owing(sqlite_database, anna.who if day % 2 else None)
        await other.tried(sqlite_database, 1, NEW_YEAR - timedelta(days=day))
    with counted(sqlite_database) as in_company:
        case = await anna.case(sqlite_database)
    assert len(case.elsewhere) == 7
    assert len(in_company) == len(alone)


# What the gate lets through


async def test_a_card_is_tried_again_once_a_day_over_all_its_invoices(database: Database) -> None:
    four = [await owing(database) for _ in range(4)]
    for one in four:
        await one.tried(database, 1, NEW_YEAR)
    for day in range(4):
        said = [await one.begins(database, 2, at=MORNING + timedelta(days=day)) for one in four[day:]]
        begun, *refused = said
        assert isinstance(begun, PaymentAttempt)
        assert refused == [Refusal.CARD_BUSY] * (3 - day)  # it is being answered
        await change(database, begun, state=AttemptState.DECLINED, decline_class=LATER)
        assert [
            await one.begins(database, 2, at=MORNING + timedelta(days=day, hours=23))
            for one in four[day + 1 :]
        ] == [Refusal.CAP] * (3 - day)


async def test_after_a_success_the_next_one_goes_the_same_day_and_the_first_decline_ends_it(
    sqlite_database: Database,
) -> None:
    first, second, third = [await owing(sqlite_database) for _ in range(3)]
    for one in (first, second, third):
        await one.tried(sqlite_database, 1, NEW_YEAR)
    paid = await first.begins(sqlite_database, 2)
    assert isinstance(paid, PaymentAttempt)
    await change(sqlite_database, paid, state=AttemptState.SUCCEEDED)
    declined = await second.begins(sqlite_database, 2)
    assert isinstance(declined, PaymentAttempt)
    await change(sqlite_database, declined, state=AttemptState.DECLINED, decline_class=LATER)
    assert await third.begins(sqlite_database, 2) is Refusal.CAP
    assert isinstance(await third.begins(sqlite_database, 2, at=MORNING + timedelta(days=1)), PaymentAttempt)


async def test_first_charges_and_persons_are_not_held_by_the_repeat_of_another(
    sqlite_database: Database,
) -> None:
    await (await owing(sqlite_database)).tried(sqlite_database, 2, MORNING)
    for trigger in (Trigger.FIRST, *PERSONS):
        other = await owing(sqlite_database)
        assert isinstance(await other.begins(sqlite_database, 1, trigger), PaymentAttempt)


async def test_an_hour_that_the_network_asks_for_is_all_it_takes(sqlite_database: Database) -> None:
    anna, rosa = await owing(sqlite_database), await owing(sqlite_database)
    hour = timedelta(hours=1)
    await anna.tried(sqlite_database, 2, MORNING, not_before=MORNING + hour)
    assert await rosa.begins(sqlite_database, 1, at=MORNING + hour / 2) is Refusal.CAP
    assert isinstance(await rosa.begins(sqlite_database, 1, at=MORNING + hour), PaymentAttempt)


async def test_the_eleventh_charge_after_ten_declines_waits_whoever_asks(database: Database) -> None:
    for day in range(10):
        await (await owing(database)).tried(database, 1, NEW_YEAR + timedelta(days=day))
    anna = await owing(database)
    thirty_days_on = NEW_YEAR + timedelta(days=30)
    for trigger in Trigger:
        just_before = thirty_days_on - timedelta(seconds=1)
        assert await anna.begins(database, 1, trigger, at=just_before) is Refusal.CAP
    assert isinstance(await anna.begins(database, 1, Trigger.FIRST, at=thirty_days_on), PaymentAttempt)


async def test_twelve_subscriptions_on_one_good_card_are_twelve_charges(sqlite_database: Database) -> None:
    for _ in range(12):
        one = await owing(sqlite_database)
        attempt = await one.begins(sqlite_database, 1, Trigger.FIRST)
        assert isinstance(attempt, PaymentAttempt)
        await change(sqlite_database, attempt, state=AttemptState.SUCCEEDED)


async def test_what_is_never_answered_counts_as_declined(sqlite_database: Database) -> None:
    """Its worker died: after 90 seconds nobody waits for it any more."""
    anna, rosa = await owing(sqlite_database), await owing(sqlite_database)
    sent = await anna.tried(
        sqlite_database, 2, MORNING, None, state=AttemptState.STARTED, sent_at=datetime.now(UTC)
    )
    assert await rosa.begins(sqlite_database, 1) is Refusal.CARD_BUSY
    await change(sqlite_database, sent, sent_at=datetime.now(UTC) - timedelta(minutes=2))
    assert await rosa.begins(sqlite_database, 1) is Refusal.CAP


# A first charge that is held back


async def ten_declines(database: Database) -> None:
    for day in range(10):
        await (await owing(database)).tried(database, 1, NEW_YEAR - timedelta(days=day))


async def test_the_first_charge_of_a_renewal_waits_in_a_collection(sqlite_database: Database) -> None:
    """Ten declines from 23 December to New Year: it is told on day 0, and charged when the first is 30 days old."""
    await ten_declines(sqlite_database)
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        invoice = factories.invoice(anna)
        session.add(invoice)
        await session.flush()
        await collect_invoice(Work(session, Preparing(), BookRules(), anna.subscription, NEW_YEAR), invoice)
    case = await Owing(anna, invoice).case(sqlite_database)
    assert (case.attempts, case.done_through_day) == ((), -1)
    told = next_step(case, NEW_YEAR)
    assert (told.mail, told.due) == (Mail.PAYMENT_FAILED, datetime(2027, 1, 1, 8, 0, tzinfo=UTC))
    assert told.why.sentence() == (
        "mail about the failed payment on 1 January 2027 (day 0 of policy monthly v1); "
        "not charged before 22 January 2027: 10 charges of the card were declined within 30 days"
    )


async def test_a_queued_first_charge_is_taken_back_when_its_card_is_full(sqlite_database: Database) -> None:
    """Twelve renewals at one moment: all were queued before the first was declined."""
    anna = await owing(sqlite_database)
    queued = await anna.begins(sqlite_database, 1, Trigger.FIRST, at=NEW_YEAR, state=AttemptState.QUEUED)
    assert isinstance(queued, PaymentAttempt)
    await ten_declines(sqlite_database)
    assert await anna.begins(sqlite_database, 1, Trigger.FIRST, at=NEW_YEAR) is Refusal.CAP
    async with sqlite_database.read() as session:
        query = select(PaymentAttempt).where(PaymentAttempt.invoice_id == anna.invoice.id)
        assert (await session.exec(query)).all() == []


# The activity


async def test_a_charge_waits_for_the_one_that_is_being_answered(sqlite_database: Database) -> None:
    anna, rosa = await owing(sqlite_database), await owing(sqlite_database)
    await anna.tried(sqlite_database, 2, MORNING, None, state=AttemptState.STARTED, sent_at=datetime.now(UTC))
    gateway = StripeGateway(api_key="sk_test_none", api_base="http://127.0.0.1:9")
    payments = Payments(sqlite_database, gateway, BookRules(), cast("Launcher", None))
    order = ChargeOrder(invoice_id=rosa.invoice.id, number=1, trigger=Trigger.RETRY, as_of=MORNING)
    try:
        with pytest.raises(ApplicationError, match="is being answered") as busy:
            await payments.charge(order)
    finally:
        await gateway.close()
    assert (busy.value.type, busy.value.non_retryable) == ("CardBusy", False)
    assert busy.value.next_retry_delay == timedelta(seconds=1)
    assert await _attempts_on(sqlite_database, [rosa.invoice.id]) == []


async def test_a_first_charge_that_is_held_back_at_the_last_moment_is_made_later(
    sqlite_database: Database,
) -> None:
    """The subscription's own try finds the card full: the invoice goes to a collection that has day 0 before it."""
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        invoice = factories.invoice(anna)
        session.add(invoice)
    one = Owing(anna, invoice)
    await one.begins(sqlite_database, 1, Trigger.FIRST, at=NEW_YEAR, state=AttemptState.QUEUED)
    await ten_declines(sqlite_database)
    gateway = StripeGateway(api_key="sk_test_none", api_base="http://127.0.0.1:9")
    payments = Payments(sqlite_database, gateway, BookRules(), cast("Launcher", None))
    order = ChargeOrder(invoice_id=invoice.id, number=1, trigger=Trigger.FIRST, as_of=NEW_YEAR)
    try:
        report = await payments.charge(order)
    finally:
        await gateway.close()
    assert (report.refused, report.outcome) == ("cap", "")
    case = await one.case(sqlite_database)
    assert (case.attempts, case.done_through_day) == ((), -1)


async def _attempts_on(database: Database, invoice_ids: list[str]) -> list[PaymentAttempt]:
    async with database.read() as session:
        query = select(PaymentAttempt).where(col(PaymentAttempt.invoice_id).in_(invoice_ids))
        return list((await session.exec(query)).all())


# Truly at once


async def _begin_at_once(
    number: int, url: str, invoice_ids: list[str], trigger: str, turns: int
) -> list[str]:
    """Each process charges invoices of its own; what it is let through is declined after a moment."""
    database = Database(url, pool_size=1)
    said = []
    try:
        for turn in range(turns):
            invoice_id = invoice_ids[number * turns + turn]
            async with database.write() as session:
                answer = await begin_attempt(
                    session,
                    Preparing(),
                    BookRules(),
                    invoice_id=invoice_id,
                    number=2,
                    trigger=Trigger(trigger),
                    at=MORNING,
                )
                said.append(answer.reason.value if isinstance(answer, GateRefused) else answer.id)
            if isinstance(answer, PaymentAttempt) and turn % 2:
                async with database.write() as session:
                    mine = await session.get_one(PaymentAttempt, answer.id, with_for_update=True)
                    mine.state, mine.decline_class = AttemptState.DECLINED, LATER
    finally:
        await database.close()
    return said


async def _on_one_card(database: Database, turns: int) -> list[str]:
    ids = []
    for _ in range(PROCESSES * turns):
        one = await owing(database)
        await one.tried(database, 1, NEW_YEAR - timedelta(days=40))
        ids.append(one.invoice.id)
    return ids


async def test_of_five_collections_on_one_card_at_one_moment_one_goes(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    ids = await _on_one_card(database, turns=4)
    said = await crowd.run(_begin_at_once, database_url, ids, "retry", 4)
    begun = [a for a in await _attempts_on(database, ids) if a.number == 2]
    assert len(begun) == 1
    refused = {answer for answers in said for answer in answers} - {begun[0].id}
    assert refused <= {"card_busy", "cap"}


async def test_of_many_first_charges_on_one_card_at_one_moment_ten_may_be_declined(
    database: Database, database_url: str, crowd: Crowd
) -> None:
    ids = await _on_one_card(database, turns=4)
    said = await crowd.run(_begin_at_once, database_url, ids, "first", 4)
    begun = [a for a in await _attempts_on(database, ids) if a.number == 2]
    assert len(begun) == 10
    refused = [answer for answers in said for answer in answers if answer in ("card_busy", "cap")]
    assert len(refused) == 10
