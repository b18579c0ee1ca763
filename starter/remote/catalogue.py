"""What is on offer, what was used, and test clocks."""

from __future__ import annotations

from collections.abc import Sequence

from starter.remote.transport import Transport, at
from starter.resources.catalogue import Coupon, NewCoupon, NewPlan, Plan, PlanContent, PlanUpdate
from starter.resources.common import Page
from starter.resources.invoices import AdvanceTestClock, NewTestClock, TestClock
from starter.resources.subscriptions import ReportUsage, Usage, UsageEvent, UsageReported


class Plans:
    """`/v1/plans`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(self, body: NewPlan, *, idempotency_key: str | None = None) -> Plan:
        """Put a plan on offer."""
        return await self._through.send(Plan, "POST", "/v1/plans", body, idempotency_key=idempotency_key)

    async def put(self, plan: str, body: PlanContent, *, idempotency_key: str | None = None) -> Plan:
        """Put the plan with this reference on offer, or bring its metadata to those sent."""
        path = at("plans", plan)
        return await self._through.send(Plan, "PUT", path, body, idempotency_key=idempotency_key)

    async def update(self, plan: str, body: PlanUpdate, *, idempotency_key: str | None = None) -> Plan:
        """Change the metadata of a plan, or whether it is on offer."""
        path = at("plans", plan)
        return await self._through.send(Plan, "PATCH", path, body, idempotency_key=idempotency_key)

    async def get(self, plan: str) -> Plan:
        """Look a plan up."""
        return await self._through.get(Plan, at("plans", plan))

    async def list(
        self, *, archived: bool = False, limit: int = 10, starting_after: str | None = None
    ) -> Page[Plan]:
        """A page of plans, newest first."""
        return await self._through.get(
            Page[Plan], "/v1/plans", archived=archived, limit=limit, starting_after=starting_after
        )

    async def archive(self, plan: str, *, idempotency_key: str | None = None) -> Plan:
        """Take a plan off the offer."""
        path = at("plans", plan, "archive")
        return await self._through.send(Plan, "POST", path, idempotency_key=idempotency_key)


class Coupons:
    """`/v1/coupons`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(self, body: NewCoupon, *, idempotency_key: str | None = None) -> Coupon:
        """Put a coupon on offer."""
        return await self._through.send(Coupon, "POST", "/v1/coupons", body, idempotency_key=idempotency_key)

    async def get(self, coupon: str) -> Coupon:
        """Look a coupon up, by id or code."""
        return await self._through.get(Coupon, at("coupons", coupon))

    async def list(self, *, limit: int = 10, starting_after: str | None = None) -> Page[Coupon]:
        """A page of coupons, newest first."""
        return await self._through.get(
            Page[Coupon], "/v1/coupons", limit=limit, starting_after=starting_after
        )

    async def archive(self, coupon: str, *, idempotency_key: str | None = None) -> Coupon:
        """Take a coupon off the offer."""
        path = at("coupons", coupon, "archive")
        return await self._through.send(Coupon, "POST", path, idempotency_key=idempotency_key)


class Usages:
    """`/v1/usage`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def report(
        self, subscription: str, events: Sequence[UsageEvent], *, idempotency_key: str | None = None
    ) -> UsageReported:
        """Report what one subscription used; an event that was reported before has no effect."""
        body = ReportUsage(subscription=subscription, events=tuple(events))
        return await self._through.send(
            UsageReported, "POST", "/v1/usage", body, idempotency_key=idempotency_key
        )

    async def get(self, subscription: str) -> Page[Usage]:
        """What was counted for a subscription."""
        return await self._through.get(Page[Usage], "/v1/usage", subscription=subscription)


class TestClocks:
    """`/v1/test_clocks`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(self, body: NewTestClock, *, idempotency_key: str | None = None) -> TestClock:
        """Make a test clock."""
        return await self._through.send(
            TestClock, "POST", "/v1/test_clocks", body, idempotency_key=idempotency_key
        )

    async def get(self, test_clock: str) -> TestClock:
        """Where a test clock stands."""
        return await self._through.get(TestClock, at("test_clocks", test_clock))

    async def list(self, *, limit: int = 10, starting_after: str | None = None) -> Page[TestClock]:
        """A page of test clocks, newest first."""
        return await self._through.get(
            Page[TestClock], "/v1/test_clocks", limit=limit, starting_after=starting_after
        )

    async def advance(
        self, test_clock: str, body: AdvanceTestClock, *, idempotency_key: str | None = None
    ) -> TestClock:
        """Move a test clock on; it is there when its status is `ready`."""
        path = at("test_clocks", test_clock, "advance")
        return await self._through.send(TestClock, "POST", path, body, idempotency_key=idempotency_key)
