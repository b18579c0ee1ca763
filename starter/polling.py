"""`python -m starter.polling`: does a worker on this host take work? Exit status 0 if so. For health checks."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from billing.errors import RelanceError
from settings import load_settings
from starter.connect import connect

FRESH: Final = timedelta(seconds=90)
"""How long ago a live worker last asked for work, at most: one question waits up to 60 seconds for its answer."""


async def worker_polls(client: Client, task_queue: str, *, host: str, now: datetime) -> bool:
    """Whether a worker on `host` asked for workflow tasks lately.

    Args:
        client: of the namespace.
        task_queue: of the workflows.
        host: as workers name it: their identity is `<process id>@<host>`.
        now: aware; the age of a question is counted from here.
    """
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    return any(
        poller.identity.partition("@")[2] == host
        and now - poller.last_access_time.ToDatetime(tzinfo=UTC) < FRESH
        for poller in answer.pollers
    )


async def main() -> int:
    """Look once, with the settings that the worker has."""
    try:
        settings = load_settings()
        client = await connect(settings)
    except RelanceError as problem:
        sys.stderr.write(f"Error: {problem.message}\n")
        return 1
    host = socket.gethostname()
    if await worker_polls(client, settings.task_queue, host=host, now=datetime.now(UTC)):
        return 0
    sys.stderr.write(f"Error: no worker on {host} asks for work on {settings.task_queue}.\n")
    return 1


if __name__ == "__main__":
    answer = asyncio.run(main())
    sys.stderr.flush()
    os._exit(answer)  # with a Temporal client, leaving in the usual way crashes now and then
