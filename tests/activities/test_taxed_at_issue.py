"""Which VAT an invoice has is decided when it is issued, and the sale that passes the threshold is beyond it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from support.bookkeeping import Bookkeeping, signs_up
from support.priced import plan, price

from billing.commands import ChangePlan, Resume, When
from billing.prices import Charging, PricingModel
from billing.steps import StepKind
from models.database import Database
from models.parties import Address

BERLIN = Address(line1="Unter den Linden 1", postal_code="10117", city="Berlin", country="DE")
REUNION = Address(line1="12 rue de Paris", postal_code="97400", city="Saint-Denis", country="RE")
CALLS = price("0.01", PricingModel.PER_UNIT, id="calls", charging=Charging.METERED, meter="calls")


async def taxed(books: Bookkeeping) -> list[tuple[str, str, int, int]]:
    """Why each invoice is there, how it is taxed, net and VAT."""
    issued = sorted((await books.look()).issued.values(), key=lambda invoice: invoice.number or "")
    return [
        (i.reason, i.treatment.kind.value if i.treatment else "", i.net_minor, i.vat_minor) for i in issued
    ]


async def test_the_renewal_that_passes_the_threshold_is_taxed_where_the_buyer_is(
    sqlite_database: Database,
) -> None:
    """6,000.00 each: the second sale to Germany brings the year to 12,000.00, above 10,000 (directive art. 59c)."""
    books = await signs_up(sqlite_database, plan(price("6000.00")))
    await books.knows(address=BERLIN)
    for month in (2, 3, 4):
        books.at = datetime(2027, month, 1, 11, tzinfo=UTC)
        assert await books.takes_step() is StepKind.BOUNDARY
    assert await taxed(books) == [
        ("signup", "domestic", 600000, 120000),  # in Lyon
        ("period", "below_threshold", 600000, 120000),
        ("period", "oss", 600000, 114000),  # 19 %
        ("period", "oss", 600000, 114000),
    ]


async def test_so_is_the_change_that_passes_it(sqlite_database: Database) -> None:
    """9,000.00 for February, of which 14 of 28 days go back; 14 days of 13,000.00 are 6,500.00: 11,000.00 in all."""
    dearer = plan(price("13000.00"), plan_id="plan_big", plan_name="Big")
    books = await signs_up(sqlite_database, plan(price("9000.00")))
    await books.is_paid()
    await books.knows(address=BERLIN)
    books.at = datetime(2027, 2, 1, 11, tzinfo=UTC)
    await books.takes_step()
    await books.is_paid()
    books.at = datetime(2027, 2, 15, 11, tzinfo=UTC)
    up = ChangePlan(command_id="up", plan_id="plan_big", terms=dearer, when=When.NOW)
    looked_at = await books.previews(up)
    assert await books.tells(up)
    assert (await taxed(books))[1:] == [
        ("period", "below_threshold", 900000, 180000),
        ("change", "oss", 650000, 123500),
    ]
    (note,) = (await books.look()).notes
    assert (note.net_minor, note.vat_minor) == (450000, 90000)
    assert [document.total_minor for document in looked_at.documents] == [-540000, 773500]


async def test_a_draft_that_waits_for_usage_is_taxed_as_its_buyer_is_when_it_is_issued(
    sqlite_database: Database,
) -> None:
    """29.00 and 1,000 calls at 0.01: 39.00; in Réunion 8.5 % of it are 3.315."""
    books = await signs_up(sqlite_database, plan(price("29.00"), CALLS))
    await books.is_paid()
    await books.uses("1000", event_id="a")
    books.at = datetime(2027, 2, 1, 11, tzinfo=UTC)
    await books.takes_step()
    await books.knows(address=REUNION)
    books.at = datetime(2027, 2, 2, 11, tzinfo=UTC)
    assert await books.takes_step() is StepKind.CLOSE_USAGE
    assert (await taxed(books))[1:] == [("period", "overseas", 3900, 332)]
    invoice = list((await books.look()).issued.values())[-1]
    rates = {line.rate.percent for line in (await books.look()).lines_of(invoice.id)}
    assert rates == {Decimal("8.5")}


async def test_so_is_a_draft_on_which_a_person_decides(sqlite_database: Database) -> None:
    """Three periods were missed: drafts, until somebody resumes."""
    books = await signs_up(sqlite_database, plan(price("29.00")))
    await books.is_paid()
    books.at = datetime(2027, 4, 15, 11, tzinfo=UTC)
    await books.takes_step()
    assert len(await taxed(books)) == 1
    await books.knows(address=REUNION)
    assert await books.tells(Resume(command_id="mended"))
    assert (await taxed(books))[1:] == [("period", "overseas", 2900, 247)] * 3
