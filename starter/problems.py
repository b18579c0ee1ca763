"""What a backend is told when something was not done. Each says whether asking again helps, and how."""

from __future__ import annotations

from typing_extensions import override

from billing.errors import InvalidInput, RelanceError


class CommandRefused(RelanceError):
    """The subscription or collection refuses a command. Nothing was changed.

    Attributes:
        code: the kind of refusal, the same as where it was decided: `already_ended`, `plan_currency_mismatch`.
    """

    def __init__(self, code: str, message: str, *, field: str | None = None) -> None:
        super().__init__(message, field=field)
        self._code = code

    @property
    @override
    def code(self) -> str:
        """The kind of refusal, in snake case."""
        return self._code


class NoWorker(RelanceError):
    """Nobody answered in time. Ask again with the same id: a command is carried out once (engine 15)."""


class NotRunning(RelanceError):
    """The rows are there and their workflow is not; `relance doctor --fix` starts it again."""


class AlreadyExists(InvalidInput):
    """An id or reference is taken, by something that was asked for with other content."""


class FixedSinceStart(AlreadyExists):
    """What was asked for is there, and what differs about it is not changed by asking for it again.

    Attributes:
        remedy: the call or command that does change it.
    """

    def __init__(self, message: str, *, field: str, remedy: str) -> None:
        super().__init__(message, field=field)
        self.remedy = remedy

    @property
    @override
    def code(self) -> str:
        """That of everything that is there already."""
        return "already_exists"


class MethodRefused(RelanceError):
    """The bank does not let this payment method be saved. The one before stays.

    Attributes:
        decline_code: the bank's reason.
    """

    def __init__(self, message: str, *, decline_code: str) -> None:
        super().__init__(message, field="payment_method")
        self.decline_code = decline_code


class TookTooLong(RelanceError):
    """What was waited for has not happened yet. It may still: look again later."""


class ClockStuck(RelanceError):
    """A test clock stands still although it should advance; the message says who holds it."""
