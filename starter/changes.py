"""Changes of a running subscription: asked for, looked at before, and taken back."""

from __future__ import annotations

from datetime import date
from typing import TypedDict

from activities.books.previewing import Preview, preview
from activities.books.steps import looked_up
from activities.books.work import Work
from billing.commands import ChangePlan, ChangeTerms, Command, When
from models.tables import Plan, SubscriptionRow
from starter.connections import Connections
from starter.finding import find
from starter.payment_terms import check_changed_payment_terms
from starter.policies import check_changed_policy


class How(TypedDict, total=False):
    """When and how a change applies; see `billing.commands.Change`."""

    when: When
    prorate: bool
    if_paid: bool
    keep_anchor: bool
    previewed_on: date


class Previews:
    """Looks at what a command would bill. Reads, never writes."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def preview(self, key: str, command: Command) -> Preview:
        """What a command would bill and give back, if it were given now: the same code that carries it out.

        Raises:
            NotFound: there is no such subscription or plan.
            Refused: the command would be refused.
            InvalidInput: likewise; `field` names what is wrong.
        """
        async with self._to.database.read() as session:
            row = await find(session, SubscriptionRow, key, field="subscription")
            now = await self._to.now(session, row.clock_id)
            if isinstance(command, ChangePlan) and command.terms is None:
                plan = await find(session, Plan, command.plan_id, field="plan", entity_id=row.entity_id)
                command = command.model_copy(update={"plan_id": plan.id})
            if isinstance(command, ChangeTerms):
                await check_changed_policy(session, row, command.agreed)
            command = await looked_up(session, row, command, now)
            await check_changed_payment_terms(session, row, command)
            work = Work(session, self._to.gateway(), self._to.rules, row, now, command.command_id)
            return await preview(work, command)
