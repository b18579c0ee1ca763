"""Customers and how they pay."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starter.remote.transport import Transport, at
from starter.resources.common import Page
from starter.resources.customers import (
    Balances,
    Customer,
    CustomerContent,
    CustomerUpdate,
    Entitlements,
    GiveBack,
    GivenBack,
    NewCustomer,
    NewPaymentMethod,
    NewSetupIntent,
    PaymentMethod,
    SavedPaymentMethod,
    SetupIntent,
)


class Customers:
    """`/v1/customers`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(self, body: NewCustomer, *, idempotency_key: str | None = None) -> Customer:
        """Create a customer."""
        return await self._through.send(
            Customer, "POST", "/v1/customers", body, idempotency_key=idempotency_key
        )

    async def put(
        self, customer: str, body: CustomerContent, *, idempotency_key: str | None = None
    ) -> Customer:
        """Create the customer with this reference, or bring them to this content."""
        path = at("customers", customer)
        return await self._through.send(Customer, "PUT", path, body, idempotency_key=idempotency_key)

    async def update(
        self, customer: str, body: CustomerUpdate, *, idempotency_key: str | None = None
    ) -> Customer:
        """Change some of what is known of a customer."""
        path = at("customers", customer)
        return await self._through.send(Customer, "PATCH", path, body, idempotency_key=idempotency_key)

    async def get(self, customer: str) -> Customer:
        """Look a customer up."""
        return await self._through.get(Customer, at("customers", customer))

    async def list(self, *, limit: int = 10, starting_after: str | None = None) -> Page[Customer]:
        """A page of customers, newest first."""
        return await self._through.get(
            Page[Customer], "/v1/customers", limit=limit, starting_after=starting_after
        )

    def all(self) -> AsyncIterator[Customer]:
        """Every customer, newest first."""
        return self._through.pages(Customer, "/v1/customers", limit=100)

    async def entitlements(self, customer: str) -> Entitlements:
        """What a customer may use."""
        return await self._through.get(Entitlements, at("customers", customer, "entitlements"))

    async def balances(self, customer: str) -> Balances:
        """What is held for a customer."""
        return await self._through.get(Balances, at("customers", customer, "balances"))

    async def refund(self, customer: str, body: GiveBack, *, idempotency_key: str | None = None) -> GivenBack:
        """Send back money that is held for a customer."""
        path = at("customers", customer, "refunds")
        return await self._through.send(GivenBack, "POST", path, body, idempotency_key=idempotency_key)


class PaymentMethods:
    """`/v1/payment_methods`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def save(
        self, customer: str, token: str, *, idempotency_key: str | None = None
    ) -> SavedPaymentMethod:
        """Save a payment method, make it the default, and charge what is open with it."""
        body = NewPaymentMethod(customer=customer, token=token)
        return await self._through.send(
            SavedPaymentMethod, "POST", "/v1/payment_methods", body, idempotency_key=idempotency_key
        )

    async def list(
        self, customer: str, *, limit: int = 10, starting_after: str | None = None
    ) -> Page[PaymentMethod]:
        """A page of a customer's payment methods, newest first."""
        return await self._through.get(
            Page[PaymentMethod],
            "/v1/payment_methods",
            customer=customer,
            limit=limit,
            starting_after=starting_after,
        )


class SetupIntents:
    """`/v1/setup_intents`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(self, customer: str, *, idempotency_key: str | None = None) -> SetupIntent:
        """Let a customer save a payment method in your own page."""
        return await self._through.send(
            SetupIntent,
            "POST",
            "/v1/setup_intents",
            NewSetupIntent(customer=customer),
            idempotency_key=idempotency_key,
        )
