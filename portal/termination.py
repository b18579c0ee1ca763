"""Ending a contract without a link: one page that anybody may open, and the same answer whoever asks."""

from __future__ import annotations

import logging
import re
import secrets
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from fastapi import BackgroundTasks, Request, Response

from activities.links import LinkExpired, LinkForged, LinkPurpose
from billing.errors import RelanceError
from mails.formats import Language
from portal.language import spoken_by_browser
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
    """The form: who, which mail address, and the contract if its reference is at hand."""
    return _page(request, {})


@router.post("/terminate")
async def ask(request: Request, background: BackgroundTasks) -> Response:
    """Look over what was filled in, then send it. What follows is done after the answer, so that it tells nothing."""
    door, fields = door_of(request), await form_fields(request)
    request_id = _read(door, fields.get("form", ""))
    wrong = _wrong(fields)
    if wrong or fields.get("step") != "send":
        return _page(request, fields, wrong=wrong, is_summary=not wrong)
    asked = TerminationAsked(
        name=fields["name"], email=fields["email"], contract=fields.get("contract", ""), request_id=request_id
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
    return "" if len(mail) <= _LONGEST and _MAIL.fullmatch(mail) else "email"


def _language(request: Request) -> Language:
    return spoken_by_browser(request.headers.get("accept-language", ""))


async def _sellers(door: Door) -> list[str]:
    return sorted({entity.sender for entity in await door.relance.list_entities()})
