"""How fast a process may go on asking a provider that does not answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

LONGEST_PAUSE: Final = timedelta(seconds=60)


class Pace:
    """After a failure everything rests for a second, then two, then four, up to a minute; a success ends it."""

    def __init__(self) -> None:
        self._failures = 0
        self._rests_until: datetime | None = None

    def rests(self, now: datetime) -> bool:
        """Whether nothing should be tried at this instant, real time."""
        return self._rests_until is not None and now < self._rests_until

    def failed(self, now: datetime) -> None:
        """The provider was not reached; failures of calls made side by side count once."""
        if not self.rests(now):
            pause = min(timedelta(seconds=2 ** min(self._failures, 10)), LONGEST_PAUSE)
            self._rests_until, self._failures = now + pause, self._failures + 1

    def succeeded(self) -> None:
        """The provider answers."""
        self._failures, self._rests_until = 0, None
