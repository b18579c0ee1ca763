"""Sending a command to a workflow and getting its answer, whatever happens on the way (engine 15)."""

from __future__ import annotations

import asyncio
import weakref
from datetime import timedelta
from typing import Final, TypeVar

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.worker_shutdown import raise_if_cancelled
from billing.values import Value
from starter.connect import TemporalUnreachable
from starter.problems import CommandRefused, NotRunning, NoWorker

Answer = TypeVar("Answer")

PATIENCE_SECONDS: Final = 15.0
"""How long a command may take to be answered. Handlers answer at once, so this is for restarts and hand-overs."""
TRY_SECONDS: Final = 2.0
"""How long one try may hang: a command that came while a run was closing can be left without any answer."""
AT_ONCE: Final = 3
"""Commands of one process that one execution is asked at the same time."""
GONE_SECONDS: Final = 5.0
"""How long an execution may be missing: between two runs it is not, and a collection starts a moment after its row."""
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0

_PASSING: Final = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.ABORTED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.FAILED_PRECONDITION,
        RPCStatusCode.INTERNAL,
    }
)
"""What the server says while an execution goes from one run to the next, or while the server restarts."""
_CUT_OFF: Final = "AcceptedUpdateCompletedWorkflow"
"""The run ended between taking the command and answering; the next run is asked again."""


async def send_command(
    client: Client,
    workflow_id: str,
    name: str,
    content: Value,
    *,
    command_id: str,
    answer: type[Answer],
    patience: float = PATIENCE_SECONDS,
) -> Answer:
    """Ask a workflow by an Update, again and again with the same id until it answers.

    Args:
        client: connected.
        workflow_id: whom.
        name: of the Update.
        content: its one argument.
        command_id: what makes asking again the same as asking once.
        answer: the type of the result.
        patience: seconds to go on, once it is this command's turn.

    Raises:
        CommandRefused: the workflow refuses it, for good.
        NotRunning: there is no such execution.
        NoWorker: nobody answered.
        TemporalUnreachable: the server said something that asking again does not mend.
    """
    async with _turn(workflow_id):
        return await _ask_until_answered(
            client.get_workflow_handle(workflow_id),
            name,
            content,
            command_id=command_id,
            answer=answer,
            patience=patience,
        )


def _turn(workflow_id: str) -> asyncio.Semaphore:
    """A place among those who ask this execution: the server takes ten at once and makes all others wait long."""
    turns = _turns.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
    turn = turns.get(workflow_id)
    if turn is None:
        turn = turns[workflow_id] = asyncio.Semaphore(AT_ONCE)
    return turn


_turns: weakref.WeakKeyDictionary[
    asyncio.AbstractEventLoop, weakref.WeakValueDictionary[str, asyncio.Semaphore]
] = weakref.WeakKeyDictionary()


async def _ask_until_answered(
    handle: WorkflowHandle[object, object],
    name: str,
    content: Value,
    *,
    command_id: str,
    answer: type[Answer],
    patience: float,
) -> Answer:
    loop = asyncio.get_running_loop()
    begun, pause = loop.time(), _FIRST_PAUSE
    while True:
        left = begun + patience - loop.time()
        try:
            return await _ask_once(
                handle, name, content, command_id=command_id, answer=answer, seconds=min(left, TRY_SECONDS)
            )
        except WorkflowUpdateFailedError as failure:
            _raise_unless_cut_off(failure)
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise_if_cancelled()
        except RPCError as error:
            _raise_unless_passing(error, handle.id, waited=loop.time() - begun)
        if loop.time() + pause >= begun + patience:
            raise NoWorker(
                f"Nobody answered within {patience:g} s. See that a worker runs (relance worker), then ask again "
                f"with the same command id {command_id}: it is carried out once.",
            )
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _ask_once(
    handle: WorkflowHandle[object, object],
    name: str,
    content: Value,
    *,
    command_id: str,
    answer: type[Answer],
    seconds: float,
) -> Answer:
    """One try. In two steps, because the SDK bounds only the first of them by a timeout otherwise."""
    timeout = timedelta(seconds=max(seconds, _FIRST_PAUSE))
    update = await handle.start_update(
        name,
        content,
        id=command_id,
        result_type=answer,
        wait_for_stage=WorkflowUpdateStage.ACCEPTED,
        rpc_timeout=timeout,
    )
    result: Answer = await update.result(rpc_timeout=timeout)
    return result


def _raise_unless_cut_off(failure: WorkflowUpdateFailedError) -> None:
    cause = failure.cause
    if not isinstance(cause, ApplicationError):
        raise CommandRefused("refused", str(cause)) from failure
    if cause.type != _CUT_OFF:
        field = next((detail for detail in cause.details if isinstance(detail, str)), None)
        raise CommandRefused(cause.type or "refused", cause.message, field=field) from failure


def _raise_unless_passing(error: RPCError, workflow_id: str, *, waited: float) -> None:
    is_closing = "closing" in error.message
    if error.status in _PASSING or is_closing:
        return
    if error.status is RPCStatusCode.NOT_FOUND:
        if waited < GONE_SECONDS:
            return
        raise NotRunning(
            f"{workflow_id} is not running although its rows say that it should. Run: relance doctor --fix"
        ) from error
    raise TemporalUnreachable(
        f"Temporal did not take the command: {' '.join(error.message.split())}.", field="TEMPORAL_ADDRESS"
    ) from error
