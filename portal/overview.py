"""The first page: what was agreed, what is used, what comes next, and what needs the customer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from fastapi import Response

from billing.calendar import local_date
from billing.leaving import ends_on
from billing.subscription import Status, Subscription
from billing.withdrawal import last_day_to_withdraw
from models.tables import PaymentMethod
from portal.visiting import Visit, Visitor, page_router
from starter.overview import Overview

router = page_router()


@dataclass(frozen=True)
class Offer:
    """One subscription as its customer sees it.

    Attributes:
        view: as support sees it.
        sub: the whole of it.
        may_withdraw: whether the legal time for going back on the contract runs.
        pauses_are_on: whether the seller lets customers pause by themselves.
    """

    view: Overview
    sub: Subscription
    may_withdraw: bool
    pauses_are_on: bool

    @property
    def may_pause(self) -> bool:
        """Whether the seller lets them pause, as things stand."""
        return (
            self.pauses_are_on
            and self.sub.status is Status.ACTIVE
            and not (self.sub.ends_with_period or self.sub.pause_at_end)
        )

    @property
    def ends_on_boundary(self) -> bool:
        """Whether it ends with the period that runs."""
        return self.sub.ends_with_period

    @property
    def ends_later(self) -> date | None:
        """The first day without service, where it ends with a later period."""
        return None if self.sub.ends_with_period else ends_on(self.sub)


@router.get("/overview")
async def overview(visit: Visitor, said: str = "") -> Response:
    """What there is, in one glance."""
    relance = visit.door.relance
    rows = await relance.list_subscriptions(customer=visit.customer.id)
    offers = [await offer_of(visit, row.id) for row in rows]
    return visit.show(
        "overview.html",
        page="overview",
        said=said,
        offers=offers,
        troubles=await relance.troubles.of(visit.customer.id),
        method=await default_method(visit),
    )


async def offer_of(visit: Visit, subscription_id: str) -> Offer:
    """One subscription."""
    view = await visit.door.relance.show(subscription_id)
    sub = (await visit.door.relance.subscription(subscription_id)).state
    last_day = last_day_to_withdraw(sub)
    is_in_time = last_day is not None and local_date(view.now, sub.timezone) <= last_day
    pauses_are_on = visit.door.settings.portal_pause == "on"
    return Offer(view, sub, is_in_time and not sub.is_over, pauses_are_on)


async def default_method(visit: Visit) -> PaymentMethod | None:
    """What is charged; None where there is nothing."""
    methods = await visit.door.relance.list_methods(visit.customer.id)
    return next((each for each in methods if each.id == visit.customer.default_method_id), None)
