"""What can go wrong with the sandbox, in words for the person who started it."""

from __future__ import annotations


class SandboxProblem(Exception):
    """The sandbox cannot do what was asked; the message says what to do about it."""


class AlreadyRunning(SandboxProblem):
    """Another sandbox runs in the same folder."""


class ServiceDied(SandboxProblem):
    """A process of the sandbox ended by itself; the message shows its last log lines."""


class NotReady(SandboxProblem):
    """A process of the sandbox did not answer in time; the message shows its last log lines."""
