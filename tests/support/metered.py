"""Plans with a base price and a meter, and what is reported for them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from activities.books.metering import UsageReport
from billing.prices import Charging, Price, PricingModel
from starter.client import RelanceClient
from starter.orders import NewPlan
from support.life import ClockedLife, Person

BASE = Price(id="base", unit_amount=Decimal("29.00"))
CALLS = Price(
    id="calls",
    charging=Charging.METERED,
    model=PricingModel.PER_UNIT,
    meter="calls",
    unit_amount=Decimal("0.0015"),
)


async def signs_up(world: ClockedLife, client: RelanceClient, *prices: Price, **terms: Any) -> Person:
    """Anna, on a monthly plan with these prices."""
    await client.create_plan(
        NewPlan(reference="metered", name="Metered", currency="EUR", every="1month", prices=prices)
    )
    return await world.signs_up(plan="metered", **terms)


def used(event_id: str, quantity: str, *, meter: str = "calls", at: datetime | None = None) -> UsageReport:
    """One event."""
    return UsageReport(event_id=event_id, meter=meter, quantity=Decimal(quantity), at=at)


async def nets(person: Person) -> list[int]:
    """The nets of their invoices, oldest period first."""
    return [invoice.net_minor for invoice in await person.invoices()]
