"""A subscription that runs elsewhere, as it is to go on here."""

from __future__ import annotations

from activities.books.mandates import is_direct_debit
from activities.books.standing import last_valid_day
from billing.agreed import Agreed, terms_agreed
from billing.calendar import local_date
from billing.change import with_quantity
from billing.discounts import Discount
from billing.errors import InvalidInput
from billing.subscription import Subscription
from billing.takeover import Elsewhere, rest_of, take_over
from billing.terms import Terms
from models.ids import derived_id
from models.tables import Customer
from settings import Settings
from starter.importing.formats import SubscriptionLine
from starter.importing.mandates import account_at_provider
from starter.importing.still_at_stripe import check_stopped
from starter.importing.stock import Draft, Stock
from starter.payment_terms import check_payment_terms
from starter.subscriptions import first_state


def draft_subscription(
    stock: Stock, draft: Draft, line: SubscriptionLine, settings: Settings
) -> Subscription:
    """What a line of `subscriptions.csv` becomes.

    Args:
        stock: what it can name.
        draft: gets its customer, its id and the method that Stripe charges it on.
        line: what it says.
        settings: for the spread of renewals and other times.

    Raises:
        InvalidInput: with the field and the remedy.
    """
    known = stock.known
    customer = draft.customer = stock.customer(line.customer)
    draft.subject_id = derived_id(
        "sub", known.entity.id, line.reference, *([draft.turn] if draft.turn else [])
    )
    taken = known.subscriptions.get(line.reference)
    if taken is not None and taken.id != draft.subject_id:
        raise InvalidInput(
            f"There is a subscription {line.reference} already. Give this one another reference.",
            field="reference",
        )
    terms = _terms(stock, line, customer)
    looked = draft.facts.subscription
    if looked is not None and draft.facts.method is not None and customer.id not in stock.methods:
        draft.method = stock.take_method(customer, draft.facts.method)
        if is_direct_debit(draft.method):
            draft.mandate = account_at_provider(stock, customer, draft.method, draft.facts, settings)
    elsewhere = line.elsewhere(customer.timezone, looked)
    _check_at_stripe(draft, line, customer, terms, elsewhere)
    today = local_date(known.now, customer.timezone)
    discount = _rest_of_coupon(stock, draft, line)
    method = stock.methods.get(customer.id)
    unstarted = first_state(
        customer,
        terms,
        subscription_id=draft.subject_id,
        starts_on=today,
        discounts=() if discount is None else (discount,),
        settings=settings,
        now=known.now,
    ).model_copy(
        update={
            "has_method": method is not None or customer.default_method_id is not None,
            "method_expires_on": last_valid_day(method),
        }
    )
    return take_over(unstarted, elsewhere, today)


def _terms(stock: Stock, line: SubscriptionLine, customer: Customer) -> Terms:
    offered = stock.plan(line.plan, line.currency).terms
    agreed = Agreed(
        amount=line.price,
        collection_method=line.collection_method,
        payment_terms_days=line.payment_terms_days,
    )
    terms = terms_agreed(offered, agreed)
    terms = terms if line.quantity is None else with_quantity(terms, line.quantity)
    check_payment_terms(terms, stock.known.entity, customer)
    return terms


def _check_at_stripe(
    draft: Draft, line: SubscriptionLine, customer: Customer, terms: Terms, elsewhere: Elsewhere
) -> None:
    if line.stripe_subscription is None:
        return
    if draft.facts.subscription is None:
        raise InvalidInput(
            f"Stripe does not know {line.stripe_subscription} in this account: {draft.facts.refused}",
            field="stripe_subscription",
        )
    check_stopped(line, draft.facts.subscription, customer, terms, elsewhere)


def _rest_of_coupon(stock: Stock, draft: Draft, line: SubscriptionLine) -> Discount | None:
    if line.coupon is not None:
        draft.coupon = stock.coupons.get(line.coupon)
        return rest_of(stock.discount(line.coupon, line.currency), line.coupon_periods_left)
    if line.coupon_periods_left is not None:
        raise InvalidInput("Name the coupon whose periods are left.", field="coupon")
    return None
