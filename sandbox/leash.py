"""Starts a command that dies with its parent: `python leash.py PARENT_PID COMMAND...`.

Run by its path, without our packages, and replaced by the command at once. On Linux the kernel then kills the
command when the parent is gone for whatever reason, SIGKILL included; elsewhere the parent's own care must do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Puts itself on the leash and becomes the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the leash was on
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
