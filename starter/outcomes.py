"""What became of what was asked: commands that were accepted, and payments that something waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import NotFound
from billing.declines import support_words
from billing.values import Value
from models.tables import (
    ApiCall,
    CommandRow,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    SubscriptionRow,
)
from starter.connections import Connections
from starter.finding import find
from starter.reading import LOOK_EVERY_SECONDS, WAIT_SECONDS, FirstOutcome, payment_outcome
from starter.started_as import START
from starter.subscriptions import APPLIED

_OF_SUBSCRIPTIONS: Final = "/v1/subscriptions/"


class CommandState(StrEnum):
    """How far a command is."""

    ACCEPTED = "accepted"
    """It is carried out as soon as its subscription gets to it."""
    WAITS_FOR_PAYMENT = "waits_for_payment"
    """A change conditional on its payment, which has not come yet."""
    APPLIED = "applied"
    DROPPED = "dropped"
    """A change whose payment did not come in time, or that was taken back before."""
    REFUSED = "refused"
    """When its turn came, it could not be carried out any more; nothing was changed."""


class AwaitedPayment(Value):
    """How the payment stands that a draft waits for."""

    invoice_id: str
    outcome: FirstOutcome | None
    """None while it is tried for the first time."""
    amount_minor: int
    """What is to be paid, after the balance."""
    currency: str
    expires_at: datetime | None
    """When the draft is dropped, unless it is paid."""
    decline_code: str | None = None
    decline_words: str = ""


class CommandReport(Value):
    """What became of a command."""

    command_id: str
    subscription_id: str
    kind: str
    state: CommandState
    reason: str = ""
    """Why it was refused."""
    by: str = ""
    at: datetime
    """When it was carried out or refused; of one that is only accepted, when it was asked."""
    payment: AwaitedPayment | None = None
    """That a change waits for."""


class Outcomes:
    """Looks up what came of something. Reads, never writes."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def payments(self, invoice_ids: Iterable[str | None]) -> Mapping[str, AwaitedPayment]:
        """How the payments of these drafts stand, by the draft's id; what has been issued or dropped is not there."""
        wanted = [key for key in invoice_ids if key is not None]
        if not wanted:
            return {}
        async with self._to.database.read() as session:
            query = select(Invoice).where(
                col(Invoice.id).in_(wanted), Invoice.status == InvoiceStatus.DRAFT, col(Invoice.gated)
            )
            drafts = (await session.exec(query)).all()
            return {draft.id: await _payment_of(session, draft) for draft in drafts}

    async def command(self, command_id: str) -> CommandReport:
        """What became of a command to a subscription.

        Raises:
            NotFound: nothing was asked under this id.
        """
        async with self._to.database.read() as session:
            row = await session.get(CommandRow, command_id)
            if row is not None and row.kind != START:
                return await _carried_out(session, row)
            return await _accepted(session, command_id)

    async def wait_for_payment_of(self, command_id: str, *, seconds: float = WAIT_SECONDS) -> CommandReport:
        """Wait until a command is carried out and the payment that it waits for has an outcome, or time is over.

        Raises:
            NotFound: nothing was asked under this id.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            report = await self.command(command_id)
            is_open = report.payment is not None and report.payment.outcome is None
            if report.state is not CommandState.ACCEPTED and not is_open:
                return report
            if loop.time() >= deadline:
                return report
            await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _carried_out(session: AsyncSession, row: CommandRow) -> CommandReport:
    report = CommandReport(
        command_id=row.id,
        subscription_id=row.subscription_id,
        kind=row.kind,
        state=CommandState.APPLIED,
        by=row.by,
        at=row.at,
    )
    if row.outcome != APPLIED:
        return report.model_copy(update={"state": CommandState.REFUSED, "reason": row.outcome})
    query = select(Invoice).where(
        Invoice.subscription_id == row.subscription_id, Invoice.command_id == row.id, col(Invoice.gated)
    )
    draft = (await session.exec(query)).first()
    if draft is None or draft.number is not None:
        return report
    if draft.status is InvoiceStatus.VOID:
        return report.model_copy(update={"state": CommandState.DROPPED})
    payment = await _payment_of(session, draft)
    return report.model_copy(update={"state": CommandState.WAITS_FOR_PAYMENT, "payment": payment})


async def _accepted(session: AsyncSession, command_id: str) -> CommandReport:
    """The record of the call knows what its subscription has not got to yet."""
    call = await session.get(ApiCall, command_id)
    is_one = call is not None and call.path.startswith(_OF_SUBSCRIPTIONS)
    if call is None or not is_one or call.status not in (None, HTTPStatus.OK):
        raise NotFound(f"There is no command {command_id}.", field="command")
    key, _, kind = call.path.removeprefix(_OF_SUBSCRIPTIONS).partition("/")
    if not kind:
        raise NotFound(f"There is no command {command_id}.", field="command")
    of = await find(session, SubscriptionRow, key, field="subscription")
    return CommandReport(
        command_id=command_id,
        subscription_id=of.id,
        kind=kind.replace("-", "_"),
        state=CommandState.ACCEPTED,
        by=call.by,
        at=call.at,
    )


async def _payment_of(session: AsyncSession, draft: Invoice) -> AwaitedPayment:
    attempts = select(PaymentAttempt).where(PaymentAttempt.invoice_id == draft.id)
    newest = (await session.exec(attempts.order_by(col(PaymentAttempt.number).desc()).limit(1))).first()
    outcome = payment_outcome(draft, newest)
    code = newest.decline_code if newest is not None and outcome is FirstOutcome.DECLINED else None
    return AwaitedPayment(
        invoice_id=draft.id,
        outcome=outcome,
        amount_minor=draft.open_minor,
        currency=draft.currency,
        expires_at=draft.gate_closes_at,
        decline_code=code,
        decline_words=support_words(code) if code else "",
    )
