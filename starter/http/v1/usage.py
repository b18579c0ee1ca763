"""Usage: what customers used, to be billed in arrears."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from activities.books.metering import UsageReport
from starter.http.calling import Reads, Writes
from starter.http.v1.common import api_router, whole
from starter.resources.common import Page, built
from starter.resources.subscriptions import ReportUsage, Usage, UsageReported

router = api_router("usage", "Usage")


@router.post("", status_code=201)
async def report_usage(body: ReportUsage, call: Writes) -> UsageReported:
    """Report events of one subscription; all are taken or none. An event whose id was reported before has no effect."""
    reports = [
        built(UsageReport, event_id=event.id, meter=event.meter, quantity=event.quantity, at=event.at)
        for event in body.events
    ]
    return UsageReported(
        received=len(reports), new=await call.relance.usage.report(body.subscription, reports)
    )


@router.get("")
async def get_usage(
    call: Reads,
    subscription: Annotated[str, Query(min_length=1, max_length=110, description="Id or `ref:...`.")],
) -> Page[Usage]:
    """What was counted for a subscription, by meter and price, newest first; all of it."""
    found = await call.relance.usage.show(subscription)
    return whole(Usage, map(Usage.model_validate, found))
