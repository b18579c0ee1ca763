"""What a policy's end does to the subscription and its invoice: every pair that a policy may have (rules 24)."""

from __future__ import annotations

from datetime import datetime

from support.subscriptions import a_subscription

from billing.dunning import DunningPolicy, EndForSubscription
from billing.standing import end_of_policy
from billing.subscription import Status

ENDS: dict[tuple[str, str], tuple[str, bool]] = {
    # What becomes of the subscription, and whether the service goes on.
    ("suspend", "leave_open"): ("unpaid", False),
    ("suspend", "credit"): ("unpaid", False),
    ("cancel", "leave_open"): ("canceled", False),
    ("cancel", "uncollectible"): ("canceled", False),
    ("cancel", "credit"): ("canceled", False),
    ("keep", "leave_open"): ("past_due", True),
    ("keep", "uncollectible"): ("past_due", True),
    ("keep", "credit"): ("past_due", True),
}
ILLEGAL = ("suspend", "uncollectible")
"""Who was suspended could never come back by paying."""


def with_end(policy: DunningPolicy, end: tuple[str, str]) -> DunningPolicy:
    """The policy with other end actions."""
    ends = {"end_for_subscription": end[0], "end_for_invoice": end[1]}
    return DunningPolicy.model_validate(policy.model_dump() | ends)


def assert_service_until(ended_at: datetime, end: tuple[str, str]) -> None:
    """Whoever is past due is served until the policy's end, and then as the end says."""
    owed = 0 if end[1] == "credit" else 1
    sub = a_subscription(Status.PAST_DUE, owed=owed)
    assert sub.entitled_at(ended_at)
    after = end_of_policy(sub, EndForSubscription(end[0]), ended_at).after
    assert (after.status.value, after.entitled_at(ended_at)) == ENDS[end]
