"""What ops see in the Temporal UI: details in Markdown and search attributes. No personal data in either."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

with workflow.unsafe.imports_passed_through():
    from billing.chase import NextStep
    from billing.subscription import Subscription
    from models.boundary import CaseReport, PlannedStep

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
    """The search attributes of a collection."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(COLLECTION_STEP, report.step.kind.value),
        SearchAttributePair(DUNNING_ATTEMPT, report.attempts),
    ]
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


def subscription_details(sub: Subscription, following: PlannedStep, now: datetime) -> str:
    """The first thing that ops read about a subscription."""
    rows = [
        ("Status", f"**{sub.status.value}**, {'entitled' if sub.entitled_at(now) else 'not entitled'}"),
        ("Plan", f"{sub.terms.plan_name} x {sub.terms.quantity}, every {sub.terms.interval}"),
        ("Period", f"{sub.period.start} to {sub.period.end}" if sub.period else "none yet"),
        ("Next", f"{following.what}: {following.why}"),
        ("On", f"{following.due:%Y-%m-%d %H:%M} UTC" if following.due else "when it happens"),
    ]
    if sub.open_invoices:
        rows.append(("Open invoices", ", ".join(f"`{invoice}`" for invoice in sub.open_invoices)))
    if sub.in_arrears:
        rows.append(("In arrears", ", ".join(f"`{invoice}`" for invoice in sub.in_arrears)))
    if sub.pending_terms is not None:
        rows.append(("Pending change", f"{sub.pending_terms.plan_name} x {sub.pending_terms.quantity}"))
    if sub.cancel_at_end:
        rows.append(("Pending", "cancel at the period's end"))
    if sub.pause_at_end:
        rows.append(("Pending", "pause at the period's end"))
    if sub.parked is not None:
        rows.append(("Parked", f"**{sub.parked.reason}** {sub.parked.remedy}"))
    return _table(rows)


def collection_details(report: CaseReport | None) -> str:
    """The first thing that ops read about the chase of an invoice."""
    if report is None:
        return "Taking the invoice over."
    amount = f"{report.amount_minor} minor units {report.currency}"
    rows = [
        ("Invoice", f"`{report.invoice_id}` of `subscription/{report.subscription_id}`"),
        ("Owed", amount),
        ("Role", report.role.value),
        ("Attempts", str(report.attempts)),
        ("Last decline", report.last_decline or "none"),
        ("Next", report.step.kind.value),
        ("Why", report.step.why.sentence()),
        ("On", f"{report.step.due:%Y-%m-%d %H:%M} UTC" if report.step.due else "when it happens"),
    ]
    return _table(rows)


def chase_step(step: NextStep) -> PlannedStep:
    """A step of a chase, for people."""
    return PlannedStep(what=step.kind.value, due=step.due, why=step.why.sentence())


def _table(rows: list[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {text} |" for name, text in rows)])
