"""Another payment method by the link in a mail: saved on the provider's page, and charged at once with what is open.

The link does that for the customer of its invoice and nothing else; no method that there is is shown beside the one
that is charged.
"""

from __future__ import annotations

import logging
import secrets
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from activities.books.paying import is_answered
from activities.books.rows import NotFound, get
from activities.links import LinkExpired, LinkForged
from billing.errors import InvalidInput, RelanceError
from models.tables import Invoice
from starter.http.door import Door, door_of
from starter.http.pay import LATER, REPLACEABLE, payable_of, wait_until
from starter.http.pay_pages import bad_link, lead_to, to_invoice
from starter.problems import MethodRefused

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/pay", include_in_schema=False)

_FOREIGN = ("cross-site", "same-site")


@router.post("/{token}/method")
async def replace(request: Request, token: str) -> Response:
    """On to the provider's page, where card and bank data are typed in; they never come here."""
    door = door_of(request)
    try:
        payable = await payable_of(door, token)
        customer = await _customer(door, payable.invoice_id)
    except (LinkForged, NotFound):
        return bad_link(request, HTTPStatus.NOT_FOUND)
    except LinkExpired:
        return bad_link(request, HTTPStatus.GONE)
    if payable.standing not in REPLACEABLE or request.headers.get("sec-fetch-site") in _FOREIGN:
        return to_invoice(door.settings, token)
    public = f"{door.settings.public_url}/pay/{token}"
    try:
        page = await door.relance.hosted_pages.begin(
            customer,
            back_to=f"{public}/method?page={{CHECKOUT_SESSION_ID}}",
            given_up=public,
            language=payable.language.value,
            command_id=f"pay/{secrets.token_hex(12)}",
        )
    except RelanceError as problem:
        return _later(door, token, problem)
    return lead_to(door.settings, page)


@router.get("/{token}/method")
async def replaced(
    request: Request, token: str, page: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Back from there: the new method is the default, and what is open is charged with it."""
    door, now = door_of(request), datetime.now(UTC)
    try:
        payable = await payable_of(door, token)
        done = await door.relance.hosted_pages.add_what_came(await _customer(door, payable.invoice_id), page)
    except (LinkForged, NotFound):
        return bad_link(request, HTTPStatus.NOT_FOUND)
    except LinkExpired:
        return bad_link(request, HTTPStatus.GONE)
    except (MethodRefused, InvalidInput):
        done = None
    except RelanceError as problem:
        return _later(door, token, problem)
    if done is None or payable.invoice_id not in done.charging:
        return to_invoice(door.settings, token)
    command = f"page/{page}/{payable.invoice_id}"
    await wait_until(door, partial(is_answered, command_id=command))
    return to_invoice(door.settings, token, asked=str(int(now.timestamp())))


def _later(door: Door, token: str, problem: RelanceError) -> Response:
    logger.warning("Another payment method could not be taken by a pay link: %s", problem)
    return to_invoice(door.settings, token, asked=LATER)


async def _customer(door: Door, invoice_id: str) -> str:
    async with door.database.read() as session:
        return (await get(session, Invoice, invoice_id, field="invoice")).customer_id
