from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from sandbox.services import temporal_binary
from starter.polling import worker_polls

HERE = socket.gethostname()


@workflow.defn
class Idle:
    @workflow.run
    async def run(self) -> None:
        """Nothing to do."""


@pytest.fixture
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=temporal_binary(), dev_server_log_level="error"
    ) as server:
        yield server


async def test_a_worker_is_seen_on_its_own_host_and_queue_while_it_asks(
    temporal: WorkflowEnvironment,
) -> None:
    client = temporal.client
    now = datetime.now(UTC)
    assert not await worker_polls(client, "relance", host=HERE, now=now)
    worker = Worker(
        client,
        task_queue="relance",
        workflows=[Idle],
        identity=f"{os.getpid()}@{HERE}",
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker, asyncio.timeout(20):
        for _ in range(200):
            if await worker_polls(client, "relance", host=HERE, now=datetime.now(UTC)):
                break
            await asyncio.sleep(0.05)
        assert await worker_polls(client, "relance", host=HERE, now=datetime.now(UTC))
        assert not await worker_polls(client, "relance", host=HERE + "-2", now=datetime.now(UTC))
        assert not await worker_polls(client, "elsewhere", host=HERE, now=datetime.now(UTC))
        later = datetime.now(UTC) + timedelta(seconds=91)
        assert not await worker_polls(client, "relance", host=HERE, now=later)
