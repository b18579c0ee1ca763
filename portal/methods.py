"""Payment methods: what is charged, another one by the provider's hosted page, and taking one away."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from activities.books.methods import is_kept
from activities.books.rows import NotFound
from billing.errors import InvalidInput
from portal.visiting import Form, Visit, Visitor, page_router
from starter.problems import MethodRefused

router = page_router()


@router.get("/methods")
async def methods(visit: Visitor, said: str = "", charging: str = "") -> Response:
    """The payment methods that there are."""
    found = await visit.door.relance.list_methods(visit.customer.id)
    return visit.show(
        "methods.html",
        page="methods",
        said=said,
        charging=charging.isdigit() and int(charging) > 0,
        methods=sorted(filter(is_kept, found), key=lambda each: each.id != visit.customer.default_method_id),
    )


@router.post("/methods/add")
async def add(sent: Form) -> Response:
    """On to the provider's page, where card and bank data are typed in; they never come here."""
    visit = sent.visit
    public = visit.door.settings.public_url
    page = await visit.door.relance.hosted_pages.begin(
        visit.customer.id,
        back_to=f"{public}{visit.base}/methods/added?page={{CHECKOUT_SESSION_ID}}",
        given_up=f"{public}{visit.base}/methods?said=given_up",
        language=visit.language.value,
        command_id=sent.command_id,
    )
    return visit.lead_to(page)


@router.get("/methods/added")
async def added(visit: Visitor, page: Annotated[str, Query(max_length=200)]) -> Response:
    """Back from there: the new method is the default, and whatever is open is charged with it at once."""
    try:
        done = await visit.door.relance.hosted_pages.add_what_came(visit.customer.id, page)
    except (MethodRefused, InvalidInput):
        return visit.go("methods", said="not_saved")
    if done is None:
        return visit.go("methods", said="not_saved")
    return visit.go("methods", said="added", charging=str(len(done.charging)))


@router.post("/methods/{method}/default")
async def make_default(sent: Form, method: str) -> Response:
    """Charge this one from now on, and what is open with it."""
    await _check_own(sent.visit, method)
    done = await sent.visit.door.relance.methods.make_default(
        sent.visit.customer.id, method, command_id=sent.command_id
    )
    return sent.visit.go("methods", said="chosen", charging=str(len(done.charging)))


@router.post("/methods/{method}/remove")
async def remove(sent: Form, method: str) -> Response:
    """Take it away, unless it is needed now."""
    await _check_own(sent.visit, method)
    try:
        await sent.visit.door.relance.methods.remove(sent.visit.customer.id, method)
    except InvalidInput:
        return sent.visit.go("methods", said="needed")
    return sent.visit.go("methods", said="removed")


async def _check_own(visit: Visit, method: str) -> None:
    found = await visit.door.relance.list_methods(visit.customer.id)
    if method not in {each.id for each in found if is_kept(each)}:
        raise NotFound(f"There is no payment method {method}.", field="payment_method")
