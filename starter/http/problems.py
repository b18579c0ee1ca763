"""Errors as problem details (RFC 9457): what is wrong, where, and what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from activities.books.rows import NotFound
from activities.stripe_events import BadSignature, UnreadableEvent
from billing.errors import InvalidInput, RelanceError
from models.schema import DatabaseBehind, DatabaseUnreachable
from starter.connect import TemporalUnreachable

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
_STATUS_OF: Final[tuple[tuple[type[RelanceError], HTTPStatus], ...]] = (
    (BadSignature, HTTPStatus.BAD_REQUEST),
    (UnreadableEvent, HTTPStatus.BAD_REQUEST),
    (InvalidInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (TemporalUnreachable, HTTPStatus.SERVICE_UNAVAILABLE),
    (DatabaseUnreachable, HTTPStatus.SERVICE_UNAVAILABLE),
    (DatabaseBehind, HTTPStatus.SERVICE_UNAVAILABLE),
)


def problem(
    status: HTTPStatus, detail: str, *, code: str | None = None, field: str | None = None
) -> JSONResponse:
    """An answer that says what is wrong.

    Args:
        status: of the answer.
        detail: a sentence, with the remedy.
        code: the kind of error, for programs.
        field: what it is about.
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
    }
    extras = {"code": code, "field": field}
    body |= {name: value for name, value in extras.items() if value is not None}
    return JSONResponse(body, status.value, media_type=MEDIA_TYPE)


def add_problem_details(app: FastAPI) -> None:
    """Let every error of the application leave as problem details."""
    app.exception_handler(RelanceError)(_ours)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_http)
    app.exception_handler(Exception)(_unexpected)


async def _ours(_: Request, error: RelanceError) -> JSONResponse:
    found = (status for kind, status in _STATUS_OF if isinstance(error, kind))
    status = next(found, HTTPStatus.INTERNAL_SERVER_ERROR)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", error.code, error.message)
    return problem(status, error.message, code=error.code, field=error.field)


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or None
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{first['msg']}.", code="invalid_input", field=field)


async def _http(_: Request, error: HTTPException) -> JSONResponse:
    answer = problem(HTTPStatus(error.status_code), f"{error.detail}.")
    answer.headers.update(error.headers or {})
    return answer


async def _unexpected(_: Request, error: Exception) -> JSONResponse:
    logger.error("An unexpected error", exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side. Try again later.")
