"""Changing plan, rhythm or number of seats: choose, see to the cent what it costs, confirm."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from http import HTTPStatus

from fastapi import Request, Response

from activities.books.previewing import Preview
from activities.books.rows import NotFound
from billing.commands import ChangePlan, ChangeQuantity, Command, When
from billing.errors import InvalidInput
from billing.prices import PricingModel
from billing.refusal import Refused
from billing.terms import Terms, check_quantity
from models.ids import new_id
from models.tables import Plan, SubscriptionRow
from portal.visiting import CUSTOMER, Form, Visit, Visitor, page_router
from starter.problems import CommandRefused, TookTooLong

router = page_router()

CARRIED_OUT_SECONDS = 8.0
"""How long a page waits until a command was carried out, before it shows how things stand."""
HIDDEN = {"portal": "hidden"}
"""Metadata of plans that customers do not choose themselves."""


@router.get("/subscriptions/{subscription}/change")
async def choose(visit: Visitor, subscription: str) -> Response:
    """The plans that there are to choose from, and when."""
    return await _choices(visit, await own(visit, subscription))


@router.get("/subscriptions/{subscription}/change/preview")
async def look(request: Request, visit: Visitor, subscription: str) -> Response:
    """What the choice would bill and give back: the very lines that are billed."""
    row = await own(visit, subscription)
    chosen = dict(request.query_params)
    try:
        command = await _command(visit, row, chosen, command_id=new_id("cmd"))
        # What follows once it is paid is what the customer wants to see.
        preview = await visit.door.relance.preview(row.id, command.model_copy(update={"if_paid": False}))
    except (InvalidInput, Refused, CommandRefused):
        return await _choices(visit, row, is_refused=True)
    return visit.show(
        "preview.html",
        page="overview",
        row=row,
        preview=preview,
        chosen=_fields(command, plan_now=row.state.terms.plan_id),
        after=await _after(visit, row, command),
        is_now=_is_now(command, preview),
    )


@router.post("/subscriptions/{subscription}/change")
async def change(sent: Form, subscription: str) -> Response:
    """Make the change that was looked at. On another day than that of the preview it is refused."""
    visit = sent.visit
    row = await own(visit, subscription)
    command = await _command(visit, row, sent.fields, command_id=sent.command_id)
    await carry_out(visit, row, command)
    return visit.go("overview", said="changed")


@router.post("/subscriptions/{subscription}/undo-change")
async def undo(sent: Form, subscription: str) -> Response:
    """Take back a change that has not taken effect."""
    row = await own(sent.visit, subscription)
    relance = sent.visit.door.relance
    await relance.undo_change(row.id, command_id=sent.command_id, by=CUSTOMER)
    await until_done(sent.visit, sent.command_id)
    return sent.visit.go("overview", said="undone")


async def own(visit: Visit, subscription: str) -> SubscriptionRow:
    """A subscription of the customer; somebody else's is not there.

    Raises:
        NotFound: it is not.
    """
    row = await visit.door.relance.subscription(subscription)
    if row.customer_id != visit.customer.id or row.id != subscription:
        raise NotFound(f"There is no subscription {subscription}.", field="subscription")
    return row


async def carry_out(visit: Visit, row: SubscriptionRow, command: Command) -> None:
    """Give a command and wait a little until it was carried out.

    Raises:
        CommandRefused, Refused, InvalidInput: it is refused.
    """
    await visit.door.relance.tell(row.id, command)
    await until_done(visit, command.command_id)


async def until_done(visit: Visit, command_id: str) -> None:
    """Wait a little, so that the page that follows shows what was done."""
    try:
        await visit.door.relance.wait_for(command_id, seconds=CARRIED_OUT_SECONDS)
    except TookTooLong:
        return


async def _choices(visit: Visit, row: SubscriptionRow, *, is_refused: bool = False) -> Response:
    plans = await _offered(visit, row)
    return visit.show(
        "change.html",
        status=HTTPStatus.CONFLICT if is_refused else HTTPStatus.OK,
        page="overview",
        row=row,
        plans=plans,
        shown=await visit.door.relance.taxes.prices_of(visit.customer.id, plans),
        has_seats=_has_seats(row.state.terms),
        is_refused=is_refused,
    )


async def _offered(visit: Visit, row: SubscriptionRow) -> list[Plan]:
    """Plans on offer in the subscription's currency, and its own."""
    terms = row.state.terms
    found = [
        plan
        for plan in await visit.door.relance.list_plans()
        if plan.entity_id == row.entity_id
        and plan.currency == terms.currency
        and plan.terms.collection_method == terms.collection_method
        and (plan.id == terms.plan_id or not HIDDEN.items() <= plan.custom.items())
    ]
    return sorted(found, key=lambda plan: plan.name)


def _has_seats(terms: Terms) -> bool:
    return any(price.model is not PricingModel.FLAT and not price.is_metered for price in terms.prices)


async def _command(
    visit: Visit, row: SubscriptionRow, chosen: Mapping[str, str], *, command_id: str
) -> ChangePlan | ChangeQuantity:
    """What was chosen, as a command.

    Raises:
        InvalidInput: it is not on offer, or no number.
    """
    terms = row.state.terms
    plan = next((each for each in await _offered(visit, row) if each.id == chosen.get("plan")), None)
    if plan is None:
        raise InvalidInput("This plan is not on offer.", field="plan")
    when = When.NOW if chosen.get("when") == When.NOW else When.PERIOD_END
    number = chosen.get("quantity") or str(terms.quantity)
    if not number.isascii() or not number.isdigit() or len(number) > 7:  # noqa: PLR2004 - of a million
        raise InvalidInput("Give a whole number.", field="quantity")
    quantity = check_quantity(int(number))
    previewed_on = date.fromisoformat(chosen["previewed_on"]) if chosen.get("previewed_on") else None
    is_now = when is When.NOW
    if plan.id == terms.plan_id:
        return ChangeQuantity(
            command_id=command_id,
            by=CUSTOMER,
            quantity=quantity,
            when=when,
            if_paid=is_now,
            previewed_on=previewed_on,
        )
    return ChangePlan(
        command_id=command_id,
        by=CUSTOMER,
        plan_id=plan.id,
        quantity=quantity if _has_seats(plan.terms) else 1,
        when=when,
        if_paid=is_now,
        previewed_on=previewed_on,
    )


def _fields(command: ChangePlan | ChangeQuantity, *, plan_now: str) -> dict[str, str]:
    plan = command.plan_id if isinstance(command, ChangePlan) else plan_now
    return {"plan": plan, "quantity": str(command.quantity), "when": command.when.value}


async def _after(visit: Visit, row: SubscriptionRow, command: ChangePlan | ChangeQuantity) -> Terms:
    """The terms as they will be, to be named."""
    terms = row.state.terms
    if isinstance(command, ChangePlan):
        terms = (await visit.door.relance.plan(command.plan_id)).terms
    return terms.model_copy(update={"quantity": command.quantity})


def _is_now(command: ChangePlan | ChangeQuantity, preview: Preview) -> bool:
    return command.when is When.NOW and bool(preview.documents)
