"""Commands whose effect waits for a payment under way, kept as rows until its outcome is written down (U16)."""

from __future__ import annotations

from typing import Final

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.gate import live_attempt
from activities.books.work import Work
from billing.corrections import BaseCorrection
from billing.payment import AttemptState
from models.tables import CommandRow, Invoice, PaymentAttempt

WAITING: Final = "waiting"
"""Outcome of a command that is carried out once the payment under way has come to an end."""


async def under_way(session: AsyncSession, invoice: Invoice) -> PaymentAttempt | None:
    """The attempt for which money may still move; one that is only queued is written anew when it begins."""
    attempt = await live_attempt(session, invoice.id)
    return attempt if attempt is not None and attempt.state is not AttemptState.QUEUED else None


def write_command(work: Work, correction: BaseCorrection, outcome: str) -> CommandRow:
    """The row that makes the command's id unique, with its effect (engine 14)."""
    command = CommandRow(
        id=correction.command_id,
        subscription_id=work.row.id,
        kind=correction.kind,
        payload=correction.model_dump(mode="json"),
        by=correction.by,
        reason=correction.reason,
        outcome=outcome,
        at=work.at,
    )
    work.session.add(command)
    return command
