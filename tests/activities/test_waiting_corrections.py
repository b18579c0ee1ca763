"""A credit that meets a payment under way waits for it, and is carried out with its outcome (U16)."""

from __future__ import annotations

import pytest
from sqlmodel import select
from support.adding_up import assert_adds_up
from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from activities.books.correcting import DONE
from activities.books.waiting import WAITING
from billing.commands import Cancel, CreditTo, When
from billing.corrections import Credit, PayBackAs, WriteOff
from billing.dunning import AfterCancel
from billing.payment import AttemptState
from models.database import Database
from models.tables import (
    CommandRow,
    DunningPolicyVersion,
    InvoiceStatus,
    OutgoingEvent,
    PaymentAttempt,
)


async def under_way(database: Database) -> tuple[Bookkeeping, str, str]:
    """72.00 for January are being collected: the books, the invoice and the attempt."""
    books = await signs_up(database, plan(price("60.00")))
    (invoice_id,) = (await books.look()).issued
    attempt = await books.begins_charge(invoice_id)
    assert attempt is not None
    await books.hears(attempt, "processing")
    return books, invoice_id, attempt


def credit(invoice_id: str, amount: int | None, name: str = "ticket 1") -> Credit:
    return Credit(
        command_id=name,
        invoice_id=invoice_id,
        reason="asked",
        amount_minor=amount,
        then=PayBackAs.REFUND,
    )


async def outcomes(database: Database) -> dict[str, str]:
    async with database.read() as session:
        return {row.id: row.outcome for row in (await session.exec(select(CommandRow))).all()}


async def stands(books: Bookkeeping) -> tuple[InvoiceStatus, int, list[tuple[int, int, int]]]:
    """Status and open amount of the invoice; of each credit note its total, what it closed and what goes back."""
    page = await books.look()
    (invoice,) = page.issued.values()
    notes = sorted((note.total_minor, note.closes_minor, note.refund_minor) for note in page.notes)
    return invoice.status, invoice.open_minor, notes


@pytest.mark.parametrize(
    ("answer", "status", "open_minor", "note"),
    [
        # Paid: 12.00 of the 72.00 go back.
        ("paid", InvoiceStatus.PAID, 0, (1200, 0, 1200)),
        # Declined: they are taken off what is asked for, and nothing goes back.
        ("declined", InvoiceStatus.OPEN, 6000, (1200, 1200, 0)),
    ],
)
async def test_a_credit_waits_for_the_payment_and_follows_it(
    sqlite_database: Database,
    answer: str,
    status: InvoiceStatus,
    open_minor: int,
    note: tuple[int, int, int],
) -> None:
    books, invoice_id, attempt = await under_way(sqlite_database)
    assert await books.corrects(credit(invoice_id, 1200))
    assert await stands(books) == (InvoiceStatus.OPEN, 7200, [])
    assert await outcomes(sqlite_database) == {"ticket 1": WAITING}
    # Asked again it waits all the same, once.
    assert await books.corrects(credit(invoice_id, 1200))
    await books.hears(attempt, answer)
    assert await stands(books) == (status, open_minor, [note])
    assert await outcomes(sqlite_database) == {"ticket 1": DONE}
    await assert_adds_up(books)


async def test_what_is_left_of_the_charge_after_a_decline_is_asked_for(sqlite_database: Database) -> None:
    books, invoice_id, attempt = await under_way(sqlite_database)
    assert await books.corrects(credit(invoice_id, 1200))
    await books.hears(attempt, "declined")
    again = await books.begins_charge(invoice_id)
    assert again is not None
    await books.hears(again, "paid")
    assert [charge["amount"] for charge in books.charges] == [6000]
    assert await stands(books) == (InvoiceStatus.PAID, 0, [(1200, 1200, 0)])
    await assert_adds_up(books)


async def test_of_two_that_wait_the_second_finds_what_the_first_left(sqlite_database: Database) -> None:
    """50.00 and 30.00 of 72.00: the second is refused once the payment is there, and says so."""
    books, invoice_id, attempt = await under_way(sqlite_database)
    assert await books.corrects(credit(invoice_id, 5000))
    assert await books.corrects(credit(invoice_id, 3000, "ticket 2"))
    await books.hears(attempt, "paid")
    assert await stands(books) == (InvoiceStatus.PAID, 0, [(5000, 0, 5000)])
    found = await outcomes(sqlite_database)
    assert found["ticket 1"] == DONE
    assert "more than the 2200 left" in found["ticket 2"]
    async with sqlite_database.read() as session:
        events = (await session.exec(select(OutgoingEvent.name))).all()
    assert "correction.refused" in events
    assert not await books.corrects(credit(invoice_id, 3000, "ticket 2"))
    await assert_adds_up(books)


async def test_a_write_off_that_waited_for_a_payment_has_nothing_to_write_off(
    sqlite_database: Database,
) -> None:
    books, invoice_id, attempt = await under_way(sqlite_database)
    write_off = WriteOff(command_id="ticket 1", invoice_id=invoice_id, reason="not worth it")
    assert await books.corrects(write_off)
    await books.hears(attempt, "paid")
    assert await stands(books) == (InvoiceStatus.PAID, 0, [])
    assert "this one is paid" in (await outcomes(sqlite_database))["ticket 1"]


@pytest.mark.parametrize(
    ("answer", "status"), [("paid", InvoiceStatus.PAID), ("declined", InvoiceStatus.UNCOLLECTIBLE)]
)
async def test_a_write_off_by_the_policy_at_a_cancel_waits_as_well(
    sqlite_database: Database, answer: str, status: InvoiceStatus
) -> None:
    """Written off at once the customer would be told that nothing is asked for, and then be charged."""
    books, invoice_id, attempt = await under_way(sqlite_database)
    async with sqlite_database.write() as session:
        for version in (await session.exec(select(DunningPolicyVersion))).all():
            version.policy = version.policy.model_copy(update={"after_cancel": AfterCancel.WRITE_OFF})
    assert await books.tells(Cancel(command_id="leaves", when=When.NOW, credit_to=CreditTo.NONE))
    assert (await books.look()).issued[invoice_id].status is InvoiceStatus.OPEN
    assert sorted((await outcomes(sqlite_database)).values()) == [DONE, WAITING]
    await books.hears(attempt, answer)
    assert (await books.look()).issued[invoice_id].status is status
    assert WAITING not in (await outcomes(sqlite_database)).values()


async def test_a_write_off_by_the_policy_does_not_wait_for_a_payer_who_may_never_come(
    sqlite_database: Database,
) -> None:
    """Their bank asked them to confirm: nothing moves until they do, and the chase cancels the payment now."""
    books, invoice_id, attempt = await under_way(sqlite_database)
    async with sqlite_database.write() as session:
        (await session.get_one(PaymentAttempt, attempt)).state = AttemptState.ACTION_REQUIRED
        for version in (await session.exec(select(DunningPolicyVersion))).all():
            version.policy = version.policy.model_copy(update={"after_cancel": AfterCancel.WRITE_OFF})
    assert await books.tells(Cancel(command_id="leaves", when=When.NOW, credit_to=CreditTo.NONE))
    assert (await books.look()).issued[invoice_id].status is InvoiceStatus.UNCOLLECTIBLE
