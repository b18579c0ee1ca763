"""Who is there, and what they sent: every page and form of the portal begins here.

The session's token is part of each page's address, and no cookie is set. So the portal works inside an iframe of
another site, where browsers keep no cookies any more, and a foreign page cannot make a browser act for its owner: it
would have to know the address. That address is not given on: no referrer is sent, nothing is kept by caches, nothing on
a page comes from elsewhere; it is good for two hours and can be revoked.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from typing_extensions import override

from activities.books.rows import NotFound
from activities.links import LinkExpired, LinkForged, LinkPurpose
from billing.errors import InvalidInput, RelanceError
from billing.refusal import Refused
from mails.formats import Language
from models.tables import Customer, LegalEntity, PortalSession
from portal.language import spoken_by_browser
from portal.pages import redirect, render
from starter.http.door import Door, door_of
from starter.problems import CommandRefused

logger = logging.getLogger(__name__)

CUSTOMER: Final = "customer"
"""With what the books sign whatever is asked for here."""
MOST_FORM_BYTES: Final = 20_000
MOST_FIELDS: Final = 60


class FormForged(RelanceError):
    """A form was not made by us for this session, or is too old."""


@dataclass(frozen=True)
class Visit:
    """A customer on a page.

    Attributes:
        door: what is behind it.
        session: under which they are here.
        customer: who they are.
        seller: whose customer they are.
        base: the address under which their pages are.
    """

    door: Door
    session: PortalSession
    customer: Customer
    seller: LegalEntity
    base: str

    @property
    def language(self) -> Language:
        """In which they read."""
        return Language.of(self.customer.locale)

    @property
    def token(self) -> str:
        """That of their pages' addresses."""
        return self.base.rpartition("/")[2]

    def form_token(self) -> str:
        """What a form carries: that it is ours and this session's, and the id of what it asks for."""
        subject = f"{self.session.id}-{secrets.token_hex(12)}"
        return self.door.links.token(LinkPurpose.PORTAL_FORM, subject, self.session.ends_at)

    def show(self, template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:  # noqa: ANN401
        """A page of theirs."""
        return render(
            self.door.settings,
            template,
            self.language,
            status=status,
            visit=self,
            base=self.base,
            seller=self.seller,
            customer=self.customer,
            has_logo=self.door.settings.portal_logo is not None,
            **values,
        )

    def lead_to(self, elsewhere: str) -> Response:
        """On to a page of the payment provider."""
        return redirect(self.door.settings, elsewhere)

    def go(self, page: str, **said: str) -> Response:
        """On to another page of theirs, which says what was done."""
        query = f"?{urlencode(said)}" if said else ""
        return redirect(self.door.settings, f"{self.base}/{page}{query}")


@dataclass(frozen=True)
class Sent:
    """A form that a customer sent.

    Attributes:
        visit: who sent it.
        fields: what they filled in, each without spaces around it.
        command_id: of what it asks for: sent twice, it is done once.
    """

    visit: Visit
    fields: dict[str, str]
    command_id: str

    def said(self, name: str) -> str:
        """A field, empty where it is missing."""
        return self.fields.get(name, "")


async def _visit(request: Request, token: str) -> Visit:
    door = door_of(request)
    session, customer = await door.relance.portal_sessions.visiting(token)
    sellers = await door.relance.list_entities()
    seller = next(each for each in sellers if each.id == customer.entity_id)
    return Visit(door, session, customer, seller, f"/portal/v/{token}")


Visitor = Annotated[Visit, Depends(_visit)]


async def _sent(request: Request, visit: Visitor) -> Sent:
    fields = await form_fields(request)
    links = visit.door.links
    try:
        subject = links.read(fields.get("form", ""), LinkPurpose.PORTAL_FORM, now=datetime.now(UTC))
    except (LinkForged, LinkExpired) as problem:
        raise FormForged("This form is not ours.", field="form") from problem
    if subject.rpartition("-")[0] != visit.session.id:
        raise FormForged("This form is another session's.", field="form")
    return Sent(visit, fields, f"portal/{subject}")


Form = Annotated[Sent, Depends(_sent)]


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of a form, of the first size that makes sense.

    Raises:
        FormForged: it comes from another site, or is longer than any of ours.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise FormForged("This form was sent by another site.", field="form")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM_BYTES:
            raise FormForged("This form is too long.", field="form")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as problem:
        raise FormForged("This form cannot be read.", field="form") from problem
    # A line break has no place in any of our fields, and what cannot be printed in none.
    return {name: "".join(c for c in value if c.isprintable()).strip() for name, value in pairs}


class PageRoute(APIRoute):
    """A page: what goes wrong is said as a page too, in the reader's language."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await answer(request)
            except (RelanceError, RequestValidationError) as problem:
                return await _as_page(request, problem)

        return page


def page_router(prefix: str = "/portal/v/{token}") -> APIRouter:
    """A router of the portal's pages."""
    return APIRouter(prefix=prefix, route_class=PageRoute, include_in_schema=False)


async def _as_page(request: Request, problem: RelanceError | RequestValidationError) -> Response:
    status, kind = _seen_as(problem)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s", problem)
    settings = door_of(request).settings
    language = spoken_by_browser(request.headers.get("accept-language", ""))
    base = None
    if kind not in {"bad_link", "over"} and "token" in request.path_params:
        visit = await _visit(request, request.path_params["token"])
        language, base = visit.language, visit.base
    return render(settings, "problem.html", language, status=status, kind=kind, base=base)


def _seen_as(problem: RelanceError | RequestValidationError) -> tuple[HTTPStatus, str]:
    match problem:
        case LinkForged():
            return HTTPStatus.NOT_FOUND, "bad_link"
        case LinkExpired():
            return HTTPStatus.GONE, "over"
        case FormForged():
            return HTTPStatus.FORBIDDEN, "form"
        case NotFound() | RequestValidationError():
            return HTTPStatus.NOT_FOUND, "not_found"
        case InvalidInput() | Refused() | CommandRefused():
            return HTTPStatus.CONFLICT, "refused"
        case _:
            return HTTPStatus.SERVICE_UNAVAILABLE, "later"
