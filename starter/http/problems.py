"""Errors as problem details (RFC 9457): what is wrong, where, and what to do.

The one place that says which error is which status; the code is the error's own, and stable.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from activities.books.correcting import NotNow
from activities.books.exchanging import NoExchangeRate
from activities.books.rows import NotFound
from activities.gateway import ProviderMisconfigured, ProviderRefused, ProviderUnavailable
from activities.refunds import NotStuck
from activities.stripe_events import BadSignature, UnreadableEvent
from billing.errors import InvalidInput, RelanceError
from billing.refusal import Refused
from models.schema import DatabaseBehind, DatabaseUnreachable
from settings import SettingsProblem
from starter.api_calls import LimitExceeded, StillRunning
from starter.api_keys import KeyOfOtherMode, KeyUnknown, NotAllowed
from starter.connect import TemporalUnreachable
from starter.documents import EntityNotLive
from starter.executions import TemporalNotReady
from starter.problems import (
    AlreadyExists,
    ClockStuck,
    CommandRefused,
    FixedSinceStart,
    MethodRefused,
    NotRunning,
    NoWorker,
    TookTooLong,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_AFTER_SECONDS: Final = 5

_CORRECT: Final = "Correct it and send it again, with another Idempotency-Key."
_LOOK: Final = "Look at how things stand, and ask again with another Idempotency-Key once that has changed."
_REPEAT: Final = "Repeat the call with the same Idempotency-Key: it is carried out once."
_MEND: Final = "Tell whoever runs Relance, then repeat the call with the same Idempotency-Key."
_NAME: Final = "Check the id, or name it by your own reference as ref:..."
_BY_STATUS: Final = {
    HTTPStatus.NOT_FOUND: ("not_found", "Check the address of the call."),
    HTTPStatus.METHOD_NOT_ALLOWED: ("method_not_allowed", "Use a method that the API document lists."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("request_too_large", "Send it in smaller parts."),
}
"""Code and remedy of what is no error of ours; the names of the statuses change with the version of Python."""


class _Kind(NamedTuple):
    error: type[RelanceError]
    status: HTTPStatus
    remedy: str


_KINDS: Final = (
    _Kind(BadSignature, HTTPStatus.BAD_REQUEST, "Sign it with the endpoint's secret."),
    _Kind(UnreadableEvent, HTTPStatus.BAD_REQUEST, "Send an event as the provider writes it."),
    _Kind(KeyUnknown, HTTPStatus.UNAUTHORIZED, "Send a key that is valid: Authorization: Bearer rlk_..."),
    _Kind(KeyOfOtherMode, HTTPStatus.UNAUTHORIZED, "Use a key that was made for this mode."),
    _Kind(NotAllowed, HTTPStatus.FORBIDDEN, "Use a key with one of the scopes that the call needs."),
    _Kind(LimitExceeded, HTTPStatus.FORBIDDEN, "Ask for less, or use a key without a limit."),
    _Kind(MethodRefused, HTTPStatus.PAYMENT_REQUIRED, "Ask the customer for another payment method."),
    _Kind(AlreadyExists, HTTPStatus.CONFLICT, _CORRECT),
    _Kind(Refused, HTTPStatus.CONFLICT, _LOOK),
    _Kind(CommandRefused, HTTPStatus.CONFLICT, _LOOK),
    _Kind(NotNow, HTTPStatus.CONFLICT, _LOOK),
    _Kind(NotStuck, HTTPStatus.CONFLICT, _LOOK),
    _Kind(ClockStuck, HTTPStatus.CONFLICT, "Mend what holds the clock, and advance it again."),
    _Kind(EntityNotLive, HTTPStatus.CONFLICT, "Let the seller go live first."),
    _Kind(NoExchangeRate, HTTPStatus.CONFLICT, "Load the exchange rates of the day first."),
    _Kind(StillRunning, HTTPStatus.CONFLICT, _REPEAT),
    _Kind(InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY, _CORRECT),
    _Kind(ProviderRefused, HTTPStatus.UNPROCESSABLE_ENTITY, _CORRECT),
    _Kind(NotFound, HTTPStatus.NOT_FOUND, _NAME),
    _Kind(NoWorker, HTTPStatus.SERVICE_UNAVAILABLE, _REPEAT),
    _Kind(NotRunning, HTTPStatus.SERVICE_UNAVAILABLE, _MEND),
    _Kind(TookTooLong, HTTPStatus.SERVICE_UNAVAILABLE, _REPEAT),
    _Kind(TemporalUnreachable, HTTPStatus.SERVICE_UNAVAILABLE, _REPEAT),
    _Kind(TemporalNotReady, HTTPStatus.SERVICE_UNAVAILABLE, _MEND),
    _Kind(DatabaseUnreachable, HTTPStatus.SERVICE_UNAVAILABLE, _REPEAT),
    _Kind(DatabaseBehind, HTTPStatus.SERVICE_UNAVAILABLE, _MEND),
    _Kind(ProviderUnavailable, HTTPStatus.SERVICE_UNAVAILABLE, _REPEAT),
    _Kind(ProviderMisconfigured, HTTPStatus.SERVICE_UNAVAILABLE, _MEND),
    _Kind(SettingsProblem, HTTPStatus.SERVICE_UNAVAILABLE, _MEND),
)
"""The first that fits counts: what is special comes before what is general."""


class FieldError(NamedTuple):
    """One thing that is wrong with a request."""

    field: str | None
    message: str


def problem(
    status: HTTPStatus,
    detail: str,
    *,
    code: str | None = None,
    field: str | None = None,
    remedy: str | None = None,
    errors: Sequence[FieldError] = (),
    decline_code: str | None = None,
) -> JSONResponse:
    """An answer that says what is wrong.

    Args:
        status: of the answer.
        detail: a sentence, with what is special to this case.
        code: the kind of error, for programs.
        field: what it is about.
        remedy: what to do, and whether the call may be repeated as it is.
        errors: everything that is wrong, where that is more than one thing.
        decline_code: the bank's reason, where it refused.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
    }
    extras = {"code": code, "field": field, "remedy": remedy, "decline_code": decline_code}
    body |= {name: value for name, value in extras.items() if value is not None}
    if errors:
        body["errors"] = [error._asdict() for error in errors]
    return JSONResponse(body, status.value, media_type=MEDIA_TYPE, headers=_headers(status))


def _headers(status: HTTPStatus) -> dict[str, str]:
    if status is HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(_RETRY_AFTER_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else {}


def add_problem_details(app: FastAPI) -> None:
    """Let every error of the application leave as problem details."""
    for kind in EXPECTED:
        app.exception_handler(kind)(_answer)
    app.exception_handler(Exception)(_unexpected)


EXPECTED: Final = (RelanceError, RequestValidationError, HTTPException, OperationalError, PoolTimeout)
"""The errors that say something to the caller."""


def answer_to(error: Exception) -> JSONResponse:
    """What a caller is told about an error of `EXPECTED`."""
    match error:
        case RelanceError():
            return _ours(error)
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _http(error)
        case _:
            return _without_database(error)


async def _answer(_: Request, error: Exception) -> JSONResponse:
    return answer_to(error)


def _ours(error: RelanceError) -> JSONResponse:
    unknown = _Kind(type(error), HTTPStatus.INTERNAL_SERVER_ERROR, _MEND)
    kind = next((kind for kind in _KINDS if isinstance(error, kind.error)), unknown)
    if kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", error.code, error.message)
    return problem(
        kind.status,
        error.message,
        code=error.code,
        field=error.field,
        remedy=error.remedy if isinstance(error, FixedSinceStart) else kind.remedy,
        decline_code=error.decline_code if isinstance(error, MethodRefused) else None,
    )


_IN_PLAIN_WORDS: Final = {
    "missing": "It is needed.",
    "extra_forbidden": "There is no such member here. Look at the API document for those that there are.",
}
"""What pydantic says too shortly."""


def _invalid(error: RequestValidationError) -> JSONResponse:
    errors = [
        FieldError(
            ".".join(str(part) for part in each["loc"][1:]) or None,
            _IN_PLAIN_WORDS.get(each["type"], f"{each['msg']}."),
        )
        for each in error.errors()
    ]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{errors[0].field}: {errors[0].message}" if errors[0].field else errors[0].message,
        code="invalid_input",
        field=errors[0].field,
        remedy="Correct it and send it again; the Idempotency-Key may stay.",
        errors=errors,
    )


def _http(error: HTTPException) -> JSONResponse:
    status = HTTPStatus(error.status_code)
    code, remedy = _BY_STATUS.get(status, ("bad_request", _CORRECT))
    answer = problem(status, f"{error.detail}.", code=code, remedy=remedy)
    answer.headers.update(error.headers or {})
    return answer


def _without_database(error: Exception) -> JSONResponse:
    """The database is away, or too busy to be waited for; its words, which name hosts, are for the log."""
    logger.error("The database does not answer: %s", error)
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database does not answer.",
        code="database_unreachable",
        remedy=_REPEAT,
    )


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    logger.error("An unexpected error", exc_info=error)
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Something went wrong on our side.",
        code="unexpected_error",
        remedy=_REPEAT,
    )
