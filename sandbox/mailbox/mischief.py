"""Faults on demand: the next mails meet an error, a delay, or an answer that never comes."""

from __future__ import annotations

from collections import deque

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Mischief(BaseModel):
    """What happens to the next `times` requests to send. Asked of `POST /_fake/faults`.

    Attributes:
        times: number of requests that meet it.
        status: answer this HTTP status, without taking the mail.
        delay_seconds: wait before anything else.
        drop_response: take the mail, then cut the connection without an answer.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    times: int = Field(default=1, ge=1, le=100_000)
    status: int | None = Field(default=None, ge=400, le=599)
    delay_seconds: float = Field(default=0.0, ge=0, le=600)
    drop_response: bool = False

    @model_validator(mode="after")
    def _says_what(self) -> Mischief:
        if self.status is not None and self.drop_response:
            raise ValueError("a request gets either a status or no answer, not both")
        if self.status is None and not self.drop_response and not self.delay_seconds:
            raise ValueError("give one of status, delay_seconds, drop_response")
        return self


class Faults:
    """The faults to come, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._queue: deque[Mischief] = deque()

    def add(self, mischief: Mischief) -> None:
        """Puts a fault at the end of the queue."""
        self._queue.append(mischief)

    def take(self) -> Mischief | None:
        """What the present request meets, if anything."""
        if not self._queue:
            return None
        first = self._queue.popleft()
        if first.times > 1:
            self._queue.appendleft(first.model_copy(update={"times": first.times - 1}))
        return first

    def clear(self) -> None:
        """Forgets all faults to come."""
        self._queue.clear()

    def coming(self) -> list[Mischief]:
        """The faults to come."""
        return list(self._queue)
