"""The HTTP application: each request through key, limit, validation, idempotency, work and answer, in order."""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from stripe import api_version

from sandbox.serving import cut_connection
from sandbox.stripe import forms, parameters
from sandbox.stripe.control import Control
from sandbox.stripe.errors import ApiError, Document
from sandbox.stripe.faults import Fault, Faults, RateLimit, broken
from sandbox.stripe.idempotency import Keys, fingerprint
from sandbox.stripe.listing import expand
from sandbox.stripe.operations import OPERATIONS, Operation
from sandbox.stripe.store import new_id
from sandbox.stripe.timekeeper import Timekeeper
from sandbox.stripe.world import Call, World

_log = logging.getLogger(__name__)
_READABLE = ("sk_test_", "rk_test_")


@dataclass
class Answer:
    """An answer before it is sent, or closed away."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    lost: bool = False


class Gateway:
    """Answers `/v1`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()
        self.limit = RateLimit(world.options.rate_limit)
        self.keys = Keys()

    def endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        """The ASGI endpoint of one operation."""

        async def answer(request: Request) -> Response:
            request_id = new_id("req", 14)
            try:
                found = await self._answer(operation, request, request_id)
            except ApiError as error:
                found = Answer(error.status, json.dumps(error.body), error.headers)
            if found.lost:
                cut_connection(request.scope)
            headers = {"Request-Id": request_id, "Stripe-Version": api_version, **found.headers}
            return Response(found.body, found.status, headers, media_type="application/json")

        return answer

    async def _answer(self, operation: Operation, request: Request, request_id: str) -> Answer:
        books = self.world.store.books(account_of(request))
        self.limit.check(books.account, f"{operation.method} {operation.path}")
        encoded = (await request.body()).decode() if operation.method == "POST" else request.url.query
        fault = self.faults.take(operation.method, request.url.path)
        if fault and fault.status and not fault.after_work and not fault.kept:
            await asyncio.sleep(fault.delay_seconds)
            raise broken(fault.status)
        params = parameters.read(operation.params, forms.decode(encoded))
        operation.check(params)
        key = request.headers.get("Idempotency-Key") if operation.method == "POST" else None
        call = Call(self.world, books, request_id, key, str(request.base_url).rstrip("/"))
        ids = list(request.path_params.values())
        work = _Work(operation, ids, params, fault)
        if key is None:
            found = await self._once(work, call)
        else:
            found = await self._keyed(work, call, key, request.url.path, fingerprint(encoded))
        self.world.store.flush()  # the work and its key in one transaction
        if fault and fault.after_work:
            await asyncio.sleep(fault.delay_seconds)
            if fault.status and not fault.kept:
                raise broken(fault.status)
        found.lost = found.lost or bool(fault and fault.drop_response)
        return found

    async def _keyed(self, work: "_Work", call: Call, key: str, path: str, print_: str) -> Answer:
        kept = self.keys.begin(call.books, key, path, print_, self.world.wall())
        echoed = {"Idempotency-Key": key}
        if kept is not None:
            replay = {"Idempotent-Replayed": "true", "Original-Request": kept["request_id"], **echoed}
            return Answer(kept["status"], kept["body"], replay)
        try:
            found = await self._once(work, call)
        except BaseException:
            self.keys.release(call.books, key)
            raise
        record = {
            "path": path,
            "print": print_,
            "created": self.world.wall(),
            "status": found.status,
            "body": found.body,
            "request_id": call.request_id,
        }
        self.keys.keep(call.books, key, record)
        found.headers.update(echoed, **{"Original-Request": call.request_id or ""})
        return found

    async def _once(self, work: "_Work", call: Call) -> Answer:
        """Do the work; a refusal that is kept is an answer, any other passes through."""
        if work.fault and not work.fault.after_work:
            await asyncio.sleep(work.fault.delay_seconds)
        try:
            status, body = 200, work.run(call)
        except ApiError as error:
            if not error.kept:
                raise
            status, body = error.status, error.body
        except Exception:  # noqa: BLE001 - a bug here must look like Stripe's own 500
            _log.exception("The fake failed on %s %s", work.operation.method, work.operation.path)
            status, body = 500, broken(500).body
        return Answer(status, json.dumps(body), lost=call.answer_lost)


@dataclass
class _Work:
    operation: Operation
    ids: list[str]
    params: Document
    fault: Fault | None

    def run(self, call: Call) -> Document:
        if self.fault and self.fault.kept and self.fault.status:
            raise broken(self.fault.status)
        params = {name: value for name, value in self.params.items() if name != "expand"}
        body = self.operation.run(call, self.ids, params)
        return expand(call.books, body, self.params.get("expand", []))


def account_of(request: Request) -> str:
    """The account that a secret key opens; every test key is one of its own.

    Raises:
        ApiError: no key, a live key, or no secret test key.
    """
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            credentials = base64.b64decode(credentials).decode().partition(":")[0]
    if not credentials:
        raise _unauthorised("You did not provide an API key. Send it as a bearer token.")
    if credentials.startswith(("sk_live_", "rk_live_")):
        raise _unauthorised("This is a sandbox and takes no live keys. Use one that begins with sk_test_.")
    if not credentials.startswith(_READABLE):
        raise _unauthorised(f"Invalid API Key provided: {credentials[:8]}***. It must begin with sk_test_.")
    return f"acct_{hashlib.sha256(credentials.encode()).hexdigest()[:16]}"


def build(world: World) -> Starlette:
    """The whole application."""
    gateway = Gateway(world)
    control = Control(world, gateway.faults)

    @contextlib.asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        timekeeper = Timekeeper(world)
        control.timekeeper = timekeeper
        running = asyncio.create_task(timekeeper.run())
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await timekeeper.close()
            world.store.close()

    routes = [
        Route(f"/v1/{operation.path}", gateway.endpoint(operation), methods=[operation.method])
        for operation in OPERATIONS
    ]
    unknown = Route("/{path:path}", _unrecognised, methods=["GET", "POST", "DELETE", "PUT", "PATCH"])
    return Starlette(routes=[*routes, *control.routes(), unknown], lifespan=life)


async def _unrecognised(request: Request) -> Response:
    message = (
        f"Unrecognized request URL ({request.method}: {request.url.path}). The sandbox has no such thing."
    )
    error = ApiError(404, "invalid_request_error", message)
    return JSONResponse(error.body, 404)


def _unauthorised(message: str) -> ApiError:
    return ApiError(401, "invalid_request_error", message, kept=False)
