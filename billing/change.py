"""Changes of plan, seats, rhythm, discount or anything agreed: what they make of a subscription, and when.

The caller chooses when a change applies; it is never guessed from prices (design 4.2).
"""

from __future__ import annotations

from datetime import date, datetime

from billing import lifecycle
from billing.agreed import terms_agreed
from billing.calendar import Schedule, local_date
from billing.changing import check_in_period, check_same_document, period_after_change
from billing.commands import AddCoupon, Change, ChangePlan, ChangeQuantity, ChangeTerms, When
from billing.discounts import MAX_DISCOUNTS, Discount, check_discount, for_next_period
from billing.effects import BillChange, DropGatedDraft, Emit, Notify, TermsChange, Transition
from billing.errors import InvalidInput
from billing.refusal import PlanCurrencyMismatch, Refused, SeatsNotPriced
from billing.subscription import Status, Subscription
from billing.terms import Terms

AnyChange = ChangePlan | ChangeQuantity | ChangeTerms
Discounts = tuple[Discount, ...]


def check_change(sub: Subscription, command: Change, at: datetime) -> None:
    """Refuses a change that the subscription cannot take now, whatever its terms are.

    Raises:
        Refused: with the remedy.
        InvalidInput: what was asked for does not fit together; `field` names it.
    """
    if command.when is not When.NOW:
        _check_options_of_now(command)
    if sub.status is Status.INCOMPLETE:
        raise Refused(
            "The first payment is still open: pay it or cancel before changing the plan.", field="status"
        )
    if sub.ends_with_period and command.when is not When.NOW:
        raise Refused(
            "A cancel at the period's end is pending. Take it back before changing the plan.", field="status"
        )
    if sub.conditional_change is not None:
        raise Refused("A change waits for its payment. Pay it or take it back first.", field="status")
    if command.when is When.NOW and (sub.pending_terms or sub.pending_discounts is not None):
        raise Refused(
            "A change at the period's end is pending. Take it back, or make this one for the period's end too.",
            field="status",
        )
    if command.previewed_on is not None and command.previewed_on != local_date(at, sub.timezone):
        raise Refused(
            f"The preview was of {command.previewed_on}: what the change bills is another amount today. Look at a "
            "new one.",
            field="previewed_on",
        )


def _check_options_of_now(command: Change) -> None:
    options = {"prorate": not command.prorate, "if_paid": command.if_paid, "keep_anchor": command.keep_anchor}
    for name, is_set in options.items():
        if is_set:
            raise InvalidInput(
                f"{name} is for a change now only. Leave it out, or give when: now.", field=name
            )


def accept_change(sub: Subscription, command: AnyChange, at: datetime) -> Transition:
    """What a change does at this instant.

    Raises:
        Refused: it cannot be taken in the present state.
        InvalidInput: a value of the change itself is wrong.
    """
    check_change(sub, command, at)
    terms, discounts = _asked_for(sub, command)
    if terms.currency != sub.terms.currency:
        raise PlanCurrencyMismatch(sub, terms)
    if sub.cancel_on is not None and not terms.same_rhythm_as(sub.pending_terms or sub.terms):
        raise Refused(
            f"A cancel for {sub.cancel_on} is pending, and another rhythm would move the day on which it ends. Take it "
            "back first, and cancel again afterwards.",
            field="status",
        )
    if sub.status in (Status.SCHEDULED, Status.TRIALING):
        return _begin_with(sub, terms, discounts, command, at)
    if command.when is When.NOW and sub.status.bills:
        return _change_now(sub, terms, discounts, command, at)
    return _schedule(sub, terms, discounts)


def _asked_for(sub: Subscription, command: AnyChange) -> tuple[Terms, Discounts]:
    """The terms and discounts that are wanted, from those that would apply without this change."""
    present = sub.pending_terms or sub.terms
    discounts = sub.discounts if sub.pending_discounts is None else sub.pending_discounts
    match command:
        case ChangePlan():
            return _other_plan(sub, command), discounts
        case ChangeQuantity(quantity=quantity):
            return with_quantity(present, quantity), discounts
        case ChangeTerms():
            return terms_agreed(present, command.agreed), _other_discounts(
                discounts, command, present.currency
            )


def _other_plan(sub: Subscription, command: ChangePlan) -> Terms:
    if command.terms is None:
        raise InvalidInput("The plan's terms were not looked up.", field="plan")
    is_undone = sub.pending_terms is not None and command.plan_id == sub.terms.plan_id
    terms = sub.terms if is_undone else command.terms
    quantity = command.quantity if command.quantity is not None else _kept_quantity(sub, terms)
    return with_quantity(terms, quantity)


def with_quantity(terms: Terms, quantity: int) -> Terms:
    """The same terms for another number of seats.

    Raises:
        SeatsNotPriced: no price depends on the quantity.
        InvalidInput: the quantity is out of range.
    """
    if quantity != 1 and not terms.has_unit_price:
        raise SeatsNotPriced(terms)
    return Terms.model_validate({**dict(terms), "quantity": quantity})


def _kept_quantity(sub: Subscription, terms: Terms) -> int:
    """The seats that were asked for last; a plan without seats in between does not forget them."""
    if not terms.has_unit_price:
        return 1
    pending = sub.pending_terms
    return pending.quantity if pending is not None and pending.has_unit_price else sub.terms.quantity


def _other_discounts(present: Discounts, command: ChangeTerms, currency: str) -> Discounts:
    removed = command.remove_discount
    if removed is not None and removed not in {discount.coupon_id for discount in present}:
        raise Refused(f"There is no discount of coupon {removed} to remove.", field="remove_discount")
    kept = tuple(discount for discount in present if discount.coupon_id != removed)
    added = command.add_discount
    if added is None:
        return kept
    check_discount(added, currency, field="add_discount")
    return _with_discount(kept, added, field="add_discount")


def _with_discount(present: Discounts, added: Discount, *, field: str) -> Discounts:
    if any(discount.coupon_id == added.coupon_id and not discount.is_used_up for discount in present):
        raise Refused(f"The coupon {added.coupon_id} is given already.", field=field)
    if len(present) >= MAX_DISCOUNTS:
        raise Refused(f"There are {MAX_DISCOUNTS} discounts already. Remove one first.", field=field)
    return (*present, added)


def check_coupon(sub: Subscription) -> None:
    """Refuses any coupon where no further period will be billed, or where it is not known how.

    Raises:
        Refused: with the remedy.
    """
    if sub.status is Status.INCOMPLETE:
        raise Refused(
            "The first payment is still open: pay it or cancel before adding a coupon.", field="status"
        )
    if sub.ends_with_period:
        raise Refused(
            "A cancel is pending: no further period is billed. Take it back before adding a coupon.",
            field="status",
        )
    if sub.conditional_change is not None:
        raise Refused("A change waits for its payment. Pay it or take it back first.", field="status")


def add_coupon(sub: Subscription, command: AddCoupon) -> Transition:
    """A discount that begins with the next billed period, whatever is changed or taken back until then.

    Raises:
        Refused: no further period will be billed, or there is no room for it.
        InvalidInput: the coupon was not looked up; field `code`.
    """
    check_coupon(sub)
    if command.discount is None:
        raise InvalidInput("The coupon was not looked up.", field="code")
    added = command.discount.model_copy(update={"used": 0})
    update = {"discounts": _with_discount(sub.discounts, added, field="code")}
    if sub.pending_discounts is not None:
        update["pending_discounts"] = _with_discount(sub.pending_discounts, added, field="code")
    return Transition(
        sub.model_copy(update=update), (Emit("subscription.coupon_added", {"coupon": added.coupon_id}),)
    )


def _schedule(sub: Subscription, terms: Terms, discounts: Discounts) -> Transition:
    """At the period's end, at the resume, or on the return; asking for what there is already takes it back."""
    update = {
        "pending_terms": None if terms == sub.terms else terms,
        "pending_discounts": None if discounts == sub.discounts else discounts,
    }
    return Transition(
        sub.model_copy(update=update), (Emit("subscription.change_scheduled", {"to": terms.plan_name}),)
    )


def _begin_with(
    sub: Subscription, terms: Terms, discounts: Discounts, command: AnyChange, at: datetime
) -> Transition:
    """Nothing is billed yet: it simply starts with other terms, and a trial keeps its end (rules 3, U1)."""
    kept_trial = terms.model_copy(update={"trial_days": sub.terms.trial_days})
    after = lifecycle.with_terms(sub, kept_trial).model_copy(update={"discounts": discounts})
    data = {"from": sub.terms.plan_name, "to": terms.plan_name, "quantity": str(terms.quantity)}
    effective_on = max(sub.starts_on, local_date(at, sub.timezone))
    notify = Notify("plan_changed", f"{effective_on}:{command.command_id}", data)
    return Transition(after, (notify, Emit("subscription.plan_changed", data)))


def _change_now(
    sub: Subscription, terms: Terms, discounts: Discounts, command: AnyChange, at: datetime
) -> Transition:
    """On this day, which belongs to the new terms (rules 8)."""
    if terms == sub.terms and discounts == sub.discounts:
        return Transition(sub)
    change = _terms_change(sub, terms, discounts, command, at)
    bills = command.prorate or not terms.same_rhythm_as(sub.terms)
    if bills:
        _check_paid_here(sub, change.change_on)
    if bills and (command.if_paid or sub.status is Status.PAST_DUE):
        waiting = sub.model_copy(update={"conditional_change": command.command_id})
        return Transition(waiting, (BillChange(change, sub.terms, sub.fees_left, if_paid=True),))
    applied = lifecycle.apply_change(sub, change, at)
    billing = (BillChange(change, sub.terms, sub.fees_left),) if bills else ()
    return Transition(applied.after, (*billing, *applied.effects))


def _check_paid_here(sub: Subscription, change_on: date) -> None:
    """Refuses to bill days that were paid in another system: no line of ours says what to give back for them."""
    paid_until = sub.paid_elsewhere_until
    if paid_until is not None and change_on < paid_until:
        raise Refused(
            f"The time until {paid_until} was paid in another billing system: its days can't be given back here. "
            "Change at the period's end, or now without proration in the same rhythm.",
            field="when",
        )


def _terms_change(
    sub: Subscription, terms: Terms, discounts: Discounts, command: AnyChange, at: datetime
) -> TermsChange:
    change_on = local_date(at, sub.timezone)
    if sub.period is None or sub.anchor is None:
        raise Refused("There is no period that could change yet.", field="status")
    check_in_period(change_on, sub.period, field="when")
    check_same_document(sub.terms, terms)
    same = terms.same_rhythm_as(sub.terms)
    anchor = sub.anchor if same or command.keep_anchor else change_on
    schedule = Schedule(
        anchor=anchor,
        interval=terms.interval,
        timezone=sub.timezone,
        alignment=terms.alignment,
        billing_day=terms.billing_day,
    )
    billed = period_after_change(sub.terms, terms, sub.period, change_on, schedule=schedule)
    return TermsChange(
        command_id=command.command_id,
        change_on=change_on,
        terms=terms,
        discounts=_begun(discounts, waiting=sub.discounts) if same else for_next_period(discounts),
        anchor=anchor,
        period=sub.period if same else billed,
        billed_period=billed,
        prorate=command.prorate,
    )


def _begun(discounts: Discounts, *, waiting: Discounts) -> Discounts:
    """Inside a period discounts of a change begin with it; coupons wait on for the next billed period."""
    return tuple(d if d.used or d in waiting else d.once_more() for d in discounts)


def undo_change(sub: Subscription) -> Transition:
    """A change that has not taken effect is taken back.

    Raises:
        Refused: none is pending.
    """
    undone = Emit("subscription.change_undone")
    if sub.conditional_change is not None:
        after = sub.model_copy(update={"conditional_change": None})
        return Transition(after, (DropGatedDraft(), undone))
    if sub.pending_terms is None and sub.pending_discounts is None:
        if sub.announced is None:
            raise Refused("There is no change to take back.", field="status")
        return Transition(sub.model_copy(update={"announced": None}), (undone,))
    return Transition(sub.model_copy(update={"pending_terms": None, "pending_discounts": None}), (undone,))
