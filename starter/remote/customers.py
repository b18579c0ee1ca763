"""Customers and how they pay."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starter.remote.transport import Transport, at
from starter.resources.common import Page
from starter.resources.customers import (
    BackupMethod,
    Balances,
    Customer,
    CustomerContent,
    CustomerUpdate,
    Entitlements,
    GiveBack,
    GivenBack,
    Mandate,
    NewCustomer,
    NewMandate,
    NewPaymentMethod,
    NewSetupIntent,
    OfCustomer,
    PaymentMethod,
    RemovedPaymentMethod,
    RevokeMandate,
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
        self,
        customer: str,
        token: str,
        *,
        as_default: bool = True,
        mandate: NewMandate | None = None,
        idempotency_key: str | None = None,
    ) -> SavedPaymentMethod:
        """Save a payment method; as the default it charges what is open. A SEPA account needs a mandate."""
        body = NewPaymentMethod(customer=customer, token=token, as_default=as_default, mandate=mandate)
        return await self._through.send(
            SavedPaymentMethod, "POST", "/v1/payment_methods", body, idempotency_key=idempotency_key
        )

    async def make_default(
        self, customer: str, payment_method: str, *, idempotency_key: str | None = None
    ) -> SavedPaymentMethod:
        """Charge this payment method from now on."""
        path, body = at("payment_methods", payment_method, "make-default"), OfCustomer(customer=customer)
        return await self._through.send(
            SavedPaymentMethod, "POST", path, body, idempotency_key=idempotency_key
        )

    async def make_backup(
        self, customer: str, payment_method: str, *, agreed: bool, idempotency_key: str | None = None
    ) -> SavedPaymentMethod:
        """Let a card stand in for the default method, as the customer agreed."""
        path = at("payment_methods", payment_method, "make-backup")
        body = BackupMethod(customer=customer, agreed=agreed)
        return await self._through.send(
            SavedPaymentMethod, "POST", path, body, idempotency_key=idempotency_key
        )

    async def drop_backup(
        self, customer: str, payment_method: str, *, idempotency_key: str | None = None
    ) -> PaymentMethod:
        """Let this card stand in no more."""
        path, body = at("payment_methods", payment_method, "drop-backup"), OfCustomer(customer=customer)
        return await self._through.send(PaymentMethod, "POST", path, body, idempotency_key=idempotency_key)

    async def detach(
        self, customer: str, payment_method: str, *, idempotency_key: str | None = None
    ) -> RemovedPaymentMethod:
        """Take a payment method away, here and at Stripe."""
        path, body = at("payment_methods", payment_method, "detach"), OfCustomer(customer=customer)
        return await self._through.send(
            RemovedPaymentMethod, "POST", path, body, idempotency_key=idempotency_key
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


class Mandates:
    """`/v1/mandates`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def list(
        self, customer: str, *, limit: int = 10, starting_after: str | None = None
    ) -> Page[Mandate]:
        """A page of a customer's SEPA mandates, newest first."""
        return await self._through.get(
            Page[Mandate], "/v1/mandates", customer=customer, limit=limit, starting_after=starting_after
        )

    async def get(self, mandate: str) -> Mandate:
        """One mandate, with its proof."""
        return await self._through.get(Mandate, at("mandates", mandate))

    async def revoke(self, mandate: str, reason: str, *, idempotency_key: str | None = None) -> Mandate:
        """End a mandate that the customer took back."""
        path, body = at("mandates", mandate, "revoke"), RevokeMandate(reason=reason)
        return await self._through.send(Mandate, "POST", path, body, idempotency_key=idempotency_key)


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
