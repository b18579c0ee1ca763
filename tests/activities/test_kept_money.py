"""An invoice that is open again is charged for what is missing; the money that was kept stays a payment (rules 16)."""

from __future__ import annotations

from datetime import timedelta

from support import factories
from support.disputed import LOST, OPENED, Preparing, hear, paid, pays
from support.factories import NEW_YEAR, Someone
from support.ledgers import assert_accounts_agree
from support.transfers import accounts, desk, fresh, record

from activities.books.chase_steps import look_at_case
from activities.books.chasing import open_collection
from activities.books.config import BookRules
from activities.books.gate import GateRefused, attempts_of, begin_attempt
from activities.books.issuing import write_invoice
from activities.books.outcomes import record_never_ran
from activities.books.refunding import payments_of, refundable
from activities.books.transfers import take_back_payment
from billing.chase import StepKind
from billing.payment import Trigger
from billing.transfer_commands import TakeBackPayment
from models.boundary import CaseReport, LookOrder
from models.database import Database
from models.tables import Invoice, InvoiceStatus, PaymentAttempt

DAY = timedelta(days=1)


async def _owing(database: Database) -> tuple[Someone, Invoice]:
    """34.80 for January, chased."""
    async with database.write() as session:
        anna = await factories.someone(session)
    async with database.write() as session:
        session.add(anna.subscription)
        invoice = await write_invoice(session, anna.subscription, factories.issue(), NEW_YEAR, BookRules())
        await open_collection(session, anna.subscription, invoice, NEW_YEAR)
    return anna, invoice


async def _begin(database: Database, invoice: Invoice, number: int, trigger: Trigger) -> PaymentAttempt:
    async with database.write() as session:
        attempt = await begin_attempt(
            session,
            Preparing(),
            BookRules(),
            invoice_id=invoice.id,
            number=number,
            trigger=trigger,
            at=NEW_YEAR + number * DAY,
        )
    assert not isinstance(attempt, GateRefused)
    return attempt


async def _look(database: Database, invoice: Invoice) -> CaseReport:
    order = LookOrder(id=invoice.id, as_of=NEW_YEAR + 2 * DAY)
    async with database.write() as session:
        return await look_at_case(session, Preparing(), BookRules(), order)


async def _payments(database: Database, invoice: Invoice) -> list[tuple[int, str, int]]:
    """Number, state and what can still go back of each payment."""
    async with database.write() as session:
        left = {
            one.attempt_id: one.left_minor
            for one in await refundable(session, await payments_of(session, invoice))
        }
        attempts = await attempts_of(session, invoice.id)
    return [(a.number, a.state.value, left.get(a.id, 0)) for a in attempts]


async def test_what_a_card_paid_is_kept_when_the_transfer_beside_it_is_taken_back(database: Database) -> None:
    """10.00 by transfer, 24.80 by card; the transfer never came, and the card pays the 10.00 as well."""
    anna, invoice = await _owing(database)
    seen = await record(database, invoice, amount_minor=1000, received_on=NEW_YEAR.date())
    await pays(database, await _begin(database, invoice, 1, Trigger.RETRY), "ch_1")
    assert (await _look(database, invoice)).closed
    async with database.write() as session:
        order = TakeBackPayment(transfer_id=seen.transfer_id, reason="never came")
        assert (await take_back_payment(desk(session), order)).reopened == (invoice.id,)
    assert (await _look(database, invoice)).step.kind is StepKind.CHARGE
    second = await _begin(database, invoice, 2, Trigger.FIRST)
    assert second.amount_minor == 1000
    await pays(database, second, "ch_2")
    assert (await fresh(database, invoice)).status is InvoiceStatus.PAID
    assert await _payments(database, invoice) == [(1, "succeeded", 2480), (2, "succeeded", 1000)]
    assert await accounts(database, anna.customer.id) == {"cash": 3480, "revenue": -2900, "vat": -580}
    await assert_accounts_agree(database)


async def test_a_chase_that_had_not_closed_goes_on_after_a_payment_was_taken_back(
    sqlite_database: Database,
) -> None:
    """Its own success must not leave it waiting for a booking that was made long ago."""
    _, invoice = await _owing(sqlite_database)
    seen = await record(sqlite_database, invoice, amount_minor=1000, received_on=NEW_YEAR.date())
    await pays(sqlite_database, await _begin(sqlite_database, invoice, 1, Trigger.RETRY), "ch_1")
    async with sqlite_database.write() as session:
        await take_back_payment(
            desk(session), TakeBackPayment(transfer_id=seen.transfer_id, reason="never came")
        )
    assert (await fresh(sqlite_database, invoice)).chase == 1
    step = (await _look(sqlite_database, invoice)).step
    assert (step.kind, step.trigger) == (StepKind.CHARGE, Trigger.RETRY)


async def test_a_charge_of_before_the_transfer_was_taken_back_leaves_the_rest_to_the_chase(
    sqlite_database: Database,
) -> None:
    """24.80 were under way when the 10.00 went back: they pay what they pay, and 10.00 are charged on."""
    _, invoice = await _owing(sqlite_database)
    seen = await record(sqlite_database, invoice, amount_minor=1000, received_on=NEW_YEAR.date())
    first = await _begin(sqlite_database, invoice, 1, Trigger.RETRY)
    async with sqlite_database.write() as session:
        await take_back_payment(
            desk(session), TakeBackPayment(transfer_id=seen.transfer_id, reason="never came")
        )
    await pays(sqlite_database, first, "ch_1")
    assert (await fresh(sqlite_database, invoice)).open_minor == 1000
    assert (await _look(sqlite_database, invoice)).step.kind is StepKind.CHARGE


async def test_a_lost_dispute_of_a_part_leaves_the_rest_to_be_refunded(database: Database) -> None:
    """10.00 of 34.80 are lost; the other 24.80 are ours, and can go back. With the rest lost, nothing can."""
    _, invoice, attempt = await paid(database)
    taken = OPENED.moves[0].model_copy(update={"amount_minor": -1000})
    await hear(database, attempt, LOST.model_copy(update={"amount_minor": 1000, "moves": (taken,)}))
    assert (await fresh(database, invoice)).open_minor == 1000
    assert await _payments(database, invoice) == [(1, "succeeded", 2480)]
    rest = OPENED.moves[0].model_copy(update={"id": "txn_rest", "amount_minor": -2480, "fee_minor": 0})
    await hear(
        database,
        attempt,
        LOST.model_copy(update={"provider_id": "dp_2", "amount_minor": 2480, "moves": (rest,)}),
    )
    assert (await fresh(database, invoice)).open_minor == 3480
    assert await _payments(database, invoice) == [(1, "returned", 0)]


async def test_money_that_came_twice_is_two_payments(sqlite_database: Database) -> None:
    """The provider knew nothing of the first, which came late: both took money, and both can give it back."""
    anna, invoice = await _owing(sqlite_database)
    first = await _begin(sqlite_database, invoice, 1, Trigger.RETRY)
    async with sqlite_database.write() as session:
        await record_never_ran(session, Preparing(), BookRules(), attempt_id=first.id, at=NEW_YEAR + DAY)
    await pays(sqlite_database, await _begin(sqlite_database, invoice, 2, Trigger.RETRY), "ch_2")
    await pays(sqlite_database, first, "ch_1")
    assert await _payments(sqlite_database, invoice) == [(1, "succeeded", 3480), (2, "succeeded", 3480)]
    assert (await accounts(sqlite_database, anna.customer.id))["unapplied_cash"] == -3480
