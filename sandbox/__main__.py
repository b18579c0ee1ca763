"""`python -m sandbox up | demo | down | status`: the sandbox, for people and for `relance sandbox`."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    sys.exit(128 + number)


def main() -> None:
    """Sees to it that a signal during the first imports ends quietly, then does what was asked."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    from sandbox.command import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
