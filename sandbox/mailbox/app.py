"""The mailbox's doors: SendGrid's API for mailers, JSON for programs, pages for people."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.mailbox import pages
from sandbox.mailbox.checks import MAX_REQUEST_BYTES, Fault, faults_of
from sandbox.mailbox.letters import Letters, letters_from
from sandbox.mailbox.mischief import Faults, Mischief
from sandbox.mailbox.news import Bounce, News
from sandbox.serving import cut_connection

_UNAUTHORISED: Final = Fault("The provided authorization grant is invalid, expired, or revoked")


def create_app(file: Path | None = None, *, news: News | None = None) -> Starlette:
    """The mailbox.

    Args:
        file: where letters are kept across restarts; in memory only if None.
        news: tells a webhook what became of each; nobody is told if None.
    """
    app = Starlette(
        routes=[
            Route("/v3/mail/send", send, methods=["POST"]),
            Route("/api/messages", list_letters, methods=["GET"]),
            Route("/api/messages", clear_letters, methods=["DELETE"]),
            Route("/api/messages/{letter_id}", show_letter, methods=["GET"]),
            Route("/api/messages/{letter_id}/attachments/{index:int}", attachment, methods=["GET"]),
            Route("/_fake/faults", add_fault, methods=["POST"]),
            Route("/_fake/faults", list_faults, methods=["GET"]),
            Route("/_fake/faults", clear_faults, methods=["DELETE"]),
            Route("/_fake/bounces", let_bounce, methods=["POST"]),
            Route("/healthz", health, methods=["GET"]),
            *pages.routes,
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])],
    )
    app.state.letters = Letters(file)
    app.state.faults = Faults()
    app.state.news = news or News(None, None)
    return app


async def send(request: Request) -> Response:
    """`POST /v3/mail/send` as SendGrid has it: 202 and an `X-Message-Id`, or its list of errors."""
    faults: Faults = request.app.state.faults
    mischief = faults.take()
    if mischief is not None and mischief.delay_seconds:
        await asyncio.sleep(mischief.delay_seconds)
    if mischief is not None and mischief.status is not None:
        return _refused(mischief.status, [Fault("a fault that was asked for")])
    answer = await _take(request)
    if mischief is not None and mischief.drop_response:
        cut_connection(request.scope)
    return answer


async def _take(request: Request) -> Response:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.startswith("SG."):
        return _refused(401, [_UNAUTHORISED])
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return _refused(415, [Fault("Content-Type should be application/json.")])
    raw = await request.body()
    if len(raw) > MAX_REQUEST_BYTES:
        return _refused(413, [Fault("The total size of the email must not exceed 30 megabytes.")])
    try:
        body = json.loads(raw)
    except ValueError:
        return _refused(400, [Fault("Bad Request")])
    wrong = faults_of(body)
    if wrong:
        return _refused(400, wrong)
    message_id = secrets.token_urlsafe(16)
    letters: Letters = request.app.state.letters
    taken = letters_from(body, message_id=message_id, accepted_at=datetime.now(UTC))
    letters.keep(taken)
    news: News = request.app.state.news
    news.tell(taken)
    return Response(status_code=202, headers={"X-Message-Id": message_id})


def _refused(status: int, wrong: list[Fault]) -> JSONResponse:
    return JSONResponse({"errors": [fault.as_dict() for fault in wrong]}, status_code=status)


async def list_letters(request: Request) -> JSONResponse:
    """`GET /api/messages?to=&kind=`: letters, oldest first."""
    letters: Letters = request.app.state.letters
    found = letters.find(to=request.query_params.get("to", ""), kind=request.query_params.get("kind", ""))
    return JSONResponse({"messages": [letter.summary() for letter in found]})


async def clear_letters(request: Request) -> JSONResponse:
    """`DELETE /api/messages`: throws all away."""
    letters: Letters = request.app.state.letters
    return JSONResponse({"deleted": letters.clear()})


async def show_letter(request: Request) -> JSONResponse:
    """`GET /api/messages/{id}`: one letter."""
    letters: Letters = request.app.state.letters
    letter = letters.get(request.path_params["letter_id"])
    if letter is None:
        return JSONResponse({"error": "no such message"}, status_code=404)
    return JSONResponse(letter.summary())


async def attachment(request: Request) -> Response:
    """`GET /api/messages/{id}/attachments/{index}`: the file, always as a download."""
    letters: Letters = request.app.state.letters
    letter = letters.get(request.path_params["letter_id"])
    index: int = request.path_params["index"]
    if letter is None or index >= len(letter.attachments):
        return JSONResponse({"error": "no such attachment"}, status_code=404)
    file = letter.attachments[index]
    return pages.download(file.body, filename=file.filename)


async def add_fault(request: Request) -> JSONResponse:
    """`POST /_fake/faults`: what the next requests to send meet."""
    try:
        mischief = Mischief.model_validate_json(await request.body())
    except ValidationError as problem:
        said = "; ".join(
            f"{'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}" for error in problem.errors()
        )
        return JSONResponse({"error": said}, status_code=400)
    faults: Faults = request.app.state.faults
    faults.add(mischief)
    return await list_faults(request)


async def let_bounce(request: Request) -> JSONResponse:
    """`POST /_fake/bounces`: what becomes of mails to an address from now on."""
    try:
        bounce = Bounce.model_validate_json(await request.body())
    except ValidationError as problem:
        return JSONResponse({"error": problem.errors()[0]["msg"]}, status_code=400)
    news: News = request.app.state.news
    news.let_bounce(bounce)
    return JSONResponse(bounce.model_dump())


async def list_faults(request: Request) -> JSONResponse:
    """`GET /_fake/faults`: the faults to come."""
    faults: Faults = request.app.state.faults
    return JSONResponse({"faults": [mischief.model_dump() for mischief in faults.coming()]})


async def clear_faults(request: Request) -> JSONResponse:
    """`DELETE /_fake/faults`: no more faults."""
    faults: Faults = request.app.state.faults
    faults.clear()
    return await list_faults(request)


async def health(request: Request) -> JSONResponse:
    """`GET /healthz`: ready, and how many letters there are."""
    letters: Letters = request.app.state.letters
    return JSONResponse({"status": "ok", "messages": len(letters)})
