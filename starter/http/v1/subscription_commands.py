"""What is asked of a running subscription."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from billing import commands
from billing.commands import Command, CreditTo, When
from billing.errors import InvalidInput
from billing.refusal import Refused
from starter.api_keys import Scope
from starter.http.calling import Call, Supports, Writes
from starter.http.v1.common import api_router
from starter.http.v1.subscription_views import show_accepted, show_present
from starter.resources.common import built
from starter.resources.subscriptions import (
    Cancel,
    Change,
    GiveCoupon,
    Pause,
    Preview,
    Resume,
    Subscription,
    Withdraw,
)

router = api_router("subscriptions", "Subscriptions")

SubscriptionKey = Annotated[
    str, Path(max_length=110, description="Id of the subscription, or your own reference as `ref:...`.")
]


@router.post("/{subscription}/preview-change")
async def preview_change(subscription: SubscriptionKey, body: Change, call: Supports) -> Preview:
    """What a change would bill and give back, to the cent, if it were asked for now. Nothing is written."""
    return Preview.model_validate(await call.relance.preview(subscription, _change(body, call)))


@router.post("/{subscription}/change")
async def change_subscription(subscription: SubscriptionKey, body: Change, call: Writes) -> Subscription:
    """Another plan, number of seats or terms: at the period's end, or now, with or without proration.

    With `if_paid` it holds once what it bills is paid; with `wait_for_payment` as well, the answer says what came of
    that, and where to send the customer.
    """
    if body.wait_for_payment and not body.if_paid:
        raise InvalidInput("Only a change with if_paid waits for its payment.", field="wait_for_payment")
    shown = await _tell(subscription, _change(body, call), call)
    if not body.wait_for_payment:
        return shown
    await call.relance.outcomes.wait_for_payment_of(call.id)
    settled = await show_present(call, subscription)
    return settled.model_copy(update={"command": call.id})


@router.post("/{subscription}/undo-change")
async def undo_change(subscription: SubscriptionKey, call: Supports) -> Subscription:
    """Take back a change that has not taken effect."""
    return await _tell(subscription, commands.UndoChange(command_id=call.id, by=call.by), call)


@router.post("/{subscription}/cancel")
async def cancel_subscription(subscription: SubscriptionKey, body: Cancel, call: Supports) -> Subscription:
    """End a subscription, with its period, for a date, or now."""
    command = commands.Cancel(
        command_id=call.id,
        by=call.by,
        reason=body.reason,
        when=body.when,
        on=body.on,
        credit_to=body.credit_to,
    )
    if body.when is When.NOW and body.credit_to is not CreditTo.NONE:
        await _spend(subscription, command, call)
    return await _tell(subscription, command, call)


@router.post("/{subscription}/reactivate")
async def reactivate_subscription(subscription: SubscriptionKey, call: Supports) -> Subscription:
    """Take back a cancel or a pause that has not taken effect."""
    return await _tell(subscription, commands.KeepSubscription(command_id=call.id, by=call.by), call)


@router.post("/{subscription}/pause")
async def pause_subscription(subscription: SubscriptionKey, body: Pause, call: Supports) -> Subscription:
    """Pause a subscription, from the period's end or now."""
    command = commands.Pause(
        command_id=call.id, by=call.by, when=body.when, credit=body.credit, credit_to=body.credit_to
    )
    if body.credit:
        await _spend(subscription, command, call)
    return await _tell(subscription, command, call)


@router.post("/{subscription}/resume")
async def resume_subscription(subscription: SubscriptionKey, body: Resume, call: Supports) -> Subscription:
    """Bring a subscription back from a pause, from unpaid or from parked."""
    return await _tell(subscription, commands.Resume(command_id=call.id, by=call.by, issue=body.issue), call)


@router.post("/{subscription}/withdraw")
async def withdraw_subscription(
    subscription: SubscriptionKey, body: Withdraw, call: Supports
) -> Subscription:
    """A consumer goes back on the contract within 14 days: it ends at once, and the money goes back."""
    command = commands.Withdraw(command_id=call.id, by=call.by, reason=body.reason)
    await _spend(subscription, command, call)
    return await _tell(subscription, command, call)


@router.post("/{subscription}/coupons")
async def give_coupon(subscription: SubscriptionKey, body: GiveCoupon, call: Writes) -> Subscription:
    """Give a coupon to a running subscription, from its next billed period on."""
    accepted = await call.relance.coupons.give(subscription, body.code, command_id=call.id, by=call.by)
    return await show_accepted(call, subscription, accepted)


async def _tell(subscription: str, command: Command, call: Call) -> Subscription:
    return await show_accepted(call, subscription, await call.relance.tell(subscription, command))


async def _spend(subscription: str, command: Command, call: Call) -> None:
    """Count what the command gives back, where the caller is a person of support with a limit."""
    if call.caller.may(Scope.WRITE):
        return
    try:
        seen = await call.relance.preview(subscription, command)
    except (Refused, InvalidInput):
        return  # the command itself is refused, or was carried out before
    await call.spend(seen.credited_minor, seen.currency)


def _change(body: Change, call: Call) -> Command:
    how = {
        "command_id": call.id,
        "by": call.by,
        **body.model_dump(include={"when", "prorate", "if_paid", "keep_anchor", "previewed_on"}),
    }
    if body.agreed is not None or body.remove_coupon is not None:
        if body.plan is not None or body.quantity is not None:
            raise InvalidInput("Change either plan and quantity, or the terms. Ask twice.", field="agreed")
        agreed = {} if body.agreed is None else {"agreed": body.agreed}
        return built(commands.ChangeTerms, remove_discount=body.remove_coupon, **agreed, **how)
    if body.plan is not None:
        return built(commands.ChangePlan, plan_id=body.plan, quantity=body.quantity, **how)
    if body.quantity is not None:
        return built(commands.ChangeQuantity, quantity=body.quantity, **how)
    raise InvalidInput("Say what changes: plan, quantity, agreed or remove_coupon.", field="plan")
