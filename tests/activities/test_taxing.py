"""Tax in the books: what is read from the rows, the threshold and the one stop shop, and VAT in euro."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from support import factories

from activities.books.config import BookRules
from activities.books.crediting import credit_in_full
from activities.books.exchanging import NoExchangeRate, load_rates
from activities.books.issuing import write_invoice
from activities.books.one_stop_shop import Declared, Quarter, oss_return, sold_across_borders
from activities.books.taxing import treatment_of
from billing.exchange import DayRate
from billing.prices import Price
from billing.tax import RateTotal, TaxRate, Totals
from billing.tax_places import place_of
from billing.taxation import LocationEvidence
from models import tables
from models.database import Database
from models.parties import Address
from models.tables import CreditNote, Invoice
from settings import Settings

RULES = BookRules()
BERLIN = Address(line1="Unter den Linden 1", postal_code="10117", city="Berlin", country="DE")
JANUARY_1 = date(2027, 1, 1)
ON_1_JANUARY = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)


async def sold(
    session: AsyncSession,
    to: factories.Someone,
    net_minor: int,
    on: date,
    *,
    state: str = "DE",
    kind: str = "below_threshold",
    percent: int = 20,
    **changes: object,
) -> Invoice:
    """An issued invoice to a consumer of another member state."""
    rate = TaxRate(percent=Decimal(percent))
    vat = net_minor * percent // 100
    row = factories.invoice(
        to,
        issued_on=on,
        period_start=on,
        period_end=on + timedelta(days=30),
        totals=Totals(per_rate=(RateTotal(rate=rate, base_minor=net_minor, vat_minor=vat),)),
        net_minor=net_minor,
        vat_minor=vat,
        total_minor=net_minor + vat,
        consumed_in=state,
        tax_kind=kind,
        **changes,
    )
    session.add(row)
    await session.flush()
    return row


def credited(of: Invoice, net_minor: int, on: date, percent: int = 20) -> CreditNote:
    vat = net_minor * percent // 100
    totals = Totals(
        per_rate=(RateTotal(rate=TaxRate(percent=Decimal(percent)), base_minor=-net_minor, vat_minor=-vat),)
    )
    return CreditNote(
        id=f"cn_{of.id}_{on}", invoice_id=of.id, entity_id=of.entity_id, customer_id=of.customer_id,
        command_id=f"cmd_{on}", series="A", number=f"A-{of.id}-{on}", issued_on=on, issued_at=ON_1_JANUARY,
        currency=of.currency, exchange_rate=of.exchange_rate, totals=totals, net_minor=net_minor,
        vat_minor=vat, total_minor=net_minor + vat, closes_minor=net_minor + vat, balance_minor=0,
        reason="test", seller=of.seller, buyer=of.buyer,
    )  # fmt: skip


async def a_german_consumer(session: AsyncSession) -> factories.Someone:
    someone = await factories.someone(session)
    someone.customer.address = BERLIN
    someone.entity.vat_percent = None
    await session.flush()
    return someone


async def decided(
    session: AsyncSession, of: factories.Someone, on: date = JANUARY_1, *, adding_eur_minor: int = 0
) -> str:
    treatment = await treatment_of(
        session, of.entity, of.customer, on, RULES, adding_eur_minor=adding_eur_minor
    )
    return f"{treatment.kind} {treatment.rate_for('standard').percent.normalize():f}"


async def test_the_threshold_is_counted_from_the_documents(database: Database) -> None:
    async with database.write() as session:
        of = await a_german_consumer(session)
        assert await decided(session, of) == "below_threshold 20"
        first = await sold(session, of, 9_000_00, date(2027, 3, 1))
        await sold(session, of, 1_000_00, date(2027, 4, 1))
        count = {"entity_id": of.entity.id, "clock_id": None}
        assert await sold_across_borders(session, **count, year=2027) == 10_000_00  # type: ignore[arg-type]
        assert await decided(session, of, date(2027, 5, 1)) == "below_threshold 20", "10,000 is not above it"
        assert await decided(session, of, date(2027, 5, 1), adding_eur_minor=1) == "oss 19"
        session.add(credited(first, 500_00, date(2027, 5, 2)))
        await session.flush()
        assert await sold_across_borders(session, **count, year=2027) == 9_500_00  # type: ignore[arg-type]
        await sold(session, of, 500_01, date(2027, 6, 1))
        assert await decided(session, of, date(2027, 6, 1)) == "oss 19"
        assert await decided(session, of, date(2028, 1, 1)) == "oss 19", "last year counts too"
        assert await decided(session, of, date(2029, 1, 1)) == "below_threshold 20"


async def test_a_credit_does_not_turn_the_rest_of_the_year_back(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        of = await a_german_consumer(session)
        beyond = await sold(session, of, 10_500_00, date(2027, 2, 1), kind="oss", percent=19)
        session.add(credited(beyond, 10_500_00, date(2027, 2, 2), 19))
        await session.flush()
        assert await decided(session, of, date(2027, 3, 1)) == "oss 19"
        assert await decided(session, of, date(2028, 3, 1)) == "below_threshold 20"


async def test_only_what_was_really_sold_across_a_border_counts(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        of = await a_german_consumer(session)
        clock = factories.clock()
        on_a_clock = await factories.someone(session, clock=clock, seller=of.entity)
        await sold(session, on_a_clock, 50_000_00, JANUARY_1)
        at_home = await sold(session, of, 50_000_00, JANUARY_1)
        at_home.consumed_in = None
        elsewhere = await factories.someone(session)
        await sold(session, elsewhere, 50_000_00, JANUARY_1)
        draft = await sold(session, of, 50_000_00, date(2027, 2, 1))
        draft.number, draft.issued_on, draft.status = None, None, "draft"  # type: ignore[assignment]
        await session.flush()
        assert await decided(session, of) == "below_threshold 20"
        assert await decided(session, on_a_clock) == "domestic 20", "they live in Lyon"
        in_2027 = {"entity_id": of.entity.id, "year": 2027}
        assert await sold_across_borders(session, **in_2027, clock_id=clock.id) == 50_000_00  # type: ignore[arg-type]


async def test_an_invoice_remembers_its_treatment_and_where_it_was_consumed(
    sqlite_database: Database,
) -> None:
    async with sqlite_database.write() as session:
        of = await a_german_consumer(session)
        of.entity.oss_opted_in = True
        of.customer.evidence = LocationEvidence(card_country="DE")
        invoice = await write_invoice(session, of.subscription, factories.issue(), ON_1_JANUARY, RULES)
    assert (invoice.tax_kind, invoice.consumed_in) == ("oss", "DE")
    assert (invoice.net_minor, invoice.vat_minor) == (2900, 551)  # 29.00 at 19 %
    assert invoice.treatment is not None
    assert invoice.treatment.evidence == LocationEvidence(billing_country="DE", card_country="DE")


async def test_a_number_given_or_taken_away_applies_from_the_next_issue(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        of = await a_german_consumer(session)
        of.customer.kind = "business"
        january = await write_invoice(session, of.subscription, factories.issue(), ON_1_JANUARY, RULES)
        of.customer.vat_number = "DE136695976"
        await session.flush()
        february = await write_invoice(
            session, of.subscription, factories.issue(factories.FEBRUARY), ON_1_JANUARY, RULES
        )
        note = await credit_in_full(
            session, of.subscription, january, command_id="c", reason="r", at=ON_1_JANUARY, rules=RULES
        )
    assert (january.net_minor, january.vat_minor) == (2900, 580)
    assert (february.net_minor, february.vat_minor) == (2900, 0)
    assert february.treatment is not None
    assert february.treatment.proof is not None
    assert february.treatment.proof.number == "DE136695976"
    assert note is not None
    assert note.vat_minor == 580, "a credit keeps the treatment of its invoice"


async def test_a_buyer_without_address_is_where_all_evidence_says(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        of = await factories.someone(session)
        of.customer.address = None
        assert await decided(session, of) == "domestic 20"
        of.customer.evidence = LocationEvidence(card_country="US", ip_country="US")
        assert await decided(session, of) == "outside_eu 0"
        of.customer.evidence = LocationEvidence(card_country="US", ip_country="DE")
        assert await decided(session, of) == "domestic 20"


async def test_the_figures_of_a_quarter(database: Database) -> None:
    async with database.write() as session:
        of = await a_german_consumer(session)
        await load_rates(
            session,
            [
                DayRate(currency="USD", on=date(2027, 3, 31), per_eur=Decimal("1.25")),
                DayRate(currency="USD", on=date(2027, 2, 1), per_eur=Decimal("1.10")),
            ],
            source="test",
        )
        late_2026 = await sold(session, of, 100_00, date(2026, 12, 31), kind="oss", percent=19)
        await sold(session, of, 200_00, date(2027, 1, 1), kind="oss", percent=19)
        second = await sold(session, of, 300_00, date(2027, 3, 31), kind="oss", percent=19)
        await sold(session, of, 50_00, date(2027, 2, 2), state="PT", kind="oss", percent=23)
        await sold(session, of, 125_00, date(2027, 2, 1), kind="oss", percent=19, currency="USD",
                   exchange_rate=Decimal("1.10"))  # fmt: skip
        await sold(session, of, 900_00, date(2027, 2, 3))  # taxed at home
        await sold(session, of, 700_00, date(2027, 4, 1), kind="oss", percent=19)
        session.add(credited(second, 100_00, date(2027, 3, 31), 19))
        session.add(credited(late_2026, 100_00, date(2027, 1, 10), 19))
        await session.flush()
        figures = await oss_return(
            session, entity_id=of.entity.id, clock_id=None, quarter=Quarter(year=2027, number=1)
        )

    def line(state: str, percent: str, base: int, vat: int, **changes: object) -> Declared:
        given = {"quarter": "2027-Q1", "currency": "EUR", "base_eur_minor": base, "vat_eur_minor": vat}
        return Declared.model_validate(
            {"state": state, "percent": Decimal(percent), "base_minor": base, "vat_minor": vat}
            | given
            | changes
        )

    assert figures.sales == (
        line("DE", "19", 400_00, 76_00),  # 200 + 300 - 100
        line("DE", "19", 125_00, 23_75, currency="USD", base_eur_minor=100_00, vat_eur_minor=19_00),
        line("PT", "23", 50_00, 11_50),
    )
    assert figures.corrections == (line("DE", "19", -100_00, -19_00, quarter="2026-Q4"),)


def test_quarters() -> None:
    assert Quarter(year=2027, number=4).days == (date(2027, 10, 1), date(2027, 12, 31))
    assert Quarter(year=2028, number=1).days == (date(2028, 1, 1), date(2028, 3, 31))
    assert Quarter.holding(date(2027, 6, 30)) == Quarter(year=2027, number=2)
    assert str(Quarter.holding(date(2027, 7, 1))) == "2027-Q3"


# Documents in another currency


async def in_dollars(session: AsyncSession, clock: tables.TestClock | None = None) -> factories.Someone:
    price = Price(id="base", unit_amount=Decimal("49.00"))
    of = await factories.someone(session, terms=factories.terms(currency="USD", prices=(price,)), clock=clock)
    of.entity.vat_percent = None
    return of


def dollars(*rates: tuple[str, str]) -> list[DayRate]:
    return [DayRate(currency="USD", on=date.fromisoformat(on), per_eur=Decimal(rate)) for on, rate in rates]


async def test_vat_in_euro_is_frozen_at_issue_and_kept_by_the_credit(database: Database) -> None:
    async with database.write() as session:
        of = await in_dollars(session)
        new = await load_rates(
            session, dollars(("2026-12-30", "1.0823"), ("2027-01-02", "1.2")), source="ECB"
        )
        assert new == 2
        issue = factories.issue(terms=of.subscription.state.terms)
        invoice = await write_invoice(session, of.subscription, issue, ON_1_JANUARY, RULES)
        assert await load_rates(session, dollars(("2026-12-30", "9.9")), source="ECB") == 0
        note = await credit_in_full(
            session, of.subscription, invoice, command_id="c", reason="r", at=ON_1_JANUARY, rules=RULES
        )
    async with database.read() as session:
        read = (await session.exec(select(Invoice))).one()
    assert (read.net_minor, read.vat_minor) == (4900, 980)
    # 9.80 USD at 1.0823 is 9.0548 EUR
    assert (read.vat_eur_minor, read.exchange_rate, read.exchange_rate_on) == (
        905,
        Decimal("1.0823"),
        date(2026, 12, 30),
    )
    assert note is not None
    assert (note.vat_eur_minor, note.exchange_rate) == (905, Decimal("1.0823"))


async def test_without_a_fresh_rate_nothing_is_issued(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        of = await in_dollars(session)
        issue = factories.issue(terms=of.subscription.state.terms)
        with pytest.raises(NoExchangeRate, match="none is known"):
            await write_invoice(session, of.subscription, issue, ON_1_JANUARY, RULES)
    async with sqlite_database.write() as session:
        await load_rates(session, dollars(("2026-12-24", "1.1")), source="ECB")
        of = await in_dollars(session)
        issue = factories.issue(terms=of.subscription.state.terms)
        with pytest.raises(NoExchangeRate, match=r"of 2026-12-24\. Load .* relance tax rates-load"):
            await write_invoice(session, of.subscription, issue, ON_1_JANUARY, RULES)
    async with sqlite_database.write() as session:
        await load_rates(session, dollars(("2026-12-25", "1.1")), source="ECB")
        of = await in_dollars(session)
        issue = factories.issue(terms=of.subscription.state.terms)
        invoice = await write_invoice(session, of.subscription, issue, ON_1_JANUARY, RULES)
    assert invoice.vat_eur_minor == 891  # 9.80 / 1.1 = 8.909


async def test_a_gated_draft_is_refused_before_anybody_pays_it(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        of = await in_dollars(session)
        issue = factories.issue(terms=of.subscription.state.terms, gated=True)
        with pytest.raises(NoExchangeRate):
            await write_invoice(session, of.subscription, issue, ON_1_JANUARY, RULES)


async def test_on_a_test_clock_an_old_rate_is_good_enough(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        await load_rates(session, dollars(("2026-11-20", "1.25")), source="ECB")
        of = await in_dollars(session, clock=factories.clock())
        issue = factories.issue(terms=of.subscription.state.terms)
        in_2041 = datetime(2041, 1, 1, tzinfo=UTC)
        invoice = await write_invoice(session, of.subscription, issue, in_2041, RULES)
    assert invoice.vat_eur_minor == 784  # 9.80 / 1.25


async def test_where_no_vat_is_charged_no_rate_is_needed(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        of = await in_dollars(session)
        of.customer.address = Address(line1="1 Broadway", postal_code="10004", city="New York", country="US")
        issue = factories.issue(terms=of.subscription.state.terms)
        invoice = await write_invoice(session, of.subscription, issue, ON_1_JANUARY, RULES)
    assert (invoice.number, invoice.vat_minor, invoice.vat_eur_minor) == ("F-000001", 0, None)


def test_a_seller_s_own_table_of_rates_is_read(tmp_path: Path) -> None:
    table = tmp_path / "rates.csv"
    table.write_text("country,tax_class,percent,valid_from\nFR,standard,21,2020-01-01\n", encoding="utf-8")
    rules = BookRules.of(Settings(vat_rates=table))
    assert rules.rates.percents(place_of("FR"), JANUARY_1) == {"standard": Decimal(21)}
