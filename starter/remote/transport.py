"""Sending a call and reading its answer; what may be repeated is, with the same key."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel
from typing_extensions import override

from billing.errors import RelanceError
from starter.resources.common import Page, Resource

Answer = TypeVar("Answer", bound=BaseModel)
Item = TypeVar("Item", bound=Resource)
Asked = str | int | bool | None
"""A filter, or how much of a list; None is not sent."""

TIMEOUT_SECONDS: Final = 60.0
TRIES: Final = 4
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 10.0
_AGAIN: Final = (httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT)
_STILL_RUNNING: Final = "still_running"


class ApiProblem(RelanceError):
    """The API did not do it.

    Attributes:
        status: of the answer.
        remedy: what to do, and whether the call may be repeated as it is.
        decline_code: the bank's reason, where it refused.
    """

    def __init__(self, status: int, said: Mapping[str, Any]) -> None:
        super().__init__(str(said.get("detail", f"The API answered {status}.")), field=said.get("field"))
        self._code = str(said.get("code", "unreadable_answer"))
        self.status = status
        self.remedy = str(said.get("remedy", ""))
        self.decline_code: str | None = said.get("decline_code")

    @property
    @override
    def code(self) -> str:
        """The kind of problem; it is stable."""
        return self._code


def at(*parts: str) -> str:
    """The path of something; what a caller names is quoted, so that it stays one part of it."""
    return "/v1/" + "/".join(quote(part, safe=":") for part in parts)


class Transport:
    """One connection pool, one key."""

    def __init__(self, http: httpx.AsyncClient, *, tries: int = TRIES) -> None:
        self._http = http
        self._tries = tries

    async def get(self, kind: type[Answer], path: str, **query: Asked) -> Answer:
        """Ask something.

        Raises:
            ApiProblem: the API refuses, or does not answer.
        """
        return kind.model_validate_json(await self.fetch(path, **query))

    async def fetch(self, path: str, **query: Asked) -> bytes:
        """Get something as it is, such as a PDF. Raises as `get`."""
        given = {name: value for name, value in query.items() if value is not None}
        return (await self._call("GET", path, params=given)).content

    async def send(
        self,
        kind: type[Answer],
        method: str,
        path: str,
        body: BaseModel | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Answer:
        """Ask for a change. Without a key of the caller's it gets one, so that a lost answer can be asked for again.

        Raises:
            ApiProblem: the API refuses, or does not answer.
        """
        headers = {"Idempotency-Key": idempotency_key or secrets.token_urlsafe(24)}
        content = None if body is None else body.model_dump(mode="json", exclude_unset=True)
        answer = await self._call(method, path, json=content, headers=headers)
        return kind.model_validate_json(answer.content)

    async def pages(self, kind: type[Item], path: str, **query: Asked) -> AsyncIterator[Item]:
        """Everything on a list, page by page. Raises as `get`."""
        after: str | None = None
        while True:
            page = await self.get(Page[kind], path, starting_after=after, **query)  # type: ignore[valid-type]
            for item in page.data:
                yield item
            if not page.has_more:
                return
            after = str(getattr(page.data[-1], "id"))  # noqa: B009 - whatever is on a list has one

    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int | bool] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        pause = _FIRST_PAUSE
        for left in reversed(range(self._tries)):
            try:
                answer = await self._http.request(method, path, params=params, json=json, headers=headers)
            except httpx.TransportError as fault:
                if left == 0:
                    raise ApiProblem(0, {"code": "no_answer", "detail": f"No answer: {fault}."}) from fault
            else:
                problem = _problem(answer)
                if problem is None:
                    return answer
                if left == 0 or not _may_pass(problem):
                    raise problem
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("a call is tried at least once")


def _problem(answer: httpx.Response) -> ApiProblem | None:
    if answer.is_success:
        return None
    try:
        said = answer.json()
    except ValueError:
        said = {}
    return ApiProblem(answer.status_code, said if isinstance(said, Mapping) else {})


def _may_pass(problem: ApiProblem) -> bool:
    """Whether the same call with the same key may be answered otherwise in a moment."""
    return problem.status in _AGAIN or problem.code == _STILL_RUNNING
