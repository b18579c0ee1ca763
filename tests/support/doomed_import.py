"""A process that makes a batch live and kills itself on the way: `python -m support.doomed_import '{...}'`.

SIGKILL leaves no time for anything: no answer, no rollback by us, no closed connection.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
from typing import Any, Final

from fakes import FakeStripe
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from models.database import Database
from starter.importing import going_live
from starter.importing.writing import Writer
from support.importing import importer

POINTS: Final = {"writing": (Writer, "write"), "starting": (going_live, "_start_workflows")}
"""Inside a chunk's transaction; after its commit, before any of its workflows is started."""


def die_at(point: str, *, passage: int) -> None:
    """Kill this process when it comes there for the n-th time, counted from 1."""
    owner, name = POINTS[point]
    real = getattr(owner, name)
    passages = itertools.count(1)

    async def fatal(*args: Any) -> Any:
        dies = next(passages) == passage
        if dies and point == "starting":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await real(*args)
        if dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, fatal)


async def main(fate: dict[str, Any]) -> None:
    """Go live until death."""
    die_at(fate["point"], passage=fate["passage"])
    temporal = await Client.connect(fate["server"], data_converter=pydantic_data_converter)
    client = importer(
        Database(fate["url"]), FakeStripe(fate["stripe"]), temporal=temporal, queue=fate["queue"]
    )
    await client.imports.go_live(fate["batch"])


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
