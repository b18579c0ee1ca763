"""Is the process alive, and can it do its work?"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Final, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from temporalio.service import RPCError

from billing.errors import RelanceError
from billing.values import Value
from models.schema import check_schema
from starter.http.door import Door, door_of

logger = logging.getLogger(__name__)
router = APIRouter(tags=["Health"])

PATIENCE_SECONDS: Final = 3.0


class Alive(Value):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(Value):
    """Whether the process can do its work, and what keeps it from that."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str]
    """By part: `ok`, or the kind of problem."""


@router.get("/healthz")
async def healthz() -> Alive:
    """The process answers; nothing else is asked."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses={503: {"model": Ready}})
async def readyz(request: Request) -> JSONResponse:
    """The database is reachable and migrated, and Temporal answers; 503 and which does not."""
    door = door_of(request)
    database, temporal = await asyncio.gather(_database(door), _temporal(door))
    ready = database == temporal == "ok"
    checks = {"database": database, "temporal": temporal}
    body = Ready(status="ok" if ready else "unavailable", checks=checks)
    return JSONResponse(body.model_dump(), 200 if ready else 503)


async def _database(door: Door) -> str:
    """`ok`, or the kind of problem; its words, which name hosts, are for the log."""
    try:
        await asyncio.wait_for(check_schema(door.database), PATIENCE_SECONDS)
    except RelanceError as problem:
        logger.warning("Not ready: %s", problem.message)
        return problem.code
    except TimeoutError:
        return "no_answer"
    return "ok"


async def _temporal(door: Door) -> str:
    try:
        client = await asyncio.wait_for(door.connections.temporal(), PATIENCE_SECONDS)
        serving = await client.service_client.check_health(timeout=timedelta(seconds=PATIENCE_SECONDS))
    except RelanceError as problem:
        logger.warning("Not ready: %s", problem.message)
        return problem.code
    except (TimeoutError, RPCError) as problem:
        logger.warning("Not ready: Temporal does not answer: %s", problem)
        return "no_answer"
    return "ok" if serving else "not_serving"
