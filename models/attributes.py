"""Search attributes: what ops filter by in the Temporal UI (engine 27). No personal data."""

from __future__ import annotations

from typing import Any

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from billing.reason import Because
from billing.subscription import Subscription
from models.boundary import CaseReport

BILLING_STATUS = SearchAttributeKey.for_keyword("BillingStatus")
PLAN_ID = SearchAttributeKey.for_keyword("PlanId")
CUSTOMER_ID = SearchAttributeKey.for_keyword("CustomerId")
COLLECTION_STEP = SearchAttributeKey.for_keyword("CollectionStep")
PARKED_REASON = SearchAttributeKey.for_keyword("ParkedReason")
CLOCK_ID = SearchAttributeKey.for_keyword("ClockId")
NEXT_BILLING_AT = SearchAttributeKey.for_datetime("NextBillingAt")
PAST_DUE_SINCE = SearchAttributeKey.for_datetime("PastDueSince")
DUNNING_ATTEMPT = SearchAttributeKey.for_int("DunningAttempt")

ALL_ATTRIBUTES = (
    BILLING_STATUS,
    PLAN_ID,
    CUSTOMER_ID,
    COLLECTION_STEP,
    PARKED_REASON,
    CLOCK_ID,
    NEXT_BILLING_AT,
    PAST_DUE_SINCE,
    DUNNING_ATTEMPT,
)
"""Every search attribute that must be registered; the worker checks at start."""


def subscription_attributes(sub: Subscription) -> TypedSearchAttributes:
    """The search attributes of a subscription."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(BILLING_STATUS, sub.status.value),
        SearchAttributePair(PLAN_ID, sub.terms.plan_id),
        SearchAttributePair(CUSTOMER_ID, sub.customer_id),
    ]
    if sub.clock_id is not None:
        pairs.append(SearchAttributePair(CLOCK_ID, sub.clock_id))
    if sub.parked is not None:
        pairs.append(SearchAttributePair(PARKED_REASON, sub.parked.reason))
    if sub.next_billing_at is not None:
        pairs.append(SearchAttributePair(NEXT_BILLING_AT, sub.next_billing_at))
    if sub.past_due_since is not None:
        pairs.append(SearchAttributePair(PAST_DUE_SINCE, sub.past_due_since))
    return TypedSearchAttributes(pairs)


def collection_attributes(report: CaseReport, clock_id: str | None) -> TypedSearchAttributes:
    """The search attributes of a collection, given at its start: each later change would cost an Action."""
    is_ended = report.step.why.because is Because.ENDED
    return chase_attributes("ended" if is_ended else report.role, report.attempts, clock_id)


def chase_attributes(step: str, attempts: int | None, clock_id: str | None) -> TypedSearchAttributes:
    """The same from what is known: the role or `ended`, the attempts so far, the test clock."""
    pairs: list[SearchAttributePair[Any]] = [SearchAttributePair(COLLECTION_STEP, str(step))]
    if attempts is not None:
        pairs.append(SearchAttributePair(DUNNING_ATTEMPT, attempts))
    if clock_id is not None:
        pairs.append(SearchAttributePair(CLOCK_ID, clock_id))
    return TypedSearchAttributes(pairs)


def changes_between(
    shown: TypedSearchAttributes, wanted: TypedSearchAttributes
) -> list[SearchAttributeUpdate[Any]]:
    """The updates that lead from the attributes shown to those wanted."""
    before = {pair.key: pair.value for pair in shown}
    after = {pair.key: pair.value for pair in wanted}
    changed = [key.value_set(value) for key, value in after.items() if before.get(key) != value]
    return [*changed, *(key.value_unset() for key in before if key not in after)]
