"""Transfers in the books: what is paid, what is left over, what is taken back; each entry once (rules 16, 17)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from support import factories
from support.bank_files import Entry, came, camt
from support.bookkeeping import RULES, Preparing
from support.factories import Someone
from support.processes import PROCESSES, Crowd
from support.transfers import AT, accounts, acme, bill, desk, fresh, import_file, mails, record

from activities.books.chasing import collection_key, load_case
from activities.books.correcting import CommandIdTaken, NotNow, begin_correction
from activities.books.rectifying import rectify
from activities.books.rows import lock_with_subscription
from activities.books.transfers import dismiss_transfer, match_transfer, take_back_payment
from activities.books.transitions import write_off
from activities.books.work import Work
from billing.chase import next_step
from billing.corrections import Credit, NewBuyer, Rectify
from billing.errors import InvalidInput
from billing.reason import Because
from billing.subscription import Status
from billing.transfer_commands import DismissTransfer, MatchTransfer, TakeBackPayment
from models.database import Database
from models.tables import Collection, Invoice, InvoiceStatus, JournalLine, Transfer


@dataclass
class World:
    """ACME with one open invoice of 120.00."""

    database: Database
    acme: Someone
    invoice: Invoice

    async def accounts(self) -> dict[str, int]:
        return await accounts(self.database, self.acme.customer.id)

    async def now(self) -> Invoice:
        return await fresh(self.database, self.invoice)

    async def mails(self) -> list[str]:
        return [kind for kind, _ in await mails(self.database, self.acme.customer.id)]


@pytest.fixture
async def world(database: Database) -> World:
    async with database.write() as session:
        someone = await acme(session)
        invoice = await bill(session, someone)
    return World(database, someone, invoice)


OWED = {"receivable": 12000, "revenue": -10000, "vat": -2000}


async def test_r2_a_transfer_of_too_much_leaves_unapplied_cash_and_no_credit_note(world: World) -> None:
    done = await record(world.database, world.invoice, amount_minor=13000)
    (paid,) = done.invoices
    assert (done.state, paid.pays_minor, paid.unapplied_minor, paid.status) == (
        "matched",
        12000,
        1000,
        "paid",
    )
    assert await world.accounts() == {
        "bank": 13000,
        "unapplied_cash": -1000,
        "revenue": -10000,
        "vat": -2000,
    }
    assert await mails(world.database, world.acme.customer.id) == [
        (
            "receipt",
            {
                "amount_minor": 13000,
                "unapplied_minor": 1000,
                "claim_minor": 0,
                "received_on": "2027-03-10",
                "restored": False,
            },
        )
    ]


async def test_r2_a_little_too_little_is_a_small_difference(world: World) -> None:
    done = await record(world.database, world.invoice, amount_minor=11950)
    (paid,) = done.invoices
    assert (paid.pays_minor, paid.small_difference_minor, paid.status, paid.open_minor) == (
        11950,
        50,
        "paid",
        0,
    )
    assert await world.accounts() == {
        "bank": 11950,
        "small_difference": 50,
        "revenue": -10000,
        "vat": -2000,
    }
    invoice = await world.now()
    assert (invoice.paid_minor, invoice.small_difference_minor, invoice.status) == (
        11950,
        50,
        InvoiceStatus.PAID,
    )


async def test_a_part_leaves_the_rest_open_and_the_rest_pays_it(world: World) -> None:
    part = await record(world.database, world.invoice, amount_minor=7000)
    assert [(one.status, one.open_minor) for one in part.invoices] == [("open", 5000)]
    rest = await record(world.database, world.invoice, amount_minor=5000, command_id="seen-2")
    assert [(one.status, one.open_minor) for one in rest.invoices] == [("paid", 0)]
    assert await world.mails() == ["receipt", "receipt"]
    assert await world.accounts() == {"bank": 12000, "revenue": -10000, "vat": -2000}


async def test_money_is_booked_on_the_day_on_which_the_bank_booked_it(world: World) -> None:
    await record(world.database, world.invoice, amount_minor=12000)
    async with world.database.read() as session:
        lines = (await session.exec(select(JournalLine).where(JournalLine.account == "bank"))).all()
    assert [(line.on, line.at) for line in lines] == [(date(2027, 3, 10), AT)]


async def test_one_transfer_pays_several_invoices_the_oldest_first(world: World) -> None:
    async with world.database.write() as session:
        session.add(world.acme.subscription)
        later = await bill(session, world.acme, month=2, at=AT - timedelta(days=10))
    done = await record(world.database, later, world.invoice, amount_minor=20000)
    assert [(one.number, one.pays_minor, one.status, one.open_minor) for one in done.invoices] == [
        ("F-000001", 12000, "paid", 0),
        ("F-000002", 8000, "open", 4000),
    ]


async def test_the_same_command_is_one_payment(world: World) -> None:
    first = await record(world.database, world.invoice, amount_minor=7000)
    again = await record(world.database, world.invoice, amount_minor=7000)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.transfer_id == first.transfer_id
    assert (await world.accounts())["bank"] == 7000
    with pytest.raises(CommandIdTaken, match="used for another payment"):
        await record(world.database, world.invoice, amount_minor=8000)


async def test_what_the_bank_did_not_book_yet_is_refused(world: World) -> None:
    with pytest.raises(InvalidInput, match="2027-03-13 is still to come") as refused:
        await record(world.database, world.invoice, amount_minor=100, received_on=date(2027, 3, 13))
    assert refused.value.field == "on"
    await record(world.database, world.invoice, amount_minor=100, received_on=date(2027, 3, 12))


async def test_the_same_bank_reference_is_not_recorded_twice(world: World) -> None:
    first = await record(world.database, world.invoice, amount_minor=7000, bank_reference="B-7")
    with pytest.raises(InvalidInput, match=f"B-7 is matched already, as {first.transfer_id}") as refused:
        await record(
            world.database, world.invoice, amount_minor=7000, bank_reference="B-7", command_id="seen-2"
        )
    assert refused.value.field == "bank_reference"


async def test_invoices_of_several_customers_do_not_go_together(world: World) -> None:
    async with world.database.write() as session:
        other = await acme(session, seller=world.acme.entity)
        theirs = await bill(session, other)
    with pytest.raises(InvalidInput, match="are of several customers"):
        await record(world.database, world.invoice, theirs, amount_minor=24000)
    assert await world.accounts() == OWED


# Taken back


async def take_back(world: World, transfer_id: str) -> tuple[str, ...]:
    async with world.database.write() as session:
        asked = TakeBackPayment(transfer_id=transfer_id, reason="wrong invoice", by="tests")
        return (await take_back_payment(desk(session, AT + timedelta(days=1)), asked)).reopened


async def test_a_payment_that_was_a_mistake_is_taken_back_by_facts_of_its_own_date(world: World) -> None:
    done = await record(world.database, world.invoice, amount_minor=11950)
    async with world.database.write() as session:
        chase = (await session.exec(select(Collection))).one()
        chase.closed_at = AT
    assert await take_back(world, done.transfer_id) == (world.invoice.id,)
    invoice = await world.now()
    assert (invoice.status, invoice.open_minor, invoice.paid_at) == (InvoiceStatus.OPEN, 12000, None)
    assert await world.accounts() == OWED
    assert sorted(await world.mails()) == ["invoice_reopened", "receipt"]
    async with world.database.read() as session:
        chases = (await session.exec(select(Collection).order_by(col(Collection.chase)))).all()
        transfer = await session.get_one(Transfer, done.transfer_id)
    assert [(one.chase, str(one.day0), one.started_at) for one in chases] == [
        (1, "2027-03-02", None),
        (2, "2027-03-13", None),
    ]
    assert (transfer.state.value, transfer.why) == ("taken_back", "Taken back: wrong invoice")
    with pytest.raises(NotNow, match="this is taken_back"):
        await take_back(world, done.transfer_id)


async def test_u13_after_the_end_of_the_subscription_it_waits_for_a_person(world: World) -> None:
    done = await record(world.database, world.invoice, amount_minor=12000)
    async with world.database.write() as session:
        row, _ = await lock_with_subscription(session, world.invoice.id)
        row.state = row.state.model_copy(update={"status": Status.CANCELED})
        (await session.exec(select(Collection))).one().closed_at = AT
    assert await take_back(world, done.transfer_id) == (world.invoice.id,)
    async with world.database.read() as session:
        row, invoice = await lock_with_subscription(session, world.invoice.id)
        chase = await session.get_one(Collection, collection_key(invoice))
        case = await load_case(session, row, invoice, chase, desk(session).rules)
    assert (invoice.status, invoice.automatic_collecting) == (InvoiceStatus.OPEN, False)
    assert next_step(case, AT).why.because is Because.ENDED
    assert sorted(await world.mails()) == ["invoice_reopened", "receipt"]


async def test_a_part_that_is_taken_back_begins_no_chase(world: World) -> None:
    done = await record(world.database, world.invoice, amount_minor=7000)
    assert await take_back(world, done.transfer_id) == ()
    assert (await world.now()).open_minor == 12000
    assert await world.mails() == ["receipt"]


async def test_what_was_written_off_is_paid_by_a_later_transfer_and_written_off_again(world: World) -> None:
    async with world.database.write() as session:
        row, invoice = await lock_with_subscription(session, world.invoice.id)
        write_off(Work(session, Preparing(), RULES, row, AT), invoice, "not worth it")
    done = await record(world.database, world.invoice, amount_minor=12000)
    assert (await world.now()).status is InvoiceStatus.PAID
    assert await take_back(world, done.transfer_id) == ()
    invoice = await world.now()
    assert (invoice.status, invoice.closed_by) == (InvoiceStatus.UNCOLLECTIBLE, "not worth it")
    assert await world.mails() == ["receipt"]


async def test_an_invoice_that_was_credited_meanwhile_is_owed_again_beside_the_balance(world: World) -> None:
    done = await record(world.database, world.invoice, amount_minor=12000)
    async with world.database.write() as session:
        credit = Credit(command_id="credit-1", invoice_id=world.invoice.id, reason="a gift")
        await begin_correction(session, desk(session).gateway, desk(session).rules, credit, at=AT)
    assert await world.accounts() == {"bank": 12000, "balance": -12000}
    await take_back(world, done.transfer_id)
    assert await world.accounts() == {"receivable": 12000, "balance": -12000}
    assert (await world.now()).open_minor == 12000


async def test_what_replaced_an_invoice_is_owed_where_its_payment_was_a_mistake(world: World) -> None:
    done = await record(world.database, world.invoice, amount_minor=11950)
    async with world.database.write() as session:
        asked = Rectify(
            command_id="rectify-1", invoice_id=world.invoice.id, buyer=NewBuyer(name="ACME France SARL")
        )
        replaced = await rectify(session, desk(session).gateway, desk(session).rules, asked, at=AT)
    assert (replaced.status, replaced.moved_minor, replaced.open_minor) == ("paid", 11950, 0)
    assert await world.accounts() == {
        "bank": 11950,
        "small_difference": 50,
        "revenue": -10000,
        "vat": -2000,
    }
    assert await take_back(world, done.transfer_id) == (replaced.new_invoice_id,)
    assert await world.accounts() == OWED
    async with world.database.read() as session:
        new = await session.get_one(Invoice, replaced.new_invoice_id)
    assert (new.status, new.open_minor) == (InvoiceStatus.OPEN, 12000)
    assert (await world.now()).open_minor == 0


# From the bank's file


async def match(world: World, transfer_id: str, invoice: Invoice) -> list[tuple[str | None, str]]:
    async with world.database.write() as session:
        asked = MatchTransfer(transfer_id=transfer_id, invoices=(invoice.id,), by="tests")
        answer = await match_transfer(desk(session), asked)
        return [(one.number, one.status) for one in answer.invoices]


async def dismiss(world: World, transfer_id: str) -> str:
    async with world.database.write() as session:
        asked = DismissTransfer(transfer_id=transfer_id, reason="the same", by="tests")
        return (await dismiss_transfer(desk(session), asked)).state


async def test_an_entry_pays_the_invoice_that_it_names_however_often_it_is_read(world: World) -> None:
    content = camt(came("120.00", "Facture F 000001", reference="B-7"))
    (first,) = await import_file(world.database, world.acme.entity.id, content)
    (again,) = await import_file(world.database, world.acme.entity.id, content)
    assert (first.state, first.is_new, first.invoices[0].status) == ("matched", True, "paid")
    assert (again.transfer_id, again.is_new) == (first.transfer_id, False)
    assert (await world.accounts())["bank"] == 12000
    assert await world.mails() == ["receipt"]


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (came("120.00", "abonnement"), "It names no invoice number."),
        (came("120.00", "F-1"), "It names no invoice number."),
        (came("120.00", "F-000099"), "It names F-000099, which is no invoice."),
    ],
    ids=["nothing", "too short", "unknown"],
)
async def test_what_names_no_invoice_is_left_to_a_person_and_not_booked(
    world: World, entry: Entry, why: str
) -> None:
    (done,) = await import_file(world.database, world.acme.entity.id, camt(entry))
    assert (done.state, done.why, done.invoices) == ("unmatched", why, ())
    assert await world.accounts() == OWED


async def test_more_than_is_owed_and_perhaps_a_second_number_in_short_is_left_to_a_person(
    world: World,
) -> None:
    """120.00 are owed on the invoice that is named."""
    short = camt(came("240.00", "F-000001/000002"), came("120.00", "F-000001/000003"))
    much, enough = await import_file(world.database, world.acme.entity.id, short)
    assert (much.state, much.why) == (
        "unmatched",
        "It pays more than F-000001, and may name another invoice in short.",
    )
    assert (enough.state, enough.invoices[0].status) == ("matched", "paid")


async def test_another_currency_and_several_customers_are_left_to_a_person(world: World) -> None:
    async with world.database.write() as session:
        other = await acme(session, seller=world.acme.entity)
        await bill(session, other)
    dollars = came("120.00", "F-000001")
    dollars.currency = "USD"
    done = await import_file(
        world.database, world.acme.entity.id, camt(dollars, came("240.00", "F-000001 F-000002"))
    )
    assert [(one.state, one.why) for one in done] == [
        ("unmatched", "It is in USD, and F-000001 in EUR."),
        ("unmatched", "F-000001, F-000002 are of several customers."),
    ]


async def test_a_number_that_was_replaced_pays_the_new_invoice(world: World) -> None:
    async with world.database.write() as session:
        asked = Rectify(
            command_id="rectify-1", invoice_id=world.invoice.id, buyer=NewBuyer(name="ACME France SARL")
        )
        await rectify(session, desk(session).gateway, desk(session).rules, asked, at=AT)
    (done,) = await import_file(world.database, world.acme.entity.id, camt(came("120.00", "F-000001")))
    assert [(one.number, one.pays_minor, one.status) for one in done.invoices] == [
        ("F-000002", 12000, "paid")
    ]


async def test_what_a_person_recorded_before_is_not_booked_again(world: World) -> None:
    by_hand = await record(world.database, world.invoice, amount_minor=12000, bank_reference="B-7")
    (same, other) = await import_file(
        world.database,
        world.acme.entity.id,
        camt(came("120.00", "F-000001", reference="B-7"), came("120.00", "F-000001", reference="B-8")),
    )
    assert (same.state, same.why) == (
        "dismissed",
        f"It is {by_hand.transfer_id}, which tests recorded by hand.",
    )
    assert (other.state, other.invoices[0].unapplied_minor) == ("matched", 12000)
    assert (await world.accounts())["bank"] == 24000
    with pytest.raises(NotNow, match="This transfer is dismissed"):
        await match(world, same.transfer_id, world.invoice)
    await take_back(world, by_hand.transfer_id)
    assert await match(world, same.transfer_id, world.invoice) == [("F-000001", "paid")]
    assert (await world.accounts())["bank"] == 24000


async def test_what_may_have_been_recorded_before_is_left_to_a_person(world: World) -> None:
    by_hand = await record(world.database, world.invoice, amount_minor=12000)
    (done,) = await import_file(
        world.database, world.acme.entity.id, camt(came("120.00", "F-000001", reference="B-7"))
    )
    assert done.state == "unmatched"
    assert done.why.startswith(
        f"It may be {by_hand.transfer_id}, which tests recorded by hand for 2027-03-10."
    )
    assert await dismiss(world, done.transfer_id) == "dismissed"
    assert (await world.accounts())["bank"] == 12000


async def test_a_person_says_whose_it_is_and_can_say_so_again(world: World) -> None:
    async with world.database.write() as session:
        session.add(world.acme.subscription)
        later = await bill(session, world.acme, month=2, at=AT - timedelta(days=10))
    (done,) = await import_file(world.database, world.acme.entity.id, camt(came("120.00", "abonnement")))

    assert await match(world, done.transfer_id, later) == [("F-000002", "paid")]
    with pytest.raises(NotNow, match=r"This transfer is matched.*relance payment take-back"):
        await match(world, done.transfer_id, world.invoice)
    await take_back(world, done.transfer_id)
    assert await match(world, done.transfer_id, world.invoice) == [("F-000001", "paid")]
    assert (await fresh(world.database, later)).open_minor == 12000
    assert (await world.accounts())["bank"] == 12000
    await take_back(world, done.transfer_id)
    await dismiss(world, done.transfer_id)
    assert await match(world, done.transfer_id, world.invoice) == [("F-000001", "paid")]


async def _import_it_too(_: int, url: str, entity_id: str, content: bytes) -> list[bool]:
    database = Database(url, pool_size=1)
    try:
        try:
            return [one.is_new for one in await import_file(database, entity_id, content)]
        except IntegrityError:  # somebody else's commit came first: their entry is there now
            return [one.is_new for one in await import_file(database, entity_id, content)]
    finally:
        await database.close()


async def test_one_file_that_several_processes_read_at_once_is_booked_once(
    world: World, database_url: str, crowd: Crowd
) -> None:
    content = camt(came("50.00", "F-000001", reference="B-7"))
    answers = await crowd.run(_import_it_too, database_url, world.acme.entity.id, content)
    assert sorted(new for answer in answers for new in answer) == [False] * (PROCESSES - 1) + [True]
    assert (await world.accounts())["bank"] == 5000
    assert (await world.now()).paid_minor == 5000
    assert await world.mails() == ["receipt"]


async def test_a_transfer_for_a_customer_who_pays_by_card_supersedes_the_charge(database: Database) -> None:
    async with database.write() as session:
        anna = await factories.someone(session)
        invoice = factories.invoice(anna, payment_intent="pi_1", generation=1)
        session.add(invoice)
    done = await record(database, invoice, amount_minor=1000)
    now = await fresh(database, invoice)
    assert [one.open_minor for one in done.invoices] == [2480]
    assert (now.payment_intent, now.superseded_intent, now.generation) == (None, "pi_1", 2)
