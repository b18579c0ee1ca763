"""What a client reaches the world through: the books, Temporal and the payment provider, each when first needed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.rows import get
from activities.gateway import PaymentGateway
from activities.vat_checks import NoRegister, VatRegister
from models.database import Database
from models.tables import TestClock
from settings import Settings

if TYPE_CHECKING:
    from temporalio.client import Client

Now = Callable[[], Awaitable[datetime]]
"""Tells the present instant, aware."""

CALLS_PER_SECOND: Final = 5.0
CALLS_AT_ONCE: Final = 10
"""To the payment provider, whose limits the workers need for charges (engine 26)."""


async def real_now() -> datetime:
    """The machine's own time."""
    return datetime.now(UTC)


class Connections:
    """The books at once, Temporal and the provider lazily: reading the books needs neither."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        *,
        temporal: Client | None = None,
        gateway: PaymentGateway | None = None,
        register: VatRegister | None = None,
        now: Now = real_now,
    ) -> None:
        """Connect to nothing yet.

        Args:
            database: the books; closed by whoever opened it.
            settings: where Temporal and the provider are.
            temporal: a client that is connected already, with our data converter.
            gateway: another than the one that the settings name; closed by whoever made it.
            register: of VAT numbers, another than the one that the settings name.
            now: real time, where it is not the machine's.
        """
        self.database = database
        self.settings = settings
        self.rules = BookRules.of(settings)
        self.register = _register(settings) if register is None else register
        self._temporal = temporal
        self._gateway = gateway
        self._own_gateway: PaymentGateway | None = None
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self.has_met_temporal = temporal is not None

    async def temporal(self) -> Client:
        """The Temporal client, connected on first use.

        Raises:
            TemporalUnreachable: there is no Temporal at the address of the settings.
        """
        async with self._one_at_a_time:
            if self._temporal is None:
                from starter.connect import connect

                self._temporal = await connect(self.settings)
                self.has_met_temporal = True
            return self._temporal

    def gateway(self) -> PaymentGateway:
        """The payment provider.

        Raises:
            SettingsProblem: there is no key for it.
        """
        if self._gateway is None:
            from activities.stripe_gateway import StripeGateway
            from activities.throttle import TokenBucket

            self._own_gateway = self._gateway = StripeGateway(
                api_key=self.settings.reveal("stripe_api_key", to="reach Stripe"),
                api_base=self.settings.stripe_api_base,
                throttle=TokenBucket(CALLS_PER_SECOND, burst=CALLS_AT_ONCE),
            )
        return self._gateway

    async def now(self, session: AsyncSession, clock_id: str | None) -> datetime:
        """The business instant: that of the test clock, else real time."""
        if clock_id is None:
            return await self._now()
        return (await get(session, TestClock, clock_id, field="clock")).now

    async def close(self) -> None:
        """Give back what was opened here."""
        if self._own_gateway is not None:
            await self._own_gateway.close()


def _register(settings: Settings) -> VatRegister:
    """The register of VAT numbers that the settings name."""
    if settings.vies == "off":
        return NoRegister()
    from activities.vies import Vies

    return Vies(settings.vies_api_base)
