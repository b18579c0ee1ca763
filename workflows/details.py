"""What ops read in the Temporal UI about one execution: details in Markdown. No personal data."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from billing.chase import NextStep
    from billing.subscription import Subscription
    from models.boundary import CaseReport, PlannedStep


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
