"""Changes now, as the books have them: the documents that they make, and where the money goes (rules 8, 10, 12)."""

from __future__ import annotations

from datetime import date

from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from billing.commands import Cancel, ChangePlan, ChangeQuantity, Pause, Resume, When
from billing.corrections import Credit
from billing.prices import PricingModel
from billing.subscription import Status
from billing.terms import Terms
from models.database import Database

SEAT = price("12.00", PricingModel.PER_UNIT, id="seat")
SMALL = plan(price("29.00"), plan_id="small", plan_name="Small")
TEAM = plan(price("29.00"), SEAT, plan_id="team", plan_name="Team")
BIG = plan(price("79.00"), plan_id="big", plan_name="Big")
SEATS = plan(SEAT, plan_id="seats", plan_name="Seats", quantity=5)


async def begins(database: Database, terms: Terms) -> Bookkeeping:
    return await signs_up(database, terms, SMALL, TEAM, BIG)


async def changes_to(books: Bookkeeping, terms: Terms) -> None:
    asked = ChangePlan(command_id=f"to {terms.plan_id}", plan_id=terms.plan_id, terms=terms, when=When.NOW)
    assert await books.tells(asked)


async def documents(books: Bookkeeping) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Net, VAT and total of each invoice and of each credit note."""
    page = await books.look()
    return (
        [(i.net_minor, i.vat_minor, i.total_minor) for i in page.issued.values()],
        [(n.net_minor, n.vat_minor, n.total_minor) for n in page.notes],
    )


async def test_p3_seats_go_up_and_down_in_one_month(database: Database) -> None:
    """Worked P3: five seats, eight on the 11th, six on the 21st: an invoice of 29.26, then a credit note of 10.21."""
    books = await begins(database, SEATS)
    await books.is_paid()
    for seats in (8, 6):
        await books.passes(10)
        assert await books.tells(ChangeQuantity(command_id=f"to {seats}", quantity=seats, when=When.NOW))
        await books.is_paid()
    assert await documents(books) == ([(6000, 1200, 7200), (2438, 488, 2926)], [(851, 170, 1021)])
    page = await books.look()
    (note,) = page.notes
    assert (note.closes_minor, note.balance_minor, note.refund_minor) == (0, 1021, 0)
    assert [row.line.amount_minor for row in page.lines_of(note.id)] == [-3406, 2555]


async def test_days_that_a_credit_note_bills_are_covered_and_not_billed_again(
    sqlite_database: Database,
) -> None:
    """Big to Small on the 5th, 27 of 31 days: 68.81 go back, 25.26 are billed. A pause then changes nothing."""
    books = await begins(sqlite_database, BIG)
    await books.is_paid()
    await books.passes(4)
    await changes_to(books, SMALL)
    assert (await books.look()).state.covered_until == date(2027, 2, 1)
    await books.passes(5)
    assert await books.tells(Pause(command_id="pause", when=When.NOW))
    assert await books.tells(Resume(command_id="resume"))
    assert await documents(books) == ([(7900, 1580, 9480)], [(4355, 871, 5226)])
    state = (await books.look()).state
    assert (state.status, state.covered_until) == (Status.ACTIVE, date(2027, 2, 1))


async def test_a_credit_of_all_takes_back_what_its_credit_notes_bill_too(sqlite_database: Database) -> None:
    """Big to Small, then one seat more: 9.68. Once the first invoice is credited, a cancel gives back the seat only.

    Of the seat's 25 days 24 are unused on the 8th: 9.29. The days of Small went back with the invoice.
    """
    books = await begins(sqlite_database, BIG)
    await books.is_paid()
    await books.passes(4)
    await changes_to(books, SMALL)
    await books.passes(2)
    await changes_to(books, TEAM)
    await books.is_paid()
    first = next(iter((await books.look()).issued))
    assert await books.corrects(Credit(command_id="all", invoice_id=first, reason="asked"))
    assert await books.tells(Cancel(command_id="cancel", when=When.NOW))
    invoices, notes = await documents(books)
    assert [net for net, _, _ in invoices] == [7900, 968]
    assert sorted(net for net, _, _ in notes) == [929, 3545, 4355]


async def test_a_change_that_waited_gives_days_back_also_when_the_debt_is_paid_first(
    sqlite_database: Database,
) -> None:
    """Past due, Small to Big on the 10th: 56.06 wait for their payment. Then the debt is paid, then they are.

    22 of 31 days of the 29.00 go back, 20.58: as a credit note, since the draft has no room for them any more.
    """
    books = await begins(sqlite_database, SMALL)
    await books.is_paid("declined")
    await books.passes(9)
    await changes_to(books, BIG)
    page = await books.look()
    debt, draft = page.invoices
    assert page.waits is not None
    for invoice in (debt, draft):
        begun = await books.begins_charge(invoice)
        assert begun is not None
        await books.hears(begun, "paid")
    assert await documents(books) == ([(2900, 580, 3480), (5606, 1121, 6727)], [(2058, 412, 2470)])
    page = await books.look()
    assert (page.state.terms.plan_name, page.state.status) == ("Big", Status.ACTIVE)
    assert [note.balance_minor for note in page.notes] == [2470]
