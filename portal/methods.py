"""Payment methods: what is charged, another one by the provider's hosted page, and taking one away."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query, Response

from activities.books.methods import is_kept
from activities.books.rows import NotFound
from billing.errors import InvalidInput
from billing.policy_choice import MethodKind
from models.tables import PaymentMethod
from portal.visiting import CUSTOMER, Form, Visit, Visitor, page_router
from starter.payment_methods import MethodSet
from starter.problems import MethodRefused

router = page_router()

BACKUP_TEXT: Final = "2026-11"
"""Version of the words in `backup.html`, kept with each agreement. Other words need another version."""


@router.get("/methods")
async def methods(visit: Visitor, said: str = "", charging: str = "", announced: str = "") -> Response:
    """The payment methods that there are."""
    found = await _kept(visit)
    return visit.show(
        "methods.html",
        page="methods",
        said=said,
        charging=bool(charging.strip("0")),
        announced=announced == "1",
        methods=sorted(found, key=lambda each: _place(visit, each)),
        may_stand_in={each.id for each in found if _may_stand_in(visit, each)},
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
    return _as_saved(visit, "added", done)


@router.post("/methods/{method}/default")
async def make_default(sent: Form, method: str) -> Response:
    """Charge this one from now on, and what is open with it."""
    await _check_own(sent.visit, method)
    done = await sent.visit.door.relance.methods.make_default(
        sent.visit.customer.id, method, command_id=sent.command_id
    )
    return _as_saved(sent.visit, "chosen", done)


@router.post("/methods/{method}/remove")
async def remove(sent: Form, method: str) -> Response:
    """Take it away, unless it is needed now."""
    await _check_own(sent.visit, method)
    try:
        await sent.visit.door.relance.methods.remove(sent.visit.customer.id, method)
    except InvalidInput:
        return sent.visit.go("methods", said="needed")
    return sent.visit.go("methods", said="removed")


@router.get("/methods/{method}/backup")
async def before_backup(visit: Visitor, method: str) -> Response:
    """What a customer agrees to who lets a card stand in for the one that is charged."""
    methods = {each.id: each for each in await _kept(visit)}
    if method not in methods or not _may_stand_in(visit, methods[method]):
        raise NotFound(f"There is no card {method} that could stand in.", field="payment_method")
    return visit.show(
        "backup.html",
        page="methods",
        backup=methods[method],
        default=methods.get(visit.customer.default_method_id or ""),
    )


@router.post("/methods/{method}/backup")
async def make_backup(sent: Form, method: str) -> Response:
    """They agree; the version of the words is kept with it."""
    await _check_own(sent.visit, method)
    await sent.visit.door.relance.methods.make_backup(
        sent.visit.customer.id, method, agreed=True, by=f"{CUSTOMER}, portal text {BACKUP_TEXT}"
    )
    return sent.visit.go("methods", said="backup")


@router.post("/methods/no-backup")
async def drop_backup(sent: Form) -> Response:
    """Nothing stands in any more."""
    await sent.visit.door.relance.methods.drop_backup(sent.visit.customer.id)
    return sent.visit.go("methods", said="no_backup")


def _may_stand_in(visit: Visit, method: PaymentMethod) -> bool:
    """A card beside the one that is charged; a debit is announced days before."""
    default, backup = visit.customer.default_method_id, visit.customer.backup_method_id
    return default is not None and method.kind == MethodKind.CARD.value and method.id not in (default, backup)


def _place(visit: Visit, method: PaymentMethod) -> int:
    """The one that is charged first, then the one that stands in."""
    roles = [visit.customer.default_method_id, visit.customer.backup_method_id]
    return roles.index(method.id) if method.id in roles else len(roles)


def _as_saved(visit: Visit, said: str, done: MethodSet) -> Response:
    return visit.go(
        "methods", said=said, charging=str(len(done.charging)), announced="1" if done.announced else "0"
    )


async def _kept(visit: Visit) -> list[PaymentMethod]:
    return [each for each in await visit.door.relance.list_methods(visit.customer.id) if is_kept(each)]


async def _check_own(visit: Visit, method: str) -> None:
    if method not in {each.id for each in await _kept(visit)}:
        raise NotFound(f"There is no payment method {method}.", field="payment_method")
