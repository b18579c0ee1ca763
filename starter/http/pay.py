"""The page behind the pay link of a mail: what is owed, and a button. Plain HTML, no script, nothing foreign.

The payer is there, so their bank may ask them to confirm (3-D Secure): they are led to its page and come back here.
What was charged without them and waits for their word is confirmed, not charged anew (stripe B4).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.service import RPCError

from activities.books.paying import Payable, Standing, is_answered, still_waits_for_payer, what_to_pay
from activities.books.rows import NotFound
from activities.hosted_setups import command_of
from activities.incoming import TemporalSignals
from activities.links import LinkExpired, LinkForged, LinkPurpose
from billing.errors import RelanceError
from billing.payment import Trigger
from models.boundary import Wish, WishAccepted
from starter.hosted_pages import origin_of_hosted_pages
from starter.http.door import Door, door_of
from starter.problems import CommandRefused
from starter.sending import send_command

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/pay", include_in_schema=False)

PAGES: Final = Path(__file__).parent / "pages"
PATIENCE: Final = timedelta(seconds=8)
"""For the collection to take the wish down."""
MOST_LOOKS: Final = 24
BETWEEN_LOOKS_SECONDS: Final = 0.25
"""Between looks at the books for the outcome of what was just asked."""
MOST_FORM_BYTES: Final = 1000
_NONCE = re.compile(r"[0-9a-f]{24}")
_LATER: Final = "later"
_NOT_SAVED: Final = "not_saved"
_ANNOUNCED: Final = "announced"
PORTAL_COOKIE: Final = "relance_portal"
"""Set by the portal when it leads here: the session to which the page leads back. It opens nothing for anybody else."""
_TO_BE_PAID: Final = (Standing.PAYABLE, Standing.TO_CONFIRM)
_MAY_TRY: Final = (*_TO_BE_PAID, Standing.DECLINED)


@router.get("/{token}")
async def show(
    request: Request, token: str, asked: str = "", redirect_status: str = "", back: str = ""
) -> Response:
    """What is owed on the invoice that the link names; where the bank waits for the payer, the way there and back."""
    door = door_of(request)
    try:
        payable = await _payable(door, token, asked_at=_instant(asked))
    except (LinkForged, NotFound):
        return _bad_link(request, HTTPStatus.NOT_FOUND)
    except LinkExpired:
        return _bad_link(request, HTTPStatus.GONE)
    if redirect_status:  # the bank sent them back, with secrets in the address
        await _hear_of_confirmation(door, payable.invoice_id)
        if (signing_up := await door.relance.signup_sessions.page_of(payable.invoice_id)) is not None:
            return RedirectResponse(signing_up, HTTPStatus.SEE_OTHER, headers=_HEADERS)
        return _to(token, asked=asked, back="1")
    bank_page = await _bank_page(door, payable)
    return _page(
        f"{payable.language.value}/pay.html",
        door,
        token=token,
        payable=payable,
        not_saved=asked == _NOT_SAVED,
        is_announced=asked == _ANNOUNCED,
        could_not_ask=asked == _LATER,
        is_outcome=_instant(asked) is not None,
        may_pay=payable.standing in _MAY_TRY,
        may_replace=payable.standing in (*_MAY_TRY, Standing.NO_METHOD),
        way_back=await _way_back(request, door, payable),
        bank_page=bank_page,
        goes_there=bank_page is not None and not back,
        command=secrets.token_hex(12),
    )


@router.post("/{token}")
async def pay(request: Request, token: str) -> Response:
    """Ask the invoice's owner to charge it; the outcome is shown by the page that follows."""
    door = door_of(request)
    now = datetime.now(UTC)
    try:
        payable = await _payable(door, token, asked_at=None)
    except (LinkForged, NotFound):
        return _bad_link(request, HTTPStatus.NOT_FOUND)
    except LinkExpired:
        return _bad_link(request, HTTPStatus.GONE)
    if payable.standing not in _TO_BE_PAID:
        return _to(token)
    return _to(token, asked=await _asked(door, payable, await _command_id(request), now))


async def charge_while_there(door: Door, invoice_id: str, *, command_id: str) -> str:
    """Ask that an invoice be charged while its payer is at a page of ours; the address that leads on from there.

    Raises:
        NotFound: there is no such invoice.
    """
    now = datetime.now(UTC)
    url = door.links.pay(invoice_id, now=now)
    payable = await _payable(door, url.rpartition("/")[2], asked_at=None)
    if payable.standing not in _TO_BE_PAID:
        return url
    return f"{url}?{urlencode({'asked': await _asked(door, payable, command_id, now)})}"


async def _asked(door: Door, payable: Payable, command_id: str, now: datetime) -> str:
    """Ask the owner of the invoice, and wait a little for the outcome. Since when, or `later` where it could not be."""
    if not await _ask(door, payable, command_id):
        return _LATER
    await wait_until_answered(door, command_id)
    return str(int(now.timestamp()))


@router.post("/{token}/method")
async def give_method(request: Request, token: str) -> Response:
    """On to the provider's page, for a card, or an account where the seller debits some. It is charged at once."""
    door = door_of(request)
    try:
        payable = await _payable(door, token, asked_at=None)
    except (LinkForged, NotFound):
        return _bad_link(request, HTTPStatus.NOT_FOUND)
    except LinkExpired:
        return _bad_link(request, HTTPStatus.GONE)
    if payable.standing not in (*_MAY_TRY, Standing.NO_METHOD):
        return _to(token)
    here = f"{door.settings.public_url}/pay/{token}"
    try:
        page = await door.relance.hosted_pages.begin(
            payable.customer_id,
            back_to=f"{here}/method?page={{CHECKOUT_SESSION_ID}}",
            given_up=here,
            language=payable.language.value,
            command_id=await _command_id(request),
        )
    except RelanceError as problem:
        logger.warning("The provider's page for %s could not be asked for: %s", payable.invoice_id, problem)
        return _to(token, asked=_LATER)
    return RedirectResponse(page, HTTPStatus.SEE_OTHER, headers=_HEADERS)


@router.get("/{token}/method")
async def take_method(request: Request, token: str, page: Annotated[str, Query(max_length=200)]) -> Response:
    """Back from there: the new method is the default, and charges whatever is open, this invoice with it."""
    door, now = door_of(request), datetime.now(UTC)
    try:
        payable = await _payable(door, token, asked_at=None)
        done = await door.relance.hosted_pages.add_what_came(payable.customer_id, page)
    except (LinkForged, NotFound):
        return _bad_link(request, HTTPStatus.NOT_FOUND)
    except LinkExpired:
        return _bad_link(request, HTTPStatus.GONE)
    except RelanceError as problem:
        logger.warning("What came of the provider's page was not taken: %s", problem)
        done = None
    if done is None:
        return _to(token, asked=_NOT_SAVED)
    if done.announced:
        return _to(token, asked=_ANNOUNCED)
    if payable.invoice_id not in done.charging:
        return _to(token)
    charge = f"{command_of(page)}/{payable.invoice_id}"
    await _wait_until(door, lambda session: is_answered(session, charge))
    return _to(token, asked=str(int(now.timestamp())))


async def _way_back(request: Request, door: Door, payable: Payable) -> str | None:
    """Where whoever came from the portal goes back to. A cookie of these pages knows it, since a bank keeps nothing."""
    token = request.cookies.get(PORTAL_COOKIE)
    if token is None:
        return None
    try:
        _, customer = await door.relance.portal_sessions.visiting(token)
    except (LinkForged, LinkExpired):
        return None
    return f"/portal/v/{token}/overview" if customer.id == payable.customer_id else None


def _to(token: str, **query: str) -> Response:
    said = f"?{urlencode(query)}" if query else ""
    return RedirectResponse(f"/pay/{token}{said}", HTTPStatus.SEE_OTHER, headers=_HEADERS)


async def wait_until_answered(door: Door, command_id: str) -> None:
    """Give the provider a moment to answer to the charge that a command asked for."""
    await _wait_until(door, lambda session: is_answered(session, command_id))


async def _wait_until(door: Door, holds: Callable[[AsyncSession], Awaitable[bool]]) -> None:
    """Give the worker a moment, so that the reader need not ask again; what takes longer is shown as under way."""
    for _ in range(MOST_LOOKS):
        async with door.database.read() as session:
            if await holds(session):
                return
        await asyncio.sleep(BETWEEN_LOOKS_SECONDS)


async def _bank_page(door: Door, payable: Payable) -> str | None:
    """Where the payer confirms the charge that they just asked for; None where it does not wait for them."""
    if payable.standing is not Standing.AT_BANK or payable.payment_intent is None:
        return None
    try:
        return await door.connections.gateway().where_to_confirm(payable.payment_intent)
    except RelanceError as problem:
        logger.warning("The bank's page for %s could not be asked for: %s", payable.invoice_id, problem)
        return None


async def _hear_of_confirmation(door: Door, invoice_id: str) -> None:
    """The payer was at their bank: the collection asks the provider what came of it. A hint, as a webhook is."""

    async def is_settled(session: AsyncSession) -> bool:
        return not await still_waits_for_payer(session, invoice_id)

    try:
        signals = TemporalSignals(await door.connections.temporal())
        if await signals.tell(f"collection/{invoice_id}", "payment_settled", {}):
            await _wait_until(door, is_settled)
    except (RelanceError, RPCError) as problem:
        logger.warning("That the payer of %s came back could not be told: %s", invoice_id, problem)


async def _payable(door: Door, token: str, *, asked_at: datetime | None) -> Payable:
    invoice_id = door.links.read(token, LinkPurpose.PAY, now=datetime.now(UTC))
    async with door.database.read() as session:
        return await what_to_pay(session, invoice_id, door.rules, asked_at=asked_at)


def _instant(asked: str) -> datetime | None:
    if not asked.isascii() or not asked.isdigit() or len(asked) > 11:  # noqa: PLR2004 - beyond the year 5000
        return None
    return datetime.fromtimestamp(int(asked), UTC)


async def _command_id(request: Request) -> str:
    """From the form, so that pressing twice is asking once."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_FORM_BYTES:
            break
    fields = parse_qs(bytes(body[:MOST_FORM_BYTES]).decode("ascii", "replace"))
    nonce = next(iter(fields.get("command", [])), "")
    return f"pay/{nonce if _NONCE.fullmatch(nonce) else secrets.token_hex(12)}"


async def _ask(door: Door, payable: Payable, command_id: str) -> bool:
    """Whether the collection took the wish down, or says that there is nothing left to ask."""
    wish = Wish(
        trigger=Trigger.CUSTOMER, command_id=command_id, as_of=payable.as_of, by="customer", present=True
    )
    try:
        await send_command(
            await door.connections.temporal(),
            f"collection/{payable.invoice_id}",
            "pay_now",
            wish,
            command_id=command_id,
            answer=WishAccepted,
            patience=PATIENCE.total_seconds(),
        )
    except CommandRefused as refusal:
        logger.info("Pay now on %s was refused: %s", payable.invoice_id, refusal)
    except (RelanceError, RPCError) as problem:
        logger.warning("Pay now on %s could not be asked: %s", payable.invoice_id, problem)
        return False
    return True


def _bad_link(request: Request, status: HTTPStatus) -> Response:
    """Nobody is known here, so the browser's language decides."""
    language = "fr" if request.headers.get("accept-language", "").lower().startswith("fr") else "en"
    return _page(
        f"{language}/bad_link.html", door_of(request), status=status, expired=status is HTTPStatus.GONE
    )


def _page(template: str, door: Door, *, status: HTTPStatus = HTTPStatus.OK, **values: Any) -> Response:  # noqa: ANN401
    style = f"{_STYLE}:root {{ --accent: {door.settings.portal_accent}; }}\n"
    has_logo = door.settings.portal_logo is not None
    html = _environment().get_template(template).render(style=style, has_logo=has_logo, **values)
    policy = (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'",
        "img-src 'self'",
        # A form may lead to the provider's page by a redirect: browsers look at that too.
        f"form-action 'self' {origin_of_hosted_pages(door.settings)}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
    return HTMLResponse(
        html, status.value, headers={**_HEADERS, "Content-Security-Policy": "; ".join(policy)}
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(PAGES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_STYLE: Final = (PAGES / "style.css").read_text(encoding="utf-8")
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "no-store",
}
