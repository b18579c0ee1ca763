"""The HTTP process, which kills itself before it writes down the answer of one operation.

`python -m support.doomed_api PORT cancel_subscription`. SIGKILL leaves no time for anything: the command is committed,
its answer is not.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from typing import Any, Final

import uvicorn
from sqlmodel import select

from models.tables import ApiCall
from starter import api_calls
from starter.api import create_app
from starter.api_calls import ApiCalls

ANSWERED: Final = "finish"
"""What writes the answer down."""

PATIENCE: Final = "LEASE"
"""For how long whoever repeats the call takes this process to be at work."""


def die_before_the_answer_of(action: str) -> None:
    """Kill this process when a call of that operation is finished."""
    finish: Any = getattr(ApiCalls, ANSWERED)

    async def fatal(calls: ApiCalls, call_id: str, **answer: Any) -> None:
        async with calls._database.read() as session:  # noqa: SLF001 - to die in its place
            (asked,) = (await session.exec(select(ApiCall.action).where(ApiCall.id == call_id))).all()
        if asked == action:
            os.kill(os.getpid(), signal.SIGKILL)
        await finish(calls, call_id, **answer)

    setattr(ApiCalls, ANSWERED, fatal)


if __name__ == "__main__":
    setattr(api_calls, PATIENCE, timedelta(seconds=2))
    die_before_the_answer_of(sys.argv[2])
    uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
