"""Payment terms that the law does not allow are refused where they are asked for, and nothing is written."""

from __future__ import annotations

import pytest
from support import factories
from support.life import ClockedLife

from billing.agreed import Agreed
from billing.commands import ChangeTerms
from billing.payment_terms import PaymentTermsTooLong
from billing.subscription import CustomerKind
from models.parties import Address
from starter.client import RelanceClient
from starter.orders import NewSubscription
from starter.payment_terms import check_payment_terms

GERMANY = Address(line1="Unter den Linden 1", postal_code="10117", city="Berlin", country="DE")
NINETY_DAYS = Agreed.model_validate({"collection_method": "transfer", "payment_terms": "90 days"})


@pytest.mark.parametrize(
    "customer",
    [
        {"kind": "consumer"},
        {"kind": "non_professional"},
        {"kind": "public_body"},
        {"kind": "business", "address": GERMANY},
    ],
    ids=["consumer", "non-professional", "public body", "business abroad"],
)
def test_others_than_french_businesses_are_free(customer: dict[str, object]) -> None:
    terms = factories.terms(collection_method="transfer", payment_terms_days=90)
    seller = factories.entity()
    check_payment_terms(terms, seller, factories.customer(seller.id, **customer))


@pytest.mark.parametrize("address", [{}, {"address": None}], ids=["in Lyon", "not known yet"])
def test_french_businesses_are_not(address: dict[str, object]) -> None:
    terms = factories.terms(collection_method="transfer", payment_terms_days=61)
    seller = factories.entity()
    with pytest.raises(PaymentTermsTooLong):
        check_payment_terms(terms, seller, factories.customer(seller.id, kind="business", **address))


def test_who_is_charged_has_nothing_to_wait_for() -> None:
    seller = factories.entity()
    customer = factories.customer(seller.id, kind="business")
    check_payment_terms(factories.terms(payment_terms_days=90), seller, customer)


async def test_a_start_and_a_change_are_refused_at_the_door(
    world: ClockedLife, client: RelanceClient
) -> None:
    acme = await world.signs_up("acme", kind=CustomerKind.BUSINESS)
    with pytest.raises(PaymentTermsTooLong):
        await client.start_subscription(
            NewSubscription(reference="acme-2", customer=acme.customer_id, plan="pro", agreed=NINETY_DAYS)
        )
    assert [row.reference for row in await client.list_subscriptions()] == ["acme"]
    with pytest.raises(PaymentTermsTooLong):
        await client.tell("acme", ChangeTerms(command_id="long", agreed=NINETY_DAYS))
    assert (await client.show("acme")).pending == ()


async def test_a_consumer_may_be_given_ninety_days(world: ClockedLife) -> None:
    anna = await world.signs_up("anna", card=None, agreed=NINETY_DAYS)
    (invoice,) = await anna.invoices()
    assert (str(invoice.issued_on), str(invoice.due_on)) == ("2041-01-31", "2041-05-01")
