"""The root of every error that Relance raises on purpose."""

from __future__ import annotations


class RelanceError(Exception):
    """Something that a caller did, or met, and can act on.

    Attributes:
        field: name of the offending input in dotted form, or None where the error concerns no single input.
        message: one sentence or two: what is wrong and the remedy. Safe to show to the caller.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    @property
    def code(self) -> str:
        """Stable identifier of the kind of error, in snake case: `UnknownCurrency` is `unknown_currency`."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))

    def as_dict(self) -> dict[str, dict[str, str | None]]:
        """The shape in which every door prints an error: `{"error": {"code", "field", "message"}}`."""
        return {"error": {"code": self.code, "field": self.field, "message": self.message}}


class InvalidInput(RelanceError):
    """An input is malformed or out of range; `field` names it."""
