"""Faults on demand: slow, failing and lost answers; and the rate limit."""

import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe.errors import ApiError, Document

_TYPES: dict[str, type | tuple[type, ...]] = {
    "times": int,
    "status": int,
    "delay_seconds": (int, float),
    "drop_response": bool,
    "after_work": bool,
    "kept": bool,
}
_FIELDS = frozenset({"match", *_TYPES})


class BadFault(ValueError):
    """A fault that cannot be read; the message says what it takes."""


@dataclass
class Fault:
    """What goes wrong, for which requests, how often.

    Attributes:
        method: HTTP method, None for any.
        path: regular expression searched in the path.
        times: how many requests it still hits, None for all.
        status: answered instead of doing the work, or with `after_work` once it is done.
        delay_seconds: waited before the work while the idempotency key is held, or with `after_work` before
            the answer.
        drop_response: the work is committed, then the connection is closed without an answer.
        kept: the `status` is kept under the idempotency key and replayed.
    """

    path: re.Pattern[str]
    method: str | None = None
    times: int | None = 1
    status: int | None = None
    delay_seconds: float = 0
    drop_response: bool = False
    after_work: bool = False
    kept: bool = False

    @property
    def shown(self) -> Document:
        """The fault as JSON."""
        match = {"method": self.method, "path": self.path.pattern}
        rest = {name: value for name, value in vars(self).items() if name not in {"method", "path"}}
        return {"match": match, **rest}


def fault(fields: Any) -> Fault:  # noqa: ANN401 - JSON from a person
    """Read one fault.

    Raises:
        BadFault: unknown fields, a bad pattern, or nothing that goes wrong.
    """
    if not isinstance(fields, dict) or fields.keys() - _FIELDS:
        raise BadFault(f"A fault is an object of {', '.join(sorted(_FIELDS))}.")
    match = fields.get("match") or {}
    try:
        path = re.compile(match.get("path", ""))
    except re.error as error:
        raise BadFault(f"match.path is no regular expression: {error}") from error
    rest = {name: value for name, value in fields.items() if name != "match"}
    for name, value in rest.items():
        if value is not None and not isinstance(value, _TYPES[name]):
            raise BadFault(f"{name} cannot be {value!r}.")
    found = Fault(path=path, method=match.get("method"), **rest)
    if not (found.status or found.delay_seconds or found.drop_response):
        raise BadFault("A fault needs status, delay_seconds or drop_response.")
    return found


@dataclass
class Faults:
    """The faults waiting for their request, in the order in which they were given."""

    waiting: list[Fault] = field(default_factory=list)

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault that fits; it is used up once."""
        for one in self.waiting:
            if one.method not in {None, method} or not one.path.search(path):
                continue
            if one.times is not None:
                one.times -= 1
                if one.times <= 0:
                    self.waiting.remove(one)
            return one
        return None


@dataclass
class RateLimit:
    """At most `per_second` requests to one endpoint of one account in any second."""

    per_second: int | None
    _seen: dict[tuple[str, str], deque[float]] = field(default_factory=dict)

    def check(self, account: str, endpoint: str) -> None:
        """Count a request.

        Raises:
            ApiError: 429, too many.
        """
        if self.per_second is None:
            return
        now = time.monotonic()
        seen = self._seen.setdefault((account, endpoint), deque())
        while seen and now - seen[0] >= 1:
            seen.popleft()
        if len(seen) >= self.per_second:
            raise ApiError(
                429,
                "invalid_request_error",
                "Request rate limit exceeded. Slow down and try again with an exponential backoff.",
                code="rate_limit",
                kept=False,
                headers={"Stripe-Rate-Limited-Reason": "endpoint-rate"},
            )
        seen.append(now)


def broken(status: int) -> ApiError:
    """The answer of a fault with a status."""
    kind = "invalid_request_error" if status == 429 else "api_error"  # noqa: PLR2004 - too many requests
    code = "rate_limit" if status == 429 else None  # noqa: PLR2004
    return ApiError(status, kind, "An unknown error occurred. (The sandbox was told to fail.)", code=code)
