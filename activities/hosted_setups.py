"""The part of the payment provider's interface that is about its own page, on which payers save a method."""

from __future__ import annotations

from typing import Protocol

from billing.values import Value


class HostedSetup(Value):
    """A page of the provider's on which a payer saves a method."""

    id: str
    customer: str
    """The provider's id."""
    url: str | None
    """Where the page is; None once it is over. For the payer's browser only; neither stored nor logged."""
    payment_method: str | None = None
    """What came of it; None while nothing did."""
    is_ours: bool = False
    """Whether it was made here: a seller may have pages of their own."""


def command_of(page_id: str) -> str:
    """Under which what came of a page is saved: done by whoever comes first, and once."""
    return f"page/{page_id}"


def attach_key(customer_id: str, command_id: str) -> str:
    """The idempotency key of saving a method for a customer."""
    return f"attach/{customer_id}/{command_id}"


class HostedSetups(Protocol):
    """Pages of the provider's. Raises what `PaymentGateway` does."""

    async def create_hosted_setup(
        self,
        *,
        customer: str,
        back_to: str,
        given_up: str,
        language: str,
        debits: bool,
        idempotency_key: str,
    ) -> HostedSetup:
        """Let a payer save a method on the provider's own page.

        Args:
            customer: the provider's id.
            back_to: where the payer comes back to when it is done; `{CHECKOUT_SESSION_ID}` in it becomes the page's id.
            given_up: where they come back to otherwise.
            language: of the page, `fr` or `en`.
            debits: whether a bank account may be given too, and its mandate accepted.
            idempotency_key: as everywhere.
        """
        ...

    async def look_at_hosted_setup(self, hosted: str) -> HostedSetup:
        """What came of such a page; without side effects."""
        ...
