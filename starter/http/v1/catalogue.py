"""What is on offer: plans and coupons."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from models.ids import derived_id
from models.tables import Coupon as CouponRow
from models.tables import Plan as PlanRow
from starter import orders
from starter.finding import REFERENCE
from starter.http.calling import Administers, Call, Reads
from starter.http.v1.common import Paging, api_router, page
from starter.problems import FixedSinceStart
from starter.resources.catalogue import Coupon, NewCoupon, NewPlan, Plan, PlanContent, PlanUpdate
from starter.resources.common import Page, built

plans = api_router("plans", "Plans")
coupons = api_router("coupons", "Coupons")

PlanKey = Annotated[
    str, Path(max_length=110, description="Id of the plan, or your own reference as `ref:...`.")
]
CouponKey = Annotated[str, Path(max_length=110, description="Id of the coupon, or its code.")]


@plans.post("", status_code=201)
async def create_plan(body: NewPlan, call: Administers) -> Plan:
    """Put a plan on offer. The same reference with the same content twice is one plan.

    Its terms never change: offer another one, and archive this. Metadata do, by PUT or PATCH.
    """
    row = await _create(body, body.reference, body.legal_entity, call)
    if row.custom != body.metadata:
        raise FixedSinceStart(
            f"The plan {row.reference or row.id} is there with other metadata.",
            field="metadata",
            remedy="Change them by PUT or PATCH /v1/plans/{plan}.",
        )
    return _show_plan(row)


@plans.get("")
async def list_plans(
    call: Reads,
    paging: Paging,
    archived: Annotated[bool, Query(description="Also those that are no longer on offer.")] = False,  # noqa: FBT002
) -> Page[Plan]:
    """List plans, newest first."""
    return page(Plan, await call.relance.listing.plans(paging, archived=archived), _show_plan)


@plans.get("/{plan}")
async def get_plan(plan: PlanKey, call: Reads) -> Plan:
    """Look a plan up."""
    return _show_plan(await call.relance.plan(plan))


@plans.put("/{plan}")
async def put_plan(plan: PlanKey, body: PlanContent, call: Administers) -> Plan:
    """Put the plan with this reference on offer, or bring its metadata to those sent.

    By `ref:...` it creates or updates; by id it updates. Refused where it is there with other terms; `field` names the
    first that differs, `remedy` what to do. One that is archived stays so.
    """
    if plan.startswith(REFERENCE):
        row = await _create(body, plan.removeprefix(REFERENCE), None, call)
    else:
        known = await call.relance.plan(plan)
        row = await _create(body, known.reference, known.entity_id, call, plan_id=known.id)
    if row.custom != body.metadata:
        row = await call.relance.update_plan(row.id, orders.PlanChange(custom=body.metadata))
    return _show_plan(row)


@plans.patch("/{plan}")
async def update_plan(plan: PlanKey, body: PlanUpdate, call: Administers) -> Plan:
    """Change the metadata of a plan, or whether it is on offer. What is not sent stays."""
    change = orders.PlanChange(custom=body.metadata, archived=body.archived)
    return _show_plan(await call.relance.update_plan(plan, change))


@plans.post("/{plan}/archive")
async def archive_plan(plan: PlanKey, call: Administers) -> Plan:
    """Take a plan off the offer. Subscriptions that have it keep it."""
    return _show_plan(await call.relance.archive_plan(plan))


@coupons.post("", status_code=201)
async def create_coupon(body: NewCoupon, call: Administers) -> Coupon:
    """Put a coupon on offer. The same code with the same content twice is one coupon."""
    content = body.model_dump(exclude={"legal_entity"})
    order = built(orders.NewCoupon, **content, entity=body.legal_entity)
    return _show_coupon(await call.relance.coupons.create(order))


@coupons.get("")
async def list_coupons(call: Reads, paging: Paging) -> Page[Coupon]:
    """List coupons, newest first."""
    return page(Coupon, await call.relance.listing.coupons(paging), _show_coupon)


@coupons.get("/{coupon}")
async def get_coupon(coupon: CouponKey, call: Reads) -> Coupon:
    """Look a coupon up."""
    return _show_coupon(await call.relance.coupons.find(coupon))


@coupons.post("/{coupon}/archive")
async def archive_coupon(coupon: CouponKey, call: Administers) -> Coupon:
    """Take a coupon off the offer. Subscriptions that were given it keep it."""
    return _show_coupon(await call.relance.coupons.archive(coupon))


async def _create(
    body: PlanContent, reference: str | None, entity: str | None, call: Call, *, plan_id: str | None = None
) -> PlanRow:
    content = {name: getattr(body, name) for name in PlanContent.model_fields if name != "metadata"}
    order = built(
        orders.NewPlan,
        **content,
        id=plan_id or (None if reference is not None else derived_id("plan", call.id)),
        reference=reference,
        entity=entity,
        custom=body.metadata,
    )
    return await call.relance.create_plan(order)


def _show_plan(row: PlanRow) -> Plan:
    terms = row.terms
    return Plan(
        id=row.id,
        reference=row.reference,
        legal_entity=row.entity_id,
        name=row.name,
        currency=row.currency,
        every=str(terms.interval),
        prices=terms.prices,
        quantity=terms.quantity,
        trial_days=terms.trial_days,
        features=terms.features,
        collection_method=terms.collection_method,
        dunning_policy=terms.dunning_policy,
        tax_included=terms.tax_included,
        archived_at=row.archived_at,
        metadata=row.custom,
        created_at=row.created_at,
    )


def _show_coupon(row: CouponRow) -> Coupon:
    return Coupon(
        id=row.id,
        code=row.reference or "",
        name=row.discount.name,
        percent=row.discount.percent,
        amount=row.discount.amount,
        currency=row.currency,
        periods=row.discount.periods,
        expires_on=row.expires_on,
        redemptions=row.redemptions,
        max_redemptions=row.max_redemptions,
        archived_at=row.archived_at,
        created_at=row.created_at,
    )
