"""Invoices, the chase of what is not paid, and money."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic import BaseModel

from starter.remote.transport import Transport, at
from starter.resources.common import Page
from starter.resources.invoices import (
    Asked,
    Chase,
    Corrected,
    Credit,
    Extend,
    Hold,
    Invoice,
    Payment,
    Promise,
    RecordPayment,
    Rectified,
    Rectify,
    Refund,
    Settle,
    Settled,
    Why,
    WriteOff,
)


class Invoices:
    """`/v1/invoices`."""

    def __init__(self, through: Transport) -> None:
        self._through = through
        self.dunning = Dunning(through)

    async def get(self, invoice: str) -> Invoice:
        """An invoice with its lines and attempts, by id or number."""
        return await self._through.get(Invoice, at("invoices", invoice))

    async def list(
        self,
        *,
        customer: str | None = None,
        subscription: str | None = None,
        status: str | None = None,
        limit: int = 10,
        starting_after: str | None = None,
    ) -> Page[Invoice]:
        """A page of invoices, the latest first."""
        return await self._through.get(
            Page[Invoice],
            "/v1/invoices",
            customer=customer,
            subscription=subscription,
            status=status,
            limit=limit,
            starting_after=starting_after,
        )

    def all(self, *, customer: str | None = None, status: str | None = None) -> AsyncIterator[Invoice]:
        """Every invoice, the latest first."""
        return self._through.pages(Invoice, "/v1/invoices", customer=customer, status=status, limit=100)

    async def pdf(self, invoice: str) -> bytes:
        """The document as it was issued."""
        return await self._through.fetch(at("invoices", invoice, "pdf"))

    async def facturx(self, invoice: str) -> bytes:
        """The XML of the Factur-X alone."""
        return await self._through.fetch(at("invoices", invoice, "facturx"))

    async def pay(self, invoice: str, *, idempotency_key: str | None = None) -> Asked:
        """Charge an open invoice now; the outcome is on the invoice."""
        path = at("invoices", invoice, "pay")
        return await self._through.send(Asked, "POST", path, idempotency_key=idempotency_key)

    async def credit(self, invoice: str, body: Credit, *, idempotency_key: str | None = None) -> Corrected:
        """Issue a credit note; what was paid becomes the customer's balance."""
        return await self._correct(invoice, "credit", body, idempotency_key)

    async def refund(self, invoice: str, body: Credit, *, idempotency_key: str | None = None) -> Corrected:
        """Issue a credit note; what was charged goes back."""
        return await self._correct(invoice, "refund", body, idempotency_key)

    async def write_off(
        self, invoice: str, body: WriteOff, *, idempotency_key: str | None = None
    ) -> Corrected:
        """Stop asking for an open invoice."""
        return await self._correct(invoice, "write-off", body, idempotency_key)

    async def rectify(self, invoice: str, body: Rectify, *, idempotency_key: str | None = None) -> Rectified:
        """Replace an invoice by one with the buyer's corrected data."""
        path = at("invoices", invoice, "rectify")
        return await self._through.send(Rectified, "POST", path, body, idempotency_key=idempotency_key)

    async def _correct(
        self, invoice: str, verb: str, body: BaseModel, idempotency_key: str | None
    ) -> Corrected:
        path = at("invoices", invoice, verb)
        return await self._through.send(Corrected, "POST", path, body, idempotency_key=idempotency_key)


class Dunning:
    """`/v1/invoices/.../dunning`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def promise(self, invoice: str, body: Promise, *, idempotency_key: str | None = None) -> Chase:
        """Note that the customer promised to pay on a day."""
        return await self._steer(invoice, "promise", body, idempotency_key)

    async def pause(self, invoice: str, body: Hold, *, idempotency_key: str | None = None) -> Chase:
        """Pause the chase until a day."""
        return await self._steer(invoice, "pause", body, idempotency_key)

    async def resume(
        self, invoice: str, body: Why | None = None, *, idempotency_key: str | None = None
    ) -> Chase:
        """End a promise or a pause before its day."""
        return await self._steer(invoice, "resume", body or Why(), idempotency_key)

    async def skip(
        self, invoice: str, body: Why | None = None, *, idempotency_key: str | None = None
    ) -> Chase:
        """Leave out the next charge or reminder."""
        return await self._steer(invoice, "skip", body or Why(), idempotency_key)

    async def extend(self, invoice: str, body: Extend, *, idempotency_key: str | None = None) -> Chase:
        """Move the end of the chase to a later day."""
        return await self._steer(invoice, "extend", body, idempotency_key)

    async def retry(self, invoice: str, *, idempotency_key: str | None = None) -> Asked:
        """Charge a chased invoice at once; the outcome is on the invoice."""
        path = at("invoices", invoice, "dunning", "retry")
        return await self._through.send(Asked, "POST", path, idempotency_key=idempotency_key)

    async def _steer(self, invoice: str, verb: str, body: BaseModel, idempotency_key: str | None) -> Chase:
        path = at("invoices", invoice, "dunning", verb)
        return await self._through.send(Chase, "POST", path, body, idempotency_key=idempotency_key)


class Payments:
    """`/v1/payments`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def record(self, body: RecordPayment, *, idempotency_key: str | None = None) -> Payment:
        """Record a bank transfer that arrived."""
        return await self._through.send(
            Payment, "POST", "/v1/payments", body, idempotency_key=idempotency_key
        )

    async def settle(self, body: Settle, *, idempotency_key: str | None = None) -> Settled:
        """Settle a payment that has had no answer."""
        return await self._through.send(
            Settled, "POST", "/v1/payments/settle", body, idempotency_key=idempotency_key
        )


class Refunds:
    """`/v1/refunds`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def list(
        self, *, customer: str | None = None, limit: int = 10, starting_after: str | None = None
    ) -> Page[Refund]:
        """A page of refunds, newest first."""
        return await self._through.get(
            Page[Refund], "/v1/refunds", customer=customer, limit=limit, starting_after=starting_after
        )
