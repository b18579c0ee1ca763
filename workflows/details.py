"""What ops read in the Temporal UI about one execution: details in Markdown. No personal data."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.chase import NextStep
    from billing.errors import RelanceError
    from billing.leaving import ends_on
    from billing.lines import lines_for
    from billing.money import to_major
    from billing.steps import Step
    from billing.subscription import Subscription
    from billing.terms import Terms
    from billing.upcoming import next_issue
    from models.boundary import CaseReport, PlannedStep


def subscription_details(sub: Subscription, following: PlannedStep, now: datetime) -> str:
    """The first thing that ops read about a subscription."""
    rows = [
        ("Status", f"**{sub.status.value}**, {'entitled' if sub.entitled_at(now) else 'not entitled'}"),
        ("Plan", f"{_plan(sub.terms)}, every {sub.terms.interval.in_words}"),
        ("Period", f"{sub.period.start} to {sub.period.end}" if sub.period else "none yet"),
        ("Next", following.why or following.what),
        ("On", f"{following.due:%Y-%m-%d %H:%M} UTC" if following.due else "when it happens"),
        ("Amount", _next_invoice(sub)),
    ]
    if sub.open_invoices:
        rows.append(("Open", ", ".join(f"`{invoice}`" for invoice in sub.open_invoices)))
    if sub.in_arrears:
        chased = ", ".join(f"`collection/{invoice}`" for invoice in sub.in_arrears)
        rows.append(("In arrears", f"{chased}: there is what was tried, and what comes next"))
    rows += _decided(sub)
    if sub.parked is not None:
        rows.append(("Parked", f"**{sub.parked.reason}** {sub.parked.remedy}"))
    return _table(rows)


def _decided(sub: Subscription) -> list[tuple[str, str]]:
    """What was asked for, announced or agreed, and has not taken effect yet."""
    rows = []
    if sub.pending_terms is not None:
        rows.append(("Pending change", _plan(sub.pending_terms)))
    if sub.announced is not None:
        rows.append(("Announced price", f"{sub.announced.plan_name}, from {sub.announced.from_on}"))
    if sub.conditional_change is not None:
        rows.append(("Pending change", f"waits for the payment of `{sub.gated_invoice}`"))
    if sub.committed_until is not None:
        rows.append(("Committed until", str(sub.committed_until)))
    if sub.usage_closes_at is not None:
        rows.append(("Usage", f"late usage is waited for until {sub.usage_closes_at:%Y-%m-%d %H:%M} UTC"))
    if sub.ends_with_period:
        rows.append(("Pending", "cancel at the period's end"))
    elif sub.cancel_is_pending:
        rows.append(("Pending", f"cancel for {sub.cancel_on}: it ends on {ends_on(sub)}"))
    if sub.pause_at_end:
        rows.append(("Pending", "pause at the period's end"))
    return rows


def collection_details(report: CaseReport | None) -> str:
    """The first thing that ops read about the chase of an invoice."""
    if report is None:
        return "Taking the invoice over."
    amount = f"{to_major(report.amount_minor, report.currency)} {report.currency}"
    rows = [
        ("Invoice", f"`{report.invoice_id}`"),
        ("Of", f"`subscription/{report.subscription_id}`"),
        ("Owed", amount),
        ("Attempts", str(report.attempts)),
        ("Declined", report.last_decline or "none"),
        ("Next", f"**{report.step.kind.value}**: {report.step.why.sentence()}"),
        ("On", f"{report.step.due:%Y-%m-%d %H:%M} UTC" if report.step.due else "when it happens"),
        ("Role", report.role.value),
    ]
    return _table(rows)


def subscription_step(step: Step) -> PlannedStep:
    """A step of a subscription, for people."""
    shown = step.for_people
    return PlannedStep(what=shown.kind.value, due=shown.due, why=shown.why)


def chase_step(step: NextStep) -> PlannedStep:
    """A step of a chase, for people."""
    return PlannedStep(what=step.kind.value, due=step.due, why=step.why.sentence())


def _plan(terms: Terms) -> str:
    return terms.plan_name if terms.quantity == 1 else f"{terms.plan_name} x {terms.quantity}"


def _next_invoice(sub: Subscription) -> str:
    """When it comes and what it will be; details never stop a workflow, whatever cannot be told."""
    try:
        issue = next_issue(sub)
        if issue is None:
            return "none"
        minor = sum(line.amount_minor for line in lines_for(issue.terms, issue.period))
    except RelanceError as problem:
        return problem.message
    tax = "with tax" if issue.terms.tax_included else "before tax"
    return f"{to_major(minor, issue.terms.currency)} {issue.terms.currency} {tax}, on {issue.period.start}"


def _table(rows: list[tuple[str, str]]) -> str:
    # The UI puts no space between columns: no-break spaces do.
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name}\u00a0\u00a0 | {text} |" for name, text in rows)])
