"""Signals that can be refused by nobody: whatever is wrong with one, the workflow lives on (engine 11, 29)."""

from __future__ import annotations

from typing import TypeVar

from temporalio import workflow
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from billing.errors import RelanceError

T = TypeVar("T")


class SignalDesk:
    """Decodes what signals bring, and counts and shows what could not be taken."""

    def __init__(self, bad: int = 0, last_bad: str = "") -> None:
        """Go on counting where the run before this one stopped."""
        self.bad = bad
        self.last_bad = last_bad

    def decode(self, raw: RawValue, kind: type[T], *, signal: str) -> T | None:
        """The signal's value, or None when it is no such thing.

        The SDK drops what it cannot decode before any handler sees it, so handlers take the raw payload.
        """
        try:
            value: T = workflow.payload_converter().from_payload(raw.payload, kind)
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with it, the subscription lives on
            self.refuse(signal, str(problem))
            return None
        return value

    def refuse(self, signal: str, problem: str | RelanceError) -> None:
        """Count a signal that could not be taken, and remember why."""
        sentence = problem.message if isinstance(problem, RelanceError) else problem
        self.bad += 1
        self.last_bad = f"{signal}: {' '.join(sentence.split())[:300]}"
        workflow.logger.warning("Signal %s could not be taken: %s", signal, sentence)
