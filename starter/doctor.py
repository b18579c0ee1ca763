"""Comparing the books with what runs, and mending what is safe to mend (engine 12)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlmodel import col, select
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.books.rows import goes_on
from billing.errors import RelanceError
from models.tables import Collection, SubscriptionRow
from starter.connections import Connections
from starter.event_symptoms import silent_endpoints, unpublished_events
from starter.executions import start_collection, start_subscription
from starter.hints import hint, tell
from starter.money_symptoms import money_symptoms
from starter.order_symptoms import forgotten_orders
from starter.symptoms import (
    Finding,
    Trouble,
    clock_times,
    late_collections,
    late_subscriptions,
    other_symptoms,
    waiting_transfers,
)
from starter.unfinished_orders import UnfinishedOrders

BETWEEN_RUNS_SECONDS: Final = 2.0
"""A workflow that is not there may just be starting or ending; it is looked for once more after this."""
JUST_STARTED: Final = timedelta(minutes=5)
FAILING_AGAIN: Final = 3
"""Tries of one workflow task from which on its code, not chance, is at fault."""


class Doctor:
    """Looks for what is wrong; `mend` repeats only what may be repeated."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def examine(self) -> list[Finding]:
        """Everything that is wrong, worst first.

        Raises:
            TemporalUnreachable: what runs cannot be seen.
        """
        client = await self._to.temporal()
        async with self._to.database.read() as session:
            rows = list((await session.exec(select(SubscriptionRow).where(goes_on()))).all())
            collections = list(
                (await session.exec(select(Collection).where(col(Collection.closed_at).is_(None)))).all()
            )
            now = await self._to.now(session, None)
            late = await late_subscriptions(session, rows, now)
            late += await late_collections(session, collections, self._to.rules, now)
            others = [finding async for finding in other_symptoms(session, now)]
            others += [finding async for finding in money_symptoms(session, now)]
            others += await forgotten_orders(session, now)
            others += await waiting_transfers(session)
            others += await unpublished_events(session)
            others += await silent_endpoints(session, now)
        missing = await self._missing(client, {f"subscription/{row.id}" for row in rows}, "subscription")
        missing += await self._missing(
            client, {f"collection/{c.invoice_id}" for c in collections}, "collection"
        )
        gone = {finding.about for finding in missing}
        late = [finding for finding in late if finding.about not in gone]
        return [*missing, *await self._without_rows(client), *await _failing(client, late), *late, *others]

    async def mend(self, findings: Sequence[Finding]) -> list[str]:
        """Start what is missing from its rows, and wake what is late. Safe to repeat.

        Returns:
            What was done, one sentence each.
        """
        client = await self._to.temporal()
        done = []
        for finding in findings:
            if not finding.fixable:
                continue
            kind, _, key = finding.about.partition("/")
            if finding.trouble is Trouble.ORDER:
                done.append(await self._finish_order(key))
            elif finding.trouble is Trouble.NOT_RUNNING:
                done.append(await self._start(client, kind, key))
            elif finding.trouble is Trouble.UNKNOWN:
                await tell(client, finding.about, "payment_settled", {})
                done.append(f"asked the provider again for {finding.about}")
            else:
                await hint(client, [finding.about], await self._now(kind, key))
                done.append(f"woke {finding.about}")
        return done

    async def _finish_order(self, key: str) -> str:
        try:
            left = await UnfinishedOrders(self._to).finish(key)
        except RelanceError as problem:
            left = f"could not be carried out: {problem.message}"
        return (
            f"carried out the order of signup_session/{key}"
            if left is None
            else f"signup_session/{key} {left}"
        )

    async def _start(self, client: Client, kind: str, key: str) -> str:
        settings = self._to.settings
        async with self._to.database.read() as session:
            clocks = await clock_times(session)
            if kind == "subscription":
                row = await session.get_one(SubscriptionRow, key)
                now = clocks.get(row.clock_id or "")
                started = await start_subscription(client, settings, row.state, now=now, look_first=True)
            else:
                query = select(Collection).where(
                    Collection.invoice_id == key, col(Collection.closed_at).is_(None)
                )
                collection = (await session.exec(query)).one()
                now = clocks.get(collection.clock_id or "")
                started = await start_collection(client, settings, collection, now=now)
        if started:
            return f"started {kind}/{key}"
        return f"{kind}/{key} ended by itself in Temporal although its row goes on: look at it in the UI"

    async def _now(self, kind: str, key: str) -> datetime:
        async with self._to.database.read() as session:
            clock_id = None
            if kind == "subscription" and (row := await session.get(SubscriptionRow, key)) is not None:
                clock_id = row.clock_id
            if kind == "collection":
                found = await session.exec(select(Collection.clock_id).where(Collection.invoice_id == key))
                clock_id = found.first()
            return await self._to.now(session, clock_id)

    async def _missing(self, client: Client, wanted: set[str], kind: str) -> list[Finding]:
        suspects = wanted - await _listed(client, kind)
        for look in range(2):
            suspects = {id_ for id_ in suspects if not await _is_running(client, id_)}
            if not suspects:
                return []
            if look == 0:
                await asyncio.sleep(BETWEEN_RUNS_SECONDS)
                suspects &= await self._still_wanted(kind)
        return [
            Finding(
                trouble=Trouble.NOT_RUNNING,
                about=id_,
                says="its row goes on, and no workflow runs",
                remedy="--fix starts it again from its row.",
                fixable=True,
            )
            for id_ in sorted(suspects)
        ]

    async def _still_wanted(self, kind: str) -> set[str]:
        async with self._to.database.read() as session:
            if kind == "subscription":
                subscriptions = select(SubscriptionRow.id).where(goes_on())
                return {f"subscription/{id_}" for id_ in (await session.exec(subscriptions)).all()}
            collections = select(Collection.invoice_id).where(col(Collection.closed_at).is_(None))
            return {f"collection/{id_}" for id_ in (await session.exec(collections)).all()}

    async def _without_rows(self, client: Client) -> list[Finding]:
        """Workflows that go on although their row is over, or was never there."""
        found = []
        for kind in ("subscription", "collection"):
            for id_ in sorted(await _listed(client, kind) - await self._still_wanted(kind)):
                if not await _is_running(client, id_, since=JUST_STARTED):
                    continue
                found.append(
                    Finding(
                        trouble=Trouble.NO_ROW,
                        about=id_,
                        says="runs, and its row is over or missing",
                        remedy="--fix lets it read its rows; if it stays, terminate it in the UI.",
                        fixable=True,
                    )
                )
        return found


async def _listed(client: Client, kind: str) -> set[str]:
    """Ids of the executions that the server lists as running; a little behind, and nothing where it has no list."""
    query = f'WorkflowType = "{kind}" AND ExecutionStatus = "Running"'
    try:
        return {execution.id async for execution in client.list_workflows(query)}
    except RPCError as error:
        if error.status is RPCStatusCode.UNIMPLEMENTED:
            return set()
        raise


async def _is_running(client: Client, workflow_id: str, *, since: timedelta = timedelta(0)) -> bool:
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    is_running = description.status is WorkflowExecutionStatus.RUNNING
    return is_running and datetime.now(UTC) - description.start_time >= since


async def _failing(client: Client, late: Sequence[Finding]) -> list[Finding]:
    """Of those that are late, the ones whose own code fails again and again."""
    found = []
    for finding in late:
        try:
            description = await client.get_workflow_handle(finding.about).describe()
        except RPCError:
            continue
        tries = description.raw_description.pending_workflow_task.attempt
        if tries >= FAILING_AGAIN:
            found.append(
                Finding(
                    trouble=Trouble.GONE_BAD,
                    about=finding.about,
                    says=f"its workflow task has failed {tries} times",
                    remedy="Read the failure in the UI and the worker's log; it goes on once the code is mended.",
                )
            )
    return found
