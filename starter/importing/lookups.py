"""What others know of the rows of an import: Stripe of payment methods and its own subscriptions, a register of VAT.

Asked outside of any transaction, some at a time, at the pace of the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from activities.gateway import (
    MandateFacts,
    MethodFacts,
    PaymentGateway,
    ProviderRefused,
)
from activities.provider_subscription import ProviderSubscription
from activities.vat_checks import RegisterReply
from billing.values import Value
from models.tables import ImportKind, LegalEntity
from starter.connections import Connections
from starter.importing.formats import CustomerLine, MandateLine, MethodLine, SubscriptionLine
from starter.importing.known import Parsed
from starter.taxes import ask_register

AT_ONCE: Final = 8


class Facts(Value):
    """What was heard about one row."""

    method: MethodFacts | None = None
    """The payment method that it names, or that its subscription at the provider is charged on."""
    mandate: MandateFacts | None = None
    """Of a method that is a bank account: the one under which it is debited there."""
    mandate_refused: str = ""
    """What the provider says of the mandate that the row names."""
    subscription: ProviderSubscription | None = None
    vat_reply: RegisterReply | None = None
    refused: str = ""
    """What the provider says instead, such as that there is no such thing."""


NOTHING: Final = Facts()
Heard = Mapping[tuple[ImportKind, str], Facts]


async def look_up(
    to: Connections, entity: LegalEntity, clock_id: str | None, parsed: Sequence[Parsed], before: Heard
) -> dict[tuple[ImportKind, str], Facts]:
    """Ask about every row that names something elsewhere.

    Args:
        to: the provider and the register.
        entity: the seller.
        clock_id: on a test clock no register is asked.
        parsed: the rows.
        before: what was heard of the same rows before: it holds but for subscriptions, which may have renewed, and
            mandates, which may have been revoked.

    Raises:
        ProviderUnavailable, ProviderMisconfigured: the provider can't be asked.
        SettingsProblem: there is no key for it.
    """
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(key: tuple[ImportKind, str], ask: Callable[[], Awaitable[Facts]]) -> tuple[Any, Facts]:
        async with limit:
            return key, await ask()

    asked = []
    for source, line in parsed:
        key = (source.kind, line.key)
        ask = _question(to, entity, clock_id, line, before.get(key, NOTHING))
        if ask is not None:
            asked.append(one(key, ask))
    return dict(await asyncio.gather(*asked))


def _question(
    to: Connections, entity: LegalEntity, clock_id: str | None, line: object, before: Facts
) -> Callable[[], Awaitable[Facts]] | None:
    match line:
        case CustomerLine() if line.vat_number:
            return lambda: _ask_register(to, entity, clock_id, line, before)
        case MethodLine():
            return lambda: _ask_of_method(to.gateway(), line.payment_method, before)
        case MandateLine():
            return lambda: _ask_of_method(to.gateway(), line.payment_method, before, line.stripe_mandate)
        case SubscriptionLine() if line.stripe_subscription is not None:
            provider_id = line.stripe_subscription
            return lambda: _ask_of_subscription(to.gateway(), provider_id, before)
        case _:
            return None


async def _ask_register(
    to: Connections, entity: LegalEntity, clock_id: str | None, line: CustomerLine, before: Facts
) -> Facts:
    if before.vat_reply is not None:
        return before
    return Facts(vat_reply=await ask_register(to.register, line.vat_number, entity=entity, clock_id=clock_id))


async def _ask_of_method(
    gateway: PaymentGateway, token: str, before: Facts, mandate: str | None = None
) -> Facts:
    method = before.method if before.method is not None and before.method.id == token else None
    if method is None:
        try:
            method = await gateway.look_at_method(token)
        except ProviderRefused as refusal:
            return Facts(refused=refusal.message)
    if method.kind != "sepa_debit":
        return Facts(method=method)
    try:
        return Facts(method=method, mandate=await gateway.look_at_mandate(method, mandate=mandate))
    except ProviderRefused as refusal:
        return Facts(method=method, mandate_refused=refusal.message)


async def _ask_of_subscription(gateway: PaymentGateway, provider_id: str, before: Facts) -> Facts:
    try:
        found = await gateway.look_at_subscription(provider_id)
    except ProviderRefused as refusal:
        return Facts(refused=refusal.message)
    if found.payment_method is None:
        return Facts(subscription=found)
    method = await _ask_of_method(gateway, found.payment_method, before)
    return method.model_copy(update={"subscription": found, "refused": ""})
