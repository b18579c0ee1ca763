"""Somebody who signs up, and what they sent: every page and form of the sign-up begins here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from activities.links import LinkExpired, LinkForged, LinkPurpose
from billing.subscription import CustomerKind
from mails.formats import Language
from models.tables import LegalEntity, PaymentMethod, SignupSession
from portal.language import spoken_by_browser
from portal.pages import redirect, render
from portal.visiting import FormForged, form_fields
from starter.http.door import Door, door_of
from starter.signup_sessions import PAGE_LIFETIME, SignupState, state_of


@dataclass(frozen=True)
class Buyer:
    """Somebody who signs up, on a page.

    Attributes:
        door: what is behind it.
        row: their session.
        seller: from whom they buy.
        base: the address under which their pages are.
        browser: the language of their browser.
    """

    door: Door
    row: SignupSession
    seller: LegalEntity
    base: str
    browser: Language

    @property
    def language(self) -> Language:
        """In which they read."""
        return Language(self.row.language) if self.row.language is not None else self.browser

    @property
    def is_consumer(self) -> bool:
        """As far as they say."""
        return self.row.fields.get("kind") != CustomerKind.BUSINESS

    def check_open(self) -> None:
        """Refuse whoever comes too late.

        Raises:
            LinkExpired: there is nothing to order any more, and nothing was.
        """
        if state_of(self.row, datetime.now(UTC)) is SignupState.EXPIRED:
            raise LinkExpired("This session is over. Ask for a new link.", field="token")

    def now_with(self, row: SignupSession) -> Buyer:
        """The same, after their session was changed."""
        return replace(self, row=row)

    async def afresh(self) -> Buyer:
        """The same, as their session is now."""
        return self.now_with(await self.door.relance.signup_sessions.find(self.row.id))

    @property
    def method(self) -> PaymentMethod | None:
        """What they pay with, as far as it may be shown."""
        shown = self.row.method
        if not shown:
            return None
        return PaymentMethod(
            id="",
            customer_id="",
            provider_id=shown["id"],
            kind=shown["kind"],
            brand=shown["brand"] or "",
            last4=shown["last4"],
            created_at=self.row.created_at,
        )

    def form_token(self) -> str:
        """What a form carries: that it is ours and this session's, and the id of what it asks for."""
        subject = f"{self.row.id}-{secrets.token_hex(12)}"
        ends_at = self.row.expires_at + PAGE_LIFETIME
        return self.door.links.token(LinkPurpose.PORTAL_FORM, subject, ends_at)

    def show(self, template: str, *, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:  # noqa: ANN401
        """A page of theirs."""
        return render(
            self.door.settings,
            template,
            self.language,
            status=status,
            visit=self,
            base=self.base,
            row=self.row,
            seller=self.seller,
            has_logo=self.door.settings.portal_logo is not None,
            **values,
        )

    def go(self, page: str = "") -> Response:
        """On to another page of theirs."""
        return redirect(self.door.settings, f"{self.base}/{page}".rstrip("/"))


async def _buyer(request: Request, signup: str) -> Buyer:
    door = door_of(request)
    row = await door.relance.signup_sessions.visiting(signup)
    sellers = await door.relance.list_entities()
    seller = next(each for each in sellers if each.id == row.entity_id)
    browser = spoken_by_browser(request.headers.get("accept-language", ""))
    return Buyer(door, row, seller, f"/portal/signup/{signup}", browser)


Visiting = Annotated[Buyer, Depends(_buyer)]


@dataclass(frozen=True)
class SentForm:
    """A form that they sent.

    Attributes:
        buyer: who.
        fields: what they filled in.
        command_id: of what it asks for.
    """

    buyer: Buyer
    fields: dict[str, str]
    command_id: str


async def _sent(request: Request, buyer: Visiting) -> SentForm:
    fields = await form_fields(request)
    try:
        subject = buyer.door.links.read(
            fields.get("form", ""), LinkPurpose.PORTAL_FORM, now=datetime.now(UTC)
        )
    except (LinkForged, LinkExpired) as problem:
        raise FormForged("This form is not ours.", field="form") from problem
    if subject.rpartition("-")[0] != buyer.row.id:
        raise FormForged("This form is another session's.", field="form")
    return SentForm(buyer, fields, f"signup/{subject}")


Sent = Annotated[SentForm, Depends(_sent)]
