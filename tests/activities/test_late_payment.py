"""What late payment costs a business, claimed by a person only and booked outside VAT; never a consumer (I1, I5)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest
from support import factories
from support.bank_files import came, camt
from support.factories import Someone
from support.transfers import accounts, acme, bill, desk, import_file, mails, record

from activities.books.config import BookRules
from activities.books.correcting import NotNow
from activities.books.issuing import write_invoice
from activities.books.late_claims import (
    ClaimInterest,
    ClaimStanding,
    WaiveInterest,
    claim_interest,
    waive_interest,
)
from activities.books.late_payment import LatePayment, late_payment_of
from activities.books.transfers import take_back_payment
from billing.interest import InterestRate, InterestRates
from billing.prices import Price
from billing.transfer_commands import TakeBackPayment
from models.database import Database
from models.tables import Invoice
from starter.accounts import read_accounts

RULES = BookRules(
    interest=InterestRates(rates=(InterestRate(from_on=date(2027, 1, 1), percent=Decimal("12.15")),))
)


def on(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T09:00:00+00:00")


async def i1(database: Database, **customer: object) -> tuple[Someone, Invoice]:
    """I1: 1200.00 with VAT, due on 2 March 2027."""
    async with database.write() as session:
        someone = await acme(session)
        for name, value in customer.items():
            setattr(someone.customer, name, value)
        terms = someone.subscription.state.terms.model_copy(
            update={"prices": (Price(id="base", unit_amount=Decimal("1000.00")),)}
        )
        issue = factories.issue(terms=terms)
        invoice = await write_invoice(session, someone.subscription, issue, on("2027-01-31"), RULES)
    return someone, invoice


async def late(
    database: Database, invoice: Invoice, day: str, rules: BookRules = RULES
) -> LatePayment | None:
    async with database.read() as session:
        row = await session.get_one(Invoice, invoice.id)
        return await late_payment_of(session, row, rules, date.fromisoformat(day))


async def claim(
    database: Database, invoice: Invoice, day: str, command_id: str = "claim-1", rules: BookRules = RULES
) -> ClaimStanding:
    async with database.write() as session:
        asked = ClaimInterest(command_id=command_id, invoice_id=invoice.id, by="tests")
        return await claim_interest(desk(session, on(day), rules), asked)


async def waive(database: Database, invoice: Invoice, day: str) -> ClaimStanding:
    async with database.write() as session:
        asked = WaiveInterest(invoice_id=invoice.id, reason="a good customer", by="tests")
        return await waive_interest(desk(session, on(day), RULES), asked)


async def test_i1_interest_and_recovery_costs_of_a_business(database: Database) -> None:
    someone, invoice = await i1(database)
    await record(database, invoice, amount_minor=120000, received_on=date(2027, 4, 16), at=on("2027-04-16"))
    found = await late(database, invoice, "2027-12-01")
    assert found is not None
    assert (found.days, str(found.until_on)) == (45, "2027-04-16")
    assert (found.bears_interest, found.interest_minor, found.recovery_minor) == (True, 1798, 4000)
    assert await accounts(database, someone.customer.id) == {
        "bank": 120000,
        "revenue": -100000,
        "vat": -20000,
    }


async def test_i5_a_consumer_owes_none_and_is_never_asked(database: Database) -> None:
    _, invoice = await i1(database, kind="consumer")
    found = await late(database, invoice, "2027-04-16")
    assert found is not None
    assert (found.days, found.bears_interest, found.interest_minor, found.recovery_minor) == (
        45,
        False,
        None,
        0,
    )
    with pytest.raises(NotNow, match="never from consumers"):
        await claim(database, invoice, "2027-04-16")


@pytest.mark.parametrize("kind", ["public_body", "non_professional"])
async def test_only_businesses_are_asked(database: Database, kind: str) -> None:
    _, invoice = await i1(database, kind=kind)
    with pytest.raises(NotNow, match="claimed from businesses that pay by transfer"):
        await claim(database, invoice, "2027-04-16")


async def test_who_is_not_late_is_not_asked(database: Database) -> None:
    _, invoice = await i1(database)
    assert await late(database, invoice, "2027-03-02") is None
    with pytest.raises(NotNow, match="paid in time, or is not overdue yet"):
        await claim(database, invoice, "2027-03-02")
    found = await late(database, invoice, "2027-03-03")
    assert found is not None
    assert (found.days, found.interest_minor, found.recovery_minor) == (1, 40, 4000)


async def test_a_claim_is_booked_outside_vat_and_told_once(database: Database) -> None:
    someone, invoice = await i1(database)
    first = await claim(database, invoice, "2027-04-16")
    again = await claim(database, invoice, "2027-05-30")
    assert first == again
    assert (first.interest_minor, first.recovery_minor, first.open_minor) == (1798, 4000, 5798)
    assert await accounts(database, someone.customer.id) == {
        "receivable": 120000,
        "revenue": -100000,
        "vat": -20000,
        "late_receivable": 5798,
        "late_interest": -1798,
        "recovery_costs": -4000,
    }
    assert [kind for kind, _ in await mails(database, someone.customer.id)] == ["late_interest_claimed"]


async def test_a_later_claim_asks_for_the_days_since_and_no_second_time_for_recovery(
    database: Database,
) -> None:
    # 55 days in all: 1200.00 * 0.1215 * 55 / 365 = 21.97; 17.98 of it were claimed
    _, invoice = await i1(database)
    await claim(database, invoice, "2027-04-16")
    further = await claim(database, invoice, "2027-04-26", "claim-2")
    assert (further.interest_minor, further.recovery_minor) == (2197, 4000)
    with pytest.raises(NotNow, match="All that its lateness costs was claimed before"):
        await claim(database, invoice, "2027-04-26", "claim-3")


async def test_without_the_rate_of_a_half_year_nothing_is_claimed(database: Database) -> None:
    _, invoice = await i1(database)
    found = await late(database, invoice, "2027-07-02")
    assert found is not None
    assert (found.interest_minor, found.recovery_minor) == (None, 4000)
    assert "no rate for the half-year from 2027-07-01" in found.problem
    with pytest.raises(NotNow, match="RELANCE_INTEREST_RATES") as refused:
        await claim(database, invoice, "2027-07-02")
    assert refused.value.field == "interest_rates"


async def test_a_transfer_pays_the_invoice_then_the_claim(database: Database) -> None:
    someone, invoice = await i1(database)
    await claim(database, invoice, "2027-04-16")
    done = await record(
        database, invoice, amount_minor=126000, received_on=date(2027, 4, 16), at=on("2027-04-16")
    )
    (paid,) = done.invoices
    assert (paid.pays_minor, paid.claim_minor, paid.unapplied_minor) == (120000, 5798, 202)
    assert await accounts(database, someone.customer.id) == {
        "bank": 126000,
        "unapplied_cash": -202,
        "revenue": -100000,
        "vat": -20000,
        "late_interest": -1798,
        "recovery_costs": -4000,
    }
    async with database.write() as session:
        asked = TakeBackPayment(transfer_id=done.transfer_id, reason="a mistake")
        await take_back_payment(desk(session, on("2027-04-17"), RULES), asked)
    booked = await accounts(database, someone.customer.id)
    assert (booked["receivable"], booked["late_receivable"]) == (120000, 5798)


async def test_a_claim_for_a_paid_invoice_is_paid_by_a_transfer_that_names_it(database: Database) -> None:
    someone, invoice = await i1(database)
    await record(database, invoice, amount_minor=120000, received_on=date(2027, 4, 16), at=on("2027-04-16"))
    await claim(database, invoice, "2027-04-20")
    (done,) = await import_file(database, someone.entity.id, camt(came("57.98", "F-000001", on="2027-04-25")))
    assert [(one.pays_minor, one.claim_minor, one.unapplied_minor) for one in done.invoices] == [(0, 5798, 0)]
    with pytest.raises(NotNow, match="Nothing that was claimed"):
        await waive(database, invoice, "2027-04-26")


async def test_what_is_waived_is_gone_and_not_claimed_again(database: Database) -> None:
    someone, invoice = await i1(database)
    await claim(database, invoice, "2027-04-16")
    done = await waive(database, invoice, "2027-04-17")
    assert (done.waived_minor, done.open_minor) == (5798, 0)
    booked = await accounts(database, someone.customer.id)
    assert booked == {"receivable": 120000, "revenue": -100000, "vat": -20000}
    further = await claim(database, invoice, "2027-04-26", "claim-2")
    assert (further.interest_minor, further.recovery_minor, further.open_minor) == (2197, 4000, 399)


async def test_the_rest_of_a_claim_is_waived(database: Database) -> None:
    someone, invoice = await i1(database)
    await claim(database, invoice, "2027-04-16")
    await record(database, invoice, amount_minor=122000, received_on=date(2027, 4, 16), at=on("2027-04-16"))
    done = await waive(database, invoice, "2027-04-17")
    assert (done.paid_minor, done.waived_minor, done.open_minor) == (2000, 3798, 0)
    assert await accounts(database, someone.customer.id) == {
        "bank": 122000,
        "revenue": -100000,
        "vat": -20000,
        "late_interest": -1798,
        "recovery_costs": -202,
    }


async def test_i11_holds_with_all_of_it(database: Database) -> None:
    async with database.write() as session:
        someone = await acme(session)
        invoice = await bill(session, someone)
    # 120.00 * 0.1215 * 10 / 365 = 0.40 and 40.00 are claimed; 0.50 of the invoice and 0.40 of the claim are let go.
    await claim(database, invoice, "2027-03-12")
    await record(database, invoice, amount_minor=11950)
    await record(database, invoice, amount_minor=4000, command_id="seen-2")
    await waive(database, invoice, "2027-03-13")
    await record(database, invoice, amount_minor=700, command_id="seen-3")
    async with database.read() as session:
        books = await read_accounts(session, None)
    (customer,), (account,) = books.customers, books.invoices
    assert customer.adds_up
    assert (customer.invoiced_minor, customer.paid_minor, customer.unapplied_minor) == (12000, 16650, 700)
    assert (customer.small_differences_minor, customer.claimed_minor) == (50, 4000)
    assert (customer.open_minor, customer.claims_open_minor) == (0, 0)
    assert (account.paid_minor, account.booked_paid_minor, account.open_minor) == (11950, 11950, 0)
    assert books.unbalanced == ()
