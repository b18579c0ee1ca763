"""Whether Stripe Billing would go on billing what is taken over, and whether it agrees with the files."""

from __future__ import annotations

from activities.provider_subscription import ProviderSubscription
from billing.calendar import local_date
from billing.errors import InvalidInput
from billing.prices import Price
from billing.takeover import Elsewhere
from billing.terms import Terms
from models.tables import Customer
from starter.importing.formats import SubscriptionLine
from starter.importing.stripe_export import StripeSubscriptionLine, not_running


class StillRenews(InvalidInput):
    """Stripe would bill it too."""


def check_stopped(
    line: SubscriptionLine,
    looked: ProviderSubscription,
    customer: Customer,
    terms: Terms,
    elsewhere: Elsewhere,
) -> None:
    """Refuse what Stripe bills too, or sees otherwise than the files.

    Raises:
        StillRenews: it has not been stopped there; field `stripe_subscription`.
        InvalidInput: the files and Stripe differ; `field` says in what.
    """
    if isinstance(line, StripeSubscriptionLine) and (why := not_running(line.status)) is not None:
        raise InvalidInput(why, field="Status")
    if looked.customer != customer.provider_id:
        raise InvalidInput(
            f"At Stripe {looked.id} belongs to {looked.customer}, and the customer {customer.reference} is "
            f"{customer.provider_id or 'not known there'}. Give stripe_customer in customers.csv.",
            field="stripe_subscription",
        )
    if looked.renews:
        end = local_date(looked.paid_until, customer.timezone) if looked.paid_until else "its next date"
        raise StillRenews(
            f"Stripe still renews {looked.id} on {end}: the customer would pay twice. Stop it there, let it end with "
            "its period (cancel_at_period_end) or pause its collection without a date to resume, and stage again.",
            field="stripe_subscription",
        )
    if looked.is_over:
        return
    _check_paid_until(looked, customer, elsewhere)
    _check_price(line, looked, terms)


def _check_paid_until(looked: ProviderSubscription, customer: Customer, elsewhere: Elsewhere) -> None:
    """One whose collection is paused may have gone on to a period that nobody paid."""
    ours = elsewhere.trial_ends_on or elsewhere.renews_on
    if looked.paid_until is None or ours is None:
        return
    theirs = local_date(looked.paid_until, customer.timezone)
    if ours == theirs or (looked.is_held and ours < theirs):
        return
    raise InvalidInput(
        f"At Stripe it is paid until {theirs} ({looked.paid_until:%Y-%m-%d %H:%M} UTC), the file says {ours}. Export "
        "again.",
        field="trial_ends_on" if elsewhere.trial_ends_on else "renews_on",
    )


def _check_price(line: SubscriptionLine, looked: ProviderSubscription, terms: Terms) -> None:
    """Nobody is to pay another price here without somebody having said so."""
    if len(looked.items) != 1:
        raise InvalidInput(
            f"At Stripe {looked.id} has {len(looked.items)} items, and a subscription here has one plan. Make a plan "
            "with all its prices and import it from CSV, without stripe_subscription, once it is canceled there.",
            field="stripe_subscription",
        )
    (item,) = looked.items
    if item.currency != terms.currency:
        raise InvalidInput(
            f"At Stripe it is billed in {item.currency}, the plan bills in {terms.currency}.",
            field="currency",
        )
    if item.quantity != terms.quantity:
        raise InvalidInput(
            f"At Stripe its quantity is {item.quantity}, here it would be {terms.quantity}.", field="quantity"
        )
    simple = _single(terms.prices)
    if line.price is None and simple is not None and item.unit_amount not in (None, simple.unit_amount):
        raise InvalidInput(
            f"At Stripe it costs {item.unit_amount} {item.currency}, the plan {line.plan} {simple.unit_amount}. Take "
            "another plan, or say in `amount` what this customer is to pay.",
            field="plan",
        )


def _single(prices: tuple[Price, ...]) -> Price | None:
    """The only price, where it has no tiers: then both sides can be compared."""
    only = prices[0] if len(prices) == 1 else None
    return None if only is None or only.model.has_tiers else only
