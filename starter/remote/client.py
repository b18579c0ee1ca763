"""The client: one attribute for each resource of the API."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import httpx

from starter.remote.catalogue import Coupons, Plans, TestClocks, Usages
from starter.remote.customers import Customers, Mandates, PaymentMethods, SetupIntents
from starter.remote.events import Events, WebhookEndpoints
from starter.remote.invoices import Invoices, Payments, Refunds
from starter.remote.portal import PortalSessions
from starter.remote.signup import SignupSessions
from starter.remote.subscriptions import Commands, Subscriptions
from starter.remote.transport import TIMEOUT_SECONDS, TRIES, Transport


class RelanceHttp:
    """The HTTP API, typed. Things are named by id or as `ref:...`; ids of commands are their idempotency keys.

    A call that is answered 503, or not at all, is repeated a few times with the same key.
    """

    def __init__(
        self,
        key: str,
        *,
        base_url: str,
        timeout_seconds: float = TIMEOUT_SECONDS,
        tries: int = TRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            key: an API key, `rlk_test_...` or `rlk_live_...`.
            base_url: where the API is.
            timeout_seconds: for one try.
            tries: of a call, before it is given up.
            transport: another way than the network.
        """
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=timeout_seconds,
            transport=transport,
        )
        through = Transport(self._http, tries=tries)
        self.customers = Customers(through)
        self.payment_methods = PaymentMethods(through)
        self.mandates = Mandates(through)
        self.setup_intents = SetupIntents(through)
        self.plans = Plans(through)
        self.coupons = Coupons(through)
        self.subscriptions = Subscriptions(through)
        self.commands = Commands(through)
        self.usage = Usages(through)
        self.invoices = Invoices(through)
        self.payments = Payments(through)
        self.refunds = Refunds(through)
        self.events = Events(through)
        self.webhook_endpoints = WebhookEndpoints(through)
        self.portal_sessions = PortalSessions(through)
        self.signup_sessions = SignupSessions(through)
        self.test_clocks = TestClocks(through)

    async def __aenter__(self) -> Self:
        """Nothing is opened before it is needed."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
