"""Leaving and coming back: cancel in three clicks, take it back, pause, resume, and withdraw within the legal time."""

from __future__ import annotations

from datetime import date, datetime
from http import HTTPStatus

from fastapi import Response

from activities.books.rows import NotFound
from billing.commands import Cancel, CreditTo, KeepSubscription, Pause, Resume, When, Withdraw
from billing.errors import InvalidInput
from billing.leaving import ends_on
from billing.refusal import Refused
from billing.subscription import Status
from billing.withdrawal import refund_by
from models.ids import new_id
from models.tables import SubscriptionRow
from portal.changing import carry_out, own
from portal.overview import offer_of
from portal.visiting import CUSTOMER, Form, Sent, Visit, Visitor, page_router

router = page_router()

MOST_REASON = 200


@router.get("/subscriptions/{subscription}/cancel")
async def before_cancel(visit: Visitor, subscription: str, on: str = "") -> Response:
    """What a cancel does, and the button that does it. Nothing stands between; a later date may be chosen."""
    row = await own(visit, subscription)
    wrong = ""
    if on:
        try:
            preview = await visit.door.relance.preview(row.id, _with_period(on))
        except InvalidInput:
            on, wrong = "", "day"
        except Refused:
            on, wrong = "", "later"
    if not on:
        preview = await visit.door.relance.preview(row.id, _with_period())
    coming = preview.next_invoice
    is_fee = coming is not None and coming.on == preview.ends_on
    fee = coming.total_minor if coming is not None and is_fee else 0
    leaves_freely = row.state.free_exit and row.state.status in (Status.ACTIVE, Status.PAST_DUE)
    return visit.show(
        "cancel.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        page="overview",
        row=row,
        sub=row.state,
        on=on,
        wrong=wrong,
        today=preview.on,
        ends=preview.ends_on,
        coming=None if is_fee else coming,
        is_at_once=preview.status is Status.CANCELED,
        fee=fee,
        free=await visit.door.relance.preview(row.id, _at_once()) if leaves_freely and not on else None,
    )


def _with_period(on: str = "", *, command_id: str = "") -> Cancel:
    """A cancel with the period that runs, or with the one that a date falls into.

    Raises:
        InvalidInput: that is no date; field `on`.
    """
    return Cancel(command_id=command_id or new_id("cmd"), by=CUSTOMER, on=_day(on) if on else None)


def _at_once(*, command_id: str = "") -> Cancel:
    return Cancel(
        command_id=command_id or new_id("cmd"), by=CUSTOMER, when=When.NOW, credit_to=CreditTo.REFUND
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise InvalidInput(f"{text!r} is no date. Write it as 2027-05-10.", field="on") from problem


@router.post("/subscriptions/{subscription}/cancel")
async def cancel(sent: Form, subscription: str) -> Response:
    """End it: with its period, with a later one, or at once where the customer leaves freely (rules 30).

    The receipt is the answer.
    """
    row = await own(sent.visit, subscription)
    is_now = sent.said("when") == When.NOW and row.state.free_exit
    command_id = sent.command_id
    leaves = (
        _at_once(command_id=command_id) if is_now else _with_period(sent.said("on"), command_id=command_id)
    )
    await carry_out(sent.visit, row, leaves)
    return await _receipt(sent, row, "canceled")


@router.post("/subscriptions/{subscription}/reason")
async def tell_reason(sent: Form, subscription: str) -> Response:
    """Why, if they care to say. A cancel asked for again changes nothing, and keeps what was said."""
    row = await own(sent.visit, subscription)
    reason = sent.said("reason")[:MOST_REASON]
    state = row.state
    if reason and state.cancel_is_pending:
        on = None if state.ends_with_period else state.cancel_on
        again = Cancel(command_id=sent.command_id, by=CUSTOMER, on=on, reason=reason)
        await carry_out(sent.visit, row, again)
    return sent.visit.go("overview", said="thanks")


@router.post("/subscriptions/{subscription}/keep")
async def keep(sent: Form, subscription: str) -> Response:
    """Take back a cancel or a pause that has not taken effect."""
    row = await own(sent.visit, subscription)
    await carry_out(sent.visit, row, KeepSubscription(command_id=sent.command_id, by=CUSTOMER))
    return sent.visit.go("overview", said="kept")


@router.get("/subscriptions/{subscription}/pause")
async def before_pause(visit: Visitor, subscription: str) -> Response:
    """What a pause does."""
    row = await _pausable(visit, subscription)
    return visit.show("pause.html", page="overview", row=row)


@router.post("/subscriptions/{subscription}/pause")
async def pause(sent: Form, subscription: str) -> Response:
    """Pause from the end of the period."""
    row = await _pausable(sent.visit, subscription)
    await carry_out(sent.visit, row, Pause(command_id=sent.command_id, by=CUSTOMER))
    return sent.visit.go("overview", said="paused")


@router.post("/subscriptions/{subscription}/resume")
async def resume(sent: Form, subscription: str) -> Response:
    """Back from a pause."""
    row = await own(sent.visit, subscription)
    await carry_out(sent.visit, row, Resume(command_id=sent.command_id, by=CUSTOMER))
    return sent.visit.go("overview", said="resumed")


@router.get("/subscriptions/{subscription}/withdraw")
async def before_withdraw(visit: Visitor, subscription: str) -> Response:
    """What goes back to whoever withdraws (rules 32), and the button that does it."""
    row = await own(visit, subscription)
    preview = await visit.door.relance.preview(row.id, Withdraw(command_id=new_id("cmd"), by=CUSTOMER))
    return visit.show(
        "withdraw.html", page="overview", row=row, preview=preview, refund_by=refund_by(preview.on)
    )


@router.post("/subscriptions/{subscription}/withdraw")
async def withdraw(sent: Form, subscription: str) -> Response:
    """Go back on the contract. The receipt is the answer."""
    row = await own(sent.visit, subscription)
    await carry_out(sent.visit, row, Withdraw(command_id=sent.command_id, by=CUSTOMER))
    return await _receipt(sent, row, "withdrawn")


async def _pausable(visit: Visit, subscription: str) -> SubscriptionRow:
    """A subscription of the customer, where the seller lets customers pause.

    Raises:
        NotFound: it is none, or the seller does not.
    """
    if visit.door.settings.portal_pause == "off":
        raise NotFound("Customers do not pause by themselves here.", field="pause")
    return await own(visit, subscription)


async def _receipt(sent: Sent, row: SubscriptionRow, what: str) -> Response:
    """What was done, when, and what follows."""
    visit = sent.visit
    offer = await offer_of(visit, row.id)
    at: datetime = offer.view.now
    return visit.show(
        "receipt.html",
        page="overview",
        row=row,
        sub=offer.sub,
        what=what,
        at=at,
        ends=ends_on(offer.sub),
        coming=offer.view.next_invoice,
        is_at_once=False,
    )
