"""Subscriptions."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic import BaseModel

from starter.remote.transport import Transport, at
from starter.resources.common import Page
from starter.resources.subscriptions import (
    Cancel,
    Change,
    CommandStatus,
    GiveCoupon,
    NewSubscription,
    Pause,
    Preview,
    Resume,
    Subscription,
    SubscriptionContent,
    SubscriptionUpdate,
    Withdraw,
)


class Subscriptions:
    """`/v1/subscriptions`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(self, body: NewSubscription, *, idempotency_key: str | None = None) -> Subscription:
        """Start a subscription."""
        return await self._through.send(
            Subscription, "POST", "/v1/subscriptions", body, idempotency_key=idempotency_key
        )

    async def put(
        self, subscription: str, body: SubscriptionContent, *, idempotency_key: str | None = None
    ) -> Subscription:
        """Start the subscription with this reference, or bring its metadata to those sent."""
        path = at("subscriptions", subscription)
        return await self._through.send(Subscription, "PUT", path, body, idempotency_key=idempotency_key)

    async def update(
        self, subscription: str, body: SubscriptionUpdate, *, idempotency_key: str | None = None
    ) -> Subscription:
        """Change the metadata of a subscription."""
        path = at("subscriptions", subscription)
        return await self._through.send(Subscription, "PATCH", path, body, idempotency_key=idempotency_key)

    async def get(self, subscription: str) -> Subscription:
        """How a subscription stands, and what happens next."""
        return await self._through.get(Subscription, at("subscriptions", subscription))

    async def list(
        self,
        *,
        customer: str | None = None,
        plan: str | None = None,
        status: str | None = None,
        limit: int = 10,
        starting_after: str | None = None,
    ) -> Page[Subscription]:
        """A page of subscriptions, newest first."""
        return await self._through.get(
            Page[Subscription],
            "/v1/subscriptions",
            customer=customer,
            plan=plan,
            status=status,
            limit=limit,
            starting_after=starting_after,
        )

    def all(self, *, customer: str | None = None, status: str | None = None) -> AsyncIterator[Subscription]:
        """Every subscription, newest first."""
        return self._through.pages(
            Subscription, "/v1/subscriptions", customer=customer, status=status, limit=100
        )

    async def preview_change(self, subscription: str, body: Change) -> Preview:
        """What a change would bill and give back, to the cent."""
        path = at("subscriptions", subscription, "preview-change")
        return await self._through.send(Preview, "POST", path, body)

    async def change(
        self, subscription: str, body: Change, *, idempotency_key: str | None = None
    ) -> Subscription:
        """Another plan, number of seats or terms."""
        return await self._tell(subscription, "change", body, idempotency_key)

    async def undo_change(self, subscription: str, *, idempotency_key: str | None = None) -> Subscription:
        """Take back a change that has not taken effect."""
        return await self._tell(subscription, "undo-change", None, idempotency_key)

    async def cancel(
        self, subscription: str, body: Cancel | None = None, *, idempotency_key: str | None = None
    ) -> Subscription:
        """End a subscription: with its period unless a date or `now` is given."""
        return await self._tell(subscription, "cancel", body or Cancel(), idempotency_key)

    async def reactivate(self, subscription: str, *, idempotency_key: str | None = None) -> Subscription:
        """Take back a cancel or a pause that has not taken effect."""
        return await self._tell(subscription, "reactivate", None, idempotency_key)

    async def pause(
        self, subscription: str, body: Pause | None = None, *, idempotency_key: str | None = None
    ) -> Subscription:
        """Pause a subscription, from the period's end unless told otherwise."""
        return await self._tell(subscription, "pause", body or Pause(), idempotency_key)

    async def resume(
        self, subscription: str, body: Resume | None = None, *, idempotency_key: str | None = None
    ) -> Subscription:
        """Bring a subscription back."""
        return await self._tell(subscription, "resume", body or Resume(), idempotency_key)

    async def withdraw(
        self, subscription: str, body: Withdraw | None = None, *, idempotency_key: str | None = None
    ) -> Subscription:
        """A consumer goes back on the contract within 14 days."""
        return await self._tell(subscription, "withdraw", body or Withdraw(), idempotency_key)

    async def give_coupon(
        self, subscription: str, code: str, *, idempotency_key: str | None = None
    ) -> Subscription:
        """Give a coupon, from the next billed period on."""
        return await self._tell(subscription, "coupons", GiveCoupon(code=code), idempotency_key)

    async def _tell(
        self, subscription: str, verb: str, body: BaseModel | None, idempotency_key: str | None
    ) -> Subscription:
        path = at("subscriptions", subscription, verb)
        return await self._through.send(Subscription, "POST", path, body, idempotency_key=idempotency_key)


class Commands:
    """`/v1/commands`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def get(self, command: str) -> CommandStatus:
        """What became of a command that was accepted."""
        return await self._through.get(CommandStatus, at("commands", command))
