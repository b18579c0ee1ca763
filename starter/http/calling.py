"""Every call to the API, before and after its own function: who calls, is it readable, is it asked for the first time.

The key is looked at before anything is read. What changes something is written down first and carried out under the id
of that record (engine 15); with an `Idempotency-Key` the answer is kept and given again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Header, HTTPException, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException as StarletteHTTPException
from typing_extensions import override

from billing.errors import InvalidInput
from starter.api_calls import Answered, Asked
from starter.api_keys import Caller, KeyUnknown, NotAllowed, Scope
from starter.client import RelanceClient
from starter.http.door import Door, door_of
from starter.http.problems import EXPECTED, MEDIA_TYPE, answer_to

MOST_BYTES: Final = 1_000_000
"""Of a request: a thousand usage events are a third of that."""
REPLAYED: Final = {"Idempotent-Replayed": "true"}
_LONGEST_PATH: Final = 300
_READS: Final = ("GET", "HEAD")
_BEARER: Final = HTTPBearer(
    scheme_name="ApiKey",
    bearerFormat="rlk_...",
    description="A key from `relance api-key create`, as `Authorization: Bearer rlk_...`.",
    auto_error=False,
)
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="Yours, new for each thing that you ask. For 24 hours the same request with the same key gets the "
        "same answer and is done once, so it may be repeated whatever happened.",
        examples=["d1f7c2a0-start-acme"],
    ),
]


@dataclass(frozen=True)
class Call:
    """One call, as its function sees it.

    Attributes:
        id: of its record, which is the id of the command that it gives.
        caller: who calls.
        door: through which.
    """

    id: str
    caller: Caller
    door: Door

    @property
    def by(self) -> str:
        """With what the books sign it."""
        return self.caller.name

    @property
    def relance(self) -> RelanceClient:
        """What is asked."""
        return self.door.relance

    async def spend(self, amount_minor: int, currency: str) -> None:
        """Count what goes back to a customer against the limit of the key.

        Raises:
            LimitExceeded: it is too much.
        """
        if self.caller.is_limited:
            await self.door.calls.spend(self.id, self.caller, amount_minor, currency)


def _reading(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]) -> Call:
    call: Call = request.state.call
    return call


def allowed_to(*scopes: Scope) -> Any:  # noqa: ANN401 - FastAPI's own type is private
    """The dependency of a call that changes something: one of these scopes is needed, or `admin`."""
    enough = tuple(dict.fromkeys((*scopes, Scope.ADMIN)))

    def check(
        request: Request,
        _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
        _key: IdempotencyKey = None,
    ) -> Call:
        return _allowed(request, enough)

    return Security(check, scopes=list(enough))


def _for_administrators(
    request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]
) -> Call:
    return _allowed(request, (Scope.ADMIN,))


def _allowed(request: Request, enough: tuple[Scope, ...]) -> Call:
    call: Call = request.state.call
    if not call.caller.may(*enough):
        raise NotAllowed(f"The key {call.by} may not do this: it needs the scope {' or '.join(enough)}.")
    return call


Reads = Annotated[Call, Security(_reading, scopes=[Scope.READ])]
ReadsSecrets = Annotated[Call, Security(_for_administrators, scopes=[Scope.ADMIN])]
"""What only looks, at something with which one could pass for us."""
Writes = Annotated[Call, allowed_to(Scope.WRITE)]
Supports = Annotated[Call, allowed_to(Scope.WRITE, Scope.SUPPORT)]
"""What backends and persons of support do alike."""
GivesBack = Annotated[Call, allowed_to(Scope.SUPPORT)]
"""What gives money back to a customer: within the key's limit."""
Administers = Annotated[Call, allowed_to(Scope.ADMIN)]


class ApiRoute(APIRoute):
    """A route of the API."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        carry_out = super().get_route_handler()

        async def answer(request: Request) -> Response:
            door = door_of(request)
            caller = await door.relance.api_keys.identify(_token(request))
            whole = _Whole(request.scope, request.receive)
            if request.method in _READS:
                _check_text(_path(request), dict(request.query_params))
                request.state.call = Call("", caller, door)
                return await carry_out(whole)
            asked = await _asked(whole, caller, self.name)
            return await _once(whole, caller, asked, carry_out)

        return answer


class _Whole(Request):
    """A request that is read whole, and never more of it than a call may be long."""

    @override
    async def stream(self) -> AsyncGenerator[bytes, None]:
        length = 0
        async for chunk in super().stream():
            length += len(chunk)
            if length > MOST_BYTES:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value, f"A request has at most {MOST_BYTES} bytes"
                )
            yield chunk


async def _once(
    request: Request,
    caller: Caller,
    asked: Asked,
    carry_out: Callable[[Request], Coroutine[Any, Any, Response]],
) -> Response:
    door = door_of(request)
    begun = await door.calls.begin(asked)
    if isinstance(begun, Answered):
        kind = "application/json" if begun.status < HTTPStatus.BAD_REQUEST else MEDIA_TYPE
        return Response(begun.answer, begun.status, REPLAYED, kind)
    request.state.call = Call(begun.call_id, caller, door)
    async with AsyncExitStack() as held:
        if asked.idempotency_key is not None:
            await held.enter_async_context(door.calls.held(begun.call_id))
        try:
            response = await carry_out(request)
        except EXPECTED as error:
            response = answer_to(error)
            not_begun = isinstance(error, RequestValidationError | StarletteHTTPException | NotAllowed)
        except Exception:
            await door.calls.finish(begun.call_id, status=HTTPStatus.INTERNAL_SERVER_ERROR.value)
            raise
        else:
            not_begun = False
    said = bytes(response.body).decode()
    status = response.status_code
    await door.calls.finish(
        begun.call_id,
        status=status,
        code=json.loads(said).get("code", "") if status >= HTTPStatus.BAD_REQUEST else "",
        answer=said if status < HTTPStatus.INTERNAL_SERVER_ERROR else None,
        free_key=not_begun,
    )
    return response


async def _asked(request: Request, caller: Caller, action: str) -> Asked:
    body = await request.body()
    content = _read(body)
    _check_text(_path(request), dict(request.query_params), content)
    query = sorted(request.query_params.multi_items())
    same = json.dumps([request.method, _path(request), query, content], sort_keys=True)
    return Asked(
        key_id=caller.key_id,
        by=caller.name,
        action=action,
        method=request.method,
        path=_path(request)[:_LONGEST_PATH],
        idempotency_key=_idempotency_key(request),
        fingerprint=hashlib.sha256(same.encode()).hexdigest(),
    )


def _path(request: Request) -> str:
    """As it was sent, decoded; an address made of it would lose what follows a question mark in a reference."""
    path: str = request.scope["path"]
    return path


def _token(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise KeyUnknown("An API key is missing. Send it as: Authorization: Bearer rlk_...")
    return token.strip()


def _idempotency_key(request: Request) -> str | None:
    """As sent; one that is out of shape is refused with the rest of the request, and nothing is kept under it."""
    key = request.headers.get("idempotency-key", "")
    is_one = 0 < len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key  # noqa: PLR2004
    return key if is_one else None


def _read(body: bytes) -> object:
    """The body as JSON; what is none is refused by whoever reads it for its meaning."""
    try:
        return json.loads(body) if body else None
    except (ValueError, RecursionError):
        raise InvalidInput("The body is no JSON. Send an object as the API document shows.") from None


def _check_text(*given: object) -> None:
    """Refuse characters that no name, reference or reason has, and that databases and mails choke on.

    Raises:
        InvalidInput: there is one.
    """
    waiting = list(given)
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, float) and value - value != 0:
            raise InvalidInput("A number is infinite or none at all. Send one that is finite.")
        elif isinstance(value, str) and not all(map(_is_text, value)):
            raise InvalidInput(
                "A text has a control character, a line break or half a character. Send it in one line."
            )


def _is_text(character: str) -> bool:
    return character >= " " and not "\x7f" <= character <= "\x9f" and not "\ud800" <= character <= "\udfff"
