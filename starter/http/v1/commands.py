"""What became of what was asked of a subscription."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from starter.http.calling import Reads
from starter.http.v1.common import api_router
from starter.http.v1.subscription_views import show_payment
from starter.resources.subscriptions import CommandStatus

router = api_router("commands", "Subscriptions")


@router.get("/{command}")
async def get_command(
    command: Annotated[str, Path(max_length=110, description="`command` of the answer that accepted it.")],
    call: Reads,
) -> CommandStatus:
    """What became of a command that was accepted, such as a change that waits for its payment.

    Commands are carried out in a moment, one after the other; the answer to each shows the subscription as it will be.
    """
    found = await call.relance.outcomes.command(command)
    return CommandStatus(
        id=found.command_id,
        subscription=found.subscription_id,
        kind=found.kind,
        state=found.state.value,
        reason=found.reason,
        by=found.by,
        at=found.at,
        payment=show_payment(call, found.payment) if found.payment is not None else None,
    )
