"""Transfers through the client and the command line, with workers up, on a test clock."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from support.bank_files import ACCOUNT, came, camt
from support.life import ClockedLife, Person

from activities.books.correcting import NotNow
from activities.books.rows import NotFound
from activities.camt import BadBankFile
from billing.errors import InvalidInput
from billing.subscription import CustomerKind
from starter.client import RelanceClient
from starter.doctor import Doctor
from starter.orders import EntityChange, NewPlan


async def with_account(client: RelanceClient) -> None:
    await client.documents.update_entity(None, EntityChange(iban=ACCOUNT))


async def by_transfer(world: ClockedLife, name: str = "acme") -> Person:
    """Somebody who owes 588.00 from 31 January 2041, due on 2 March."""
    plan = NewPlan.model_validate(
        {
            "reference": "transfer",
            "name": "By transfer",
            "currency": "EUR",
            "every": "1year",
            "amount": Decimal("490.00"),
            "collection_method": "transfer",
            "payment_terms": "30 days",
        }
    )
    await world.catalogue.create_plans([plan])
    return await world.signs_up(name, plan="transfer", card=None, kind=CustomerKind.BUSINESS)


async def number_of(person: Person) -> str:
    (invoice,) = await person.invoices()
    return invoice.number or ""


async def test_a_file_is_looked_at_then_booked_then_known(world: ClockedLife, client: RelanceClient) -> None:
    acme = await by_transfer(world)
    await with_account(client)
    content = camt(
        came("500.00", await number_of(acme), reference="B-1", on="2041-01-31"),
        came("88.00", await number_of(acme), reference="B-2", on="2041-01-31"),
        came("12.00", "interest", reference="B-3", on="2041-01-31"),
    )
    looked = await client.transfers.import_file(content, check=True)
    assert looked.only_looked
    assert [(one.invoices[0].pays_minor, one.invoices[0].open_minor) for one in looked.booked] == [
        (50000, 8800),
        (8800, 0),
    ]
    assert [one.why for one in looked.unmatched] == ["It names no invoice number."]
    assert await client.transfers.transfers() == []
    done = await client.transfers.import_file(content)
    assert [one.invoices[0].open_minor for one in done.booked] == [8800, 0]
    assert [one.transfer_id for one in (*done.booked, *done.unmatched)] == [
        one.transfer_id for one in (*looked.booked, *looked.unmatched)
    ]
    again = await client.transfers.import_file(content)
    assert (again.booked, again.unmatched, again.known) == ((), (), 3)
    document = await client.invoice(await number_of(acme))
    assert document.invoice.status == "paid"
    assert {(str(one.received_on), one.pays_minor) for one in document.transfers} == {
        ("2041-01-31", 50000),
        ("2041-01-31", 8800),
    }


async def test_a_bad_file_and_a_foreign_account_book_nothing(
    world: ClockedLife, client: RelanceClient
) -> None:
    acme = await by_transfer(world)
    content = camt(came("588.00", await number_of(acme)), came("1.00", "x"))
    with pytest.raises(
        NotFound, match=rf"Line 5: no legal entity has the account {ACCOUNT}.*--iban"
    ) as refused:
        await client.transfers.import_file(content)
    assert refused.value.field == "entity"
    await with_account(client)
    with pytest.raises(BadBankFile, match="Line"):
        await client.transfers.import_file(content.replace(b">1.00<", b">1,00<"))
    assert await client.transfers.transfers() == []


async def test_an_unmatched_transfer_is_proposed_with_reasons_and_matched_by_a_person(
    world: ClockedLife, client: RelanceClient
) -> None:
    acme = await by_transfer(world)
    await with_account(client)
    await client.transfers.import_file(
        camt(
            came("588.00", "abonnement", payer="ACME", on="2041-01-31"), came("9.00", "rien", payer="Nobody")
        )
    )
    found = [one.about for one in await Doctor(client.connections).examine() if one.trouble == "transfers"]
    assert found == ["2 transfers"]
    other, waiting = sorted(await client.transfers.unmatched(), key=lambda one: one.transfer.amount_minor)
    assert other.proposals == ()
    (proposal,) = waiting.proposals
    assert (proposal.customer_name, proposal.numbers) == ("Acme", (await number_of(acme),))
    assert proposal.why == ("its amount is open on it", "the payer is called like the customer")
    done = await client.transfers.match(waiting.transfer.transfer_id, customer="acme", by="tests")
    assert [(one.status, one.open_minor) for one in done.invoices] == [("paid", 0)]
    await client.transfers.dismiss(other.transfer.transfer_id, reason="a loan")
    assert await client.transfers.unmatched() == []
    await client.transfers.import_file(camt(came("10.00", "encore", payer="X", on="2041-01-31")))
    assert (await client.transfers.unmatched())[0].proposals == ()


async def test_what_is_recorded_for_a_customer_pays_what_is_open(
    world: ClockedLife, client: RelanceClient
) -> None:
    await by_transfer(world)
    paid = date(2041, 1, 31)
    with pytest.raises(InvalidInput, match="Name the invoices that it pays, or the customer"):
        await client.transfers.record(amount_minor=58800, received_on=paid)
    done = await client.transfers.record(customer="acme", amount_minor=58800, received_on=paid)
    assert [one.status for one in done.invoices] == ["paid"]
    with pytest.raises(InvalidInput, match="Nothing is open for Acme"):
        await client.transfers.record(customer="acme", amount_minor=58800, received_on=paid)
    assert [one.amount_minor for one in await client.transfers.transfers(customer="acme")] == [58800]


async def test_interest_is_shown_and_claimed_by_a_person(
    world: ClockedLife, client: RelanceClient, tmp_path: Path
) -> None:
    acme = await by_transfer(world)
    await world.until("2041-03-12")
    number = await number_of(acme)
    (invoice,) = await acme.invoices()
    shown = (await client.invoice(number)).late
    assert shown is not None
    assert (shown.days, shown.interest_minor, shown.recovery_minor) == (10, None, 4000)
    with pytest.raises(NotNow, match="half-year from 2041-01-01"):
        await client.late_payments.claim(invoice.id)
    rates = tmp_path / "rates.csv"
    rates.write_text("from_on,percent\n2041-01-01,12.15\n")
    settings = world.settings.model_copy(update={"interest_rates": rates})
    knowing = RelanceClient(world.database, world.client, settings, world.gateway)
    # 588.00 * 0.1215 * 10 / 365 = 1.957
    claimed = await knowing.late_payments.claim(invoice.id, command_id="claim-1", by="tests")
    assert (claimed.interest_minor, claimed.recovery_minor) == (196, 4000)
    assert (await client.invoice(number)).invoice.open_minor == 58800
    assert (await client.late_payments.waive(invoice.id, reason="a gift")).open_minor == 0
    assert "2041-03-12 late interest 1.96 and costs 40.00 claimed" in await acme.diary()
    await knowing.close()
