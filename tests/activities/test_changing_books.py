"""Changes now, as the books have them: the documents that they make, and where the money goes (rules 8, 10, 12)."""

from __future__ import annotations

from support.bookkeeping import signs_up
from support.priced import terms

from billing.commands import ChangeQuantity, When
from models.database import Database


async def test_p3_seats_go_up_and_down_in_one_month(database: Database) -> None:
    """Worked P3: five seats, eight on the 11th, six on the 21st: an invoice of 29.26, then a credit note of 10.21."""
    books = await signs_up(database, terms("12.00", quantity=5))
    await books.is_paid()
    for seats in (8, 6):
        await books.passes(10)
        assert await books.tells(ChangeQuantity(command_id=f"to {seats}", quantity=seats, when=When.NOW))
        await books.is_paid()
    page = await books.look()
    assert [(i.net_minor, i.vat_minor, i.total_minor) for i in page.issued.values()] == [
        (6000, 1200, 7200),
        (2438, 488, 2926),
    ]
    (note,) = page.notes
    assert (note.net_minor, note.vat_minor, note.total_minor) == (851, 170, 1021)
    assert (note.closes_minor, note.balance_minor, note.refund_minor) == (0, 1021, 0)
    assert [row.line.amount_minor for row in page.lines_of(note.id)] == [-3406, 2555]
