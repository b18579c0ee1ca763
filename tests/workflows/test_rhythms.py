"""Two years at each rhythm, from the last day of a year: cut back in short months, and in a leap February."""

from itertools import pairwise

from sqlmodel import col, select
from support.diaries import joined, renewed
from support.life import Begins, Life, Person

from billing.commands import Cancel
from models.tables import Invoice


def renewals(amount: str, *days: str) -> list[str]:
    """One after the other."""
    return [line for day in days for line in renewed(day, amount)]


async def gives_card_valid_to(person: Person, month: int, year: int) -> None:
    """A card that always works, with another date on it."""
    card = person.life.fake.client().v1.payment_methods.create(
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": month, "exp_year": year}}
    )
    await person.life.methods.add(person.customer_id, card.id)
    await person.life.settle()


async def periods_of(world: Life, person: Person) -> list[tuple[str, str]]:
    """First day and exclusive end of what each invoice covers."""
    async with world.database.read() as session:
        query = (
            select(Invoice)
            .where(Invoice.subscription_id == person.subscription_id)
            .order_by(col(Invoice.issued_at))
        )
        rows = (await session.exec(query)).all()
    return [(str(row.period_start), str(row.period_end)) for row in rows]


async def test_two_years_by_months(life: Begins) -> None:
    async with life("2042-12-31") as world:
        monthly = await world.signs_up("mia", plan="pro")
        bimonthly = await world.signs_up("bo", plan="duo")
        quarterly = await world.signs_up("quentin", plan="quarter")
        await world.until("2044-12-31")

        assert await monthly.diary() == [
            *joined("2042-12-31", "58.80"),
            *renewals("58.80", "2043-01-31", "2043-02-28", "2043-03-31", "2043-04-30", "2043-05-31"),
            *renewals("58.80", "2043-06-30", "2043-07-31", "2043-08-31", "2043-09-30", "2043-10-31"),
            *renewals("58.80", "2043-11-30", "2043-12-31", "2044-01-31", "2044-02-29", "2044-03-31"),
            *renewals("58.80", "2044-04-30", "2044-05-31", "2044-06-30", "2044-07-31", "2044-08-31"),
            *renewals("58.80", "2044-09-30", "2044-10-31", "2044-11-30", "2044-12-31"),
        ]
        assert await bimonthly.diary() == [
            *joined("2042-12-31", "72.00"),
            *renewals("72.00", "2043-02-28", "2043-04-30", "2043-06-30", "2043-08-31", "2043-10-31"),
            *renewals("72.00", "2043-12-31", "2044-02-29", "2044-04-30", "2044-06-30", "2044-08-31"),
            *renewals("72.00", "2044-10-31", "2044-12-31"),
        ]
        assert await quarterly.diary() == [
            *joined("2042-12-31", "144.00"),
            *renewals("144.00", "2043-03-31", "2043-06-30", "2043-09-30", "2043-12-31"),
            *renewals("144.00", "2044-03-31", "2044-06-30", "2044-09-30", "2044-12-31"),
        ]
        assert await periods_of(world, bimonthly) == [
            ("2042-12-31", "2043-02-28"),
            ("2043-02-28", "2043-04-30"),
            ("2043-04-30", "2043-06-30"),
            ("2043-06-30", "2043-08-31"),
            ("2043-08-31", "2043-10-31"),
            ("2043-10-31", "2043-12-31"),
            ("2043-12-31", "2044-02-29"),
            ("2044-02-29", "2044-04-30"),
            ("2044-04-30", "2044-06-30"),
            ("2044-06-30", "2044-08-31"),
            ("2044-08-31", "2044-10-31"),
            ("2044-10-31", "2044-12-31"),
            ("2044-12-31", "2045-02-28"),
        ]
        for person in (monthly, quarterly):
            periods = await periods_of(world, person)
            assert all(end == start for (_, end), (start, _) in pairwise(periods))


async def test_two_years_half_yearly_annual_and_every_two_weeks(life: Begins) -> None:
    """Consumers whose time renews for more than three months are told 45 days before they can last leave."""
    async with life("2042-12-31") as world:
        half_yearly = await world.signs_up("hugo", plan="half")
        annual = await world.signs_up("anna", plan="year")
        fortnightly = await world.signs_up("fanny", plan="fortnight")
        await world.until("2044-12-31")

        assert await half_yearly.diary() == [
            *joined("2042-12-31", "288.00"),
            "2043-05-15 mail renewal_notice",
            *renewed("2043-06-30", "288.00"),
            "2043-11-15 mail renewal_notice",
            *renewed("2043-12-31", "288.00"),
            "2044-05-15 mail renewal_notice",
            *renewed("2044-06-30", "288.00"),
            "2044-11-15 mail renewal_notice",
            *renewed("2044-12-31", "288.00"),
        ]
        assert await annual.diary() == [
            *joined("2042-12-31", "588.00"),
            "2043-11-15 mail renewal_notice",
            *renewed("2043-12-31", "588.00"),
            "2044-11-15 mail renewal_notice",
            *renewed("2044-12-31", "588.00"),
        ]
        assert await fortnightly.diary() == [
            *joined("2042-12-31", "24.00"),
            *renewals("24.00", "2043-01-14", "2043-01-28", "2043-02-11", "2043-02-25", "2043-03-11"),
            *renewals("24.00", "2043-03-25", "2043-04-08", "2043-04-22", "2043-05-06", "2043-05-20"),
            *renewals("24.00", "2043-06-03", "2043-06-17", "2043-07-01", "2043-07-15", "2043-07-29"),
            *renewals("24.00", "2043-08-12", "2043-08-26", "2043-09-09", "2043-09-23", "2043-10-07"),
            *renewals("24.00", "2043-10-21", "2043-11-04", "2043-11-18", "2043-12-02", "2043-12-16"),
            *renewals("24.00", "2043-12-30", "2044-01-13", "2044-01-27", "2044-02-10", "2044-02-24"),
            *renewals("24.00", "2044-03-09", "2044-03-23", "2044-04-06", "2044-04-20", "2044-05-04"),
            *renewals("24.00", "2044-05-18", "2044-06-01", "2044-06-15", "2044-06-29", "2044-07-13"),
            *renewals("24.00", "2044-07-27", "2044-08-10", "2044-08-24", "2044-09-07", "2044-09-21"),
            *renewals("24.00", "2044-10-05", "2044-10-19", "2044-11-02", "2044-11-16", "2044-11-30"),
            *renewals("24.00", "2044-12-14", "2044-12-28"),
        ]
        for person in (half_yearly, annual, fortnightly):
            periods = await periods_of(world, person)
            assert all(end == start for (_, end), (start, _) in pairwise(periods))


async def test_years_from_a_leap_day(life: Begins) -> None:
    async with life("2044-02-29") as world:
        anna = await world.signs_up("anna", plan="year")
        await world.until("2048-03-01")
        assert await anna.diary() == [
            *joined("2044-02-29", "588.00"),
            "2045-01-13 mail renewal_notice",
            *renewed("2045-02-28", "588.00"),
            "2046-01-13 mail renewal_notice",
            *renewed("2046-02-28", "588.00"),
            "2047-01-13 mail renewal_notice",
            *renewed("2047-02-28", "588.00"),
            "2048-01-14 mail renewal_notice",
            *renewed("2048-02-29", "588.00"),
        ]


async def test_the_card_runs_out_before_the_charge(life: Begins) -> None:
    """Told on the first of the card's last month, and 30 days before a charge that the card does not live to see."""
    async with life("2041-01-31") as world:
        monthly = await world.signs_up("mia", plan="pro")
        annual = await world.signs_up("anna", plan="year")
        await gives_card_valid_to(monthly, 4, 2041)
        await gives_card_valid_to(annual, 9, 2041)
        await world.until("2041-05-20")
        assert await monthly.diary() == [
            *joined("2041-01-31", "58.80"),
            *renewals("58.80", "2041-02-28", "2041-03-31"),
            "2041-04-01 mail card_expiring",
            *renewed("2041-04-30", "58.80"),
            "2041-05-01 mail card_expiring",
        ]
        await monthly.tells(Cancel(command_id="cmd_1"))
        await world.until("2042-01-10")
        await gives_card_valid_to(annual, 12, 2060)
        await world.until("2042-01-31")
        assert await annual.diary() == [
            *joined("2041-01-31", "588.00"),
            "2041-09-01 mail card_expiring",
            "2041-12-16 mail renewal_notice",
            "2042-01-01 mail card_expiring",
            *renewed("2042-01-31", "588.00"),
        ]
