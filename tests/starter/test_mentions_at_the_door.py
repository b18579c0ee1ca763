"""What an invoice would lack is named before anything begins; what is taken away later parks the renewal (rules 18)."""

from __future__ import annotations

import pytest
from support.life import ClockedLife

from billing.agreed import Agreed
from billing.commands import ChangeTerms, Resume, When
from billing.subscription import CustomerKind
from documents.mentions import MentionsMissing
from models.parties import Contact
from starter.client import RelanceClient
from starter.orders import NewCustomer, NewSubscription, TaxFactsChange


async def test_a_start_is_refused_and_a_renewal_waits_until_the_number_is_there(
    world: ClockedLife, client: RelanceClient
) -> None:
    canal = NewCustomer(
        reference="canal",
        kind=CustomerKind.BUSINESS,
        name="Librairie du Canal",
        contacts=(Contact(email="compta@canal.example"),),
        clock=world.clock_id,
    )
    canal_id = (await client.create_customer(canal)).id
    with pytest.raises(MentionsMissing) as refused:
        await client.start_subscription(NewSubscription(reference="canal", customer="canal", plan="pro"))
    assert refused.value.field == "buyer.address"
    assert refused.value.message == (
        "No invoice can be issued to this customer. The customer’s address is missing (CGI ann. II art. 242 nonies A). "
        f"Run: relance tax set --customer {canal_id} --line1 ..."
    )
    assert await client.list_subscriptions() == []

    acme = await world.signs_up("acme", kind=CustomerKind.BUSINESS)
    await client.taxes.change_facts("acme", TaxFactsChange(siren=""))
    with pytest.raises(MentionsMissing, match="SIREN"):
        await client.tell("acme", ChangeTerms(command_id="less", agreed=Agreed(amount="10"), when=When.NOW))
    await world.until("2041-03-02")
    parked = (await client.show("acme")).parked
    assert parked is not None
    assert "The customer’s SIREN is missing or wrong" in parked.reason
    assert len(await acme.invoices()) == 1

    await client.taxes.change_facts("acme", TaxFactsChange(siren="987654324"))
    await acme.tells(Resume(command_id="mended"))
    await world.until("2041-03-03")
    assert [(str(i.period_start), i.status.value) for i in await acme.invoices()] == [
        ("2041-01-31", "paid"),
        ("2041-02-28", "paid"),
    ]
