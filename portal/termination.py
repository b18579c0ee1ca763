"""Ending a contract without a link: one page that anybody may open, and the same answer whoever asks."""

from __future__ import annotations

import logging
import math
import re
import secrets
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Final

from fastapi import BackgroundTasks, Request, Response

from activities.links import LinkExpired, LinkForged, LinkPurpose
from billing.errors import RelanceError
from mails.formats import Language
from portal.language import spoken_by_browser
from portal.limiting import Limiter
from portal.pages import render
from portal.visiting import FormForged, form_fields, page_router
from starter.http.door import Door, door_of
from starter.terminations import TerminationAsked

logger = logging.getLogger(__name__)
router = page_router("/portal")

FORM_LIFETIME: Final = timedelta(hours=2)
_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LONGEST: Final = 254


@router.get("/terminate")
async def form(request: Request) -> Response:
    """The form: who, which mail address, the contract if its reference is at hand, and a later day if one is wished."""
    return _page(request, {})


@router.post("/terminate")
async def ask(request: Request, background: BackgroundTasks) -> Response:
    """Look over what was filled in, then send it. What follows is done after the answer, so that it tells nothing."""
    door, fields = door_of(request), await form_fields(request)
    request_id = _read(door, fields.get("form", ""))
    wrong = _wrong(fields)
    step = fields.get("step")
    if wrong or step != "send":
        return _page(request, fields, wrong=wrong, is_summary=not wrong and step != "correct")
    limiter: Limiter = request.app.state.limiter
    if seconds := limiter.seconds_to_wait(request):
        return await _wait(request, fields, seconds)
    asked = TerminationAsked(
        name=fields["name"],
        email=fields["email"],
        contract=fields.get("contract", ""),
        on=_day(fields),
        request_id=request_id,
    )
    background.add_task(_carry_out, door, asked)
    return render(
        door.settings,
        "terminated.html",
        _language(request),
        at=datetime.now(UTC),
        sellers=await _sellers(door),
    )


async def _carry_out(door: Door, asked: TerminationAsked) -> None:
    try:
        number = await door.relance.terminations.ask(asked)
    except RelanceError as problem:
        logger.warning("What was asked for without signing in could not be done: %s", problem)
    else:
        logger.info("Asked for without signing in: %d contracts end", number)


async def _wait(request: Request, fields: dict[str, str], seconds: int) -> Response:
    """Too many were sent. What was filled in is on the page, to be sent again."""
    door = door_of(request)
    response = render(
        door.settings,
        "wait.html",
        _language(request),
        status=HTTPStatus.TOO_MANY_REQUESTS,
        fields=fields,
        minutes=math.ceil(seconds / 60),
        sellers=await _sellers(door),
    )
    response.headers["Retry-After"] = str(seconds)
    return response


def _page(request: Request, fields: dict[str, str], *, wrong: str = "", is_summary: bool = False) -> Response:
    door = door_of(request)
    subject = f"terminate-{secrets.token_hex(12)}"
    token = door.links.token(LinkPurpose.PORTAL_FORM, subject, datetime.now(UTC) + FORM_LIFETIME)
    return render(
        door.settings,
        "terminate.html",
        _language(request),
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        fields=fields,
        wrong=wrong,
        is_summary=is_summary,
        wished=None if wrong else _day(fields),
        token=token,
    )


def _read(door: Door, token: str) -> str:
    try:
        subject = door.links.read(token, LinkPurpose.PORTAL_FORM, now=datetime.now(UTC))
    except (LinkForged, LinkExpired) as problem:
        raise FormForged("This form is not ours.", field="form") from problem
    if not subject.startswith("terminate-"):
        raise FormForged("This form is another page's.", field="form")
    return subject


def _wrong(fields: dict[str, str]) -> str:
    if not fields.get("name") or len(fields["name"]) > _LONGEST:
        return "name"
    mail = fields.get("email", "")
    if len(mail) > _LONGEST or not _MAIL.fullmatch(mail):
        return "email"
    return "on" if _is_wrong_day(fields) else ""


def _is_wrong_day(fields: dict[str, str]) -> bool:
    """Whether the day cannot be read, or is over everywhere on earth."""
    try:
        day = _day(fields)
    except ValueError:
        return True
    return day is not None and day < (datetime.now(UTC) - timedelta(hours=12)).date()


def _day(fields: dict[str, str]) -> date | None:
    """The day that is wished, if any.

    Raises:
        ValueError: it is none.
    """
    written = fields.get("on", "")
    return date.fromisoformat(written) if written else None


def _language(request: Request) -> Language:
    return spoken_by_browser(request.headers.get("accept-language", ""))


async def _sellers(door: Door) -> list[str]:
    return sorted({entity.sender for entity in await door.relance.list_entities()})
