"""A worker process that kills itself at a named point: `python -m support.doomed_worker '{"point": "charged"}'`.

It is the real worker, of which one function is told to die. SIGKILL leaves no time for anything: no answer to
Temporal, no rollback by us, no closed connection.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import uuid
from dataclasses import dataclass
from typing import Any, Final

import worker
from activities import payments
from activities.books import transitions
from activities.gateway import PreparedRequest
from activities.stripe_gateway import StripeGateway


@dataclass(frozen=True)
class Point:
    """Where to die: on the way into a function or out of it."""

    owner: Any
    function: str
    on_the_way_in: bool = False


POINTS: Final = {
    "issuing": Point(transitions, "write_invoice"),
    "written": Point(payments.Payments, "_send", on_the_way_in=True),
    "charged": Point(StripeGateway, "_submit"),
    "booked": Point(payments.Payments, "_record"),
}
"""Inside the issuing transaction; the attempt is committed and nothing sent; Stripe has charged and the answer is
not stored; the answer is stored and the mail not sent."""


def die_at(point: Point, *, passage: int) -> None:
    """Kill this process when it passes there for the n-th time, counted from 1."""
    real = getattr(point.owner, point.function)
    passages = itertools.count(1)

    async def fatal(*args: Any, **kwargs: Any) -> Any:
        is_it = next(passages) == passage
        if is_it and point.on_the_way_in:
            _die()
        try:
            return await real(*args, **kwargs)
        finally:
            if is_it:
                _die()

    setattr(point.owner, point.function, fatal)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def break_key_rule() -> None:
    """Send each request under a key of its own, as the SDK does when it is given none."""
    submit = StripeGateway._submit  # noqa: SLF001 - the very place that the rule is about

    async def with_any_key(self: StripeGateway, prepared: PreparedRequest) -> Any:
        return await submit(self, prepared.model_copy(update={"idempotency_key": uuid.uuid4().hex}))

    StripeGateway._submit = with_any_key  # type: ignore[method-assign] # noqa: SLF001


def main() -> int:
    """Read what to do from the first argument, then work."""
    fate = json.loads(sys.argv[1])
    if fate.get("any_key"):
        break_key_rule()
    if "point" in fate:
        die_at(POINTS[fate["point"]], passage=fate.get("passage", 1))
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
