"""An invoice that the customer pays by transfer: reminded from its due date, late only after a tolerance (rules 22)."""

from decimal import Decimal

from support.life import Begins

from billing.terms import CollectionMethod
from starter.orders import NewPlan

BY_TRANSFER = NewPlan(
    reference="transfer",
    name="By transfer",
    currency="EUR",
    every="1year",
    amount=Decimal("490.00"),
    collection_method=CollectionMethod.TRANSFER,
    payment_terms_days=30,
)


async def test_a_transfer_is_past_due_only_after_the_tolerance(life: Begins) -> None:
    async with life("2041-01-31") as world:
        await world.catalogue.create_plans([BY_TRANSFER])
        anna = await world.signs_up("anna", plan="transfer")
        await world.until("2041-03-12")
        late = [
            "2041-01-31 invoice 588.00 issued",
            "2041-01-31 status active",
            "2041-01-31 access begins",
            "2041-01-31 mail invoice_issued",
            "2041-03-05 mail payment_reminder",
        ]
        assert await anna.diary() == late
        await world.until("2041-03-18")
        assert await anna.diary() == [
            *late,
            "2041-03-13 status past_due",
            "2041-03-17 mail payment_reminder",
        ]
