"""The one screen on which support reads a subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from billing.calendar import Interval
from starter.cli import output, words
from starter.cli.features import print_features

if TYPE_CHECKING:
    from starter.overview import AheadView, AttemptView, InvoiceView, Overview
    from starter.reading import StateAnswer

_WHAT: Final = {
    "boundary": "the period ends",
    "debit_notice": "announce the debit",
    "end_trial": "the trial ends",
    "end_access": "access ends",
    "give_up": "cancel",
    "notify": "mail",
    "end": "the chase ends",
    "settle": "ask the provider",
    "rest": "wait",
}
"""Steps whose names say little to somebody who does not know the code."""

_AHEAD: Final = "What happens next, if nobody does anything"


def print_overview(view: Overview, live: StateAnswer | None = None) -> None:
    """Print status, access, plan, what is owed, what was tried, and what comes next and why."""
    head = {name: value for name, value in _head(view, live).items() if value is not None}
    output.show_fields(head, title=f"{view.reference or view.id}: {view.customer_name}")
    if view.features:
        print_features(view.features)
    output.show_table(
        [_invoice_line(invoice) for invoice in view.invoices], title="Invoices", empty="No invoice yet."
    )
    tried = [(invoice, attempt) for invoice in reversed(view.invoices) for attempt in invoice.attempts]
    output.show_table(
        [
            {
                "Tried on": attempt.on,
                "Invoice": invoice.number or "draft",
                "Amount": words.amount(attempt.amount_minor, invoice.currency),
                "Why": words.trigger(attempt.trigger),
                "Outcome": attempt.decline_words or _state(attempt),
            }
            for invoice, attempt in tried
        ],
        title="Payment attempts",
        empty="Nothing was charged yet.",
    )
    output.show_table(
        [
            {
                "Written on": mail.on,
                "Mail": mail.kind.replace("_", " "),
                "State": mail.state,
                "Subject": mail.subject,
            }
            for mail in reversed(view.mails)
        ],
        title="Mails",
        empty="No mail yet.",
    )
    output.show_table(
        [_ahead_line(step, view) for step in view.ahead],
        title=_AHEAD
        + (" and each charge fails" if any(step.what == "charge" for step in view.ahead) else ""),
    )


def _state(attempt: AttemptView) -> str:
    """How a try stands: a direct debit is under way for days."""
    if attempt.state != "processing" or attempt.expected_on is None:
        return attempt.state
    return f"processing, on the account from {attempt.expected_on} on"


def _head(view: Overview, live: StateAnswer | None) -> output.Row:
    seats = f" x {view.quantity}" if view.quantity != 1 else ""
    clock = f" on clock {view.clock_id}" if view.clock_id else ""
    return {
        "Status": view.status,
        "May use it": f"{'yes' if view.entitled else 'no'}: {view.reason}",
        "Access until": words.local(view.access_until, view.timezone),
        "Parked": f"{view.parked.reason} {view.parked.remedy}" if view.parked else None,
        "Plan": f"{view.plan_name}{seats}, every {Interval.parse(view.every).in_words}",
        "Period": f"{view.period_start} to {view.period_end} (not included)" if view.period_start else None,
        "Trial ends": view.trial_end_on if view.status == "trialing" else None,
        "Asked for": "; ".join(view.pending) or None,
        "Next invoice": _next_invoice(view),
        "Owed": words.amount(view.owed_minor, view.currency),
        "Written off": words.amount(view.written_off_minor, view.currency)
        if view.written_off_minor
        else None,
        "Pays by": view.payment_method or "no usable payment method",
        "Reads no mail at": "; ".join(view.mail_problems) or None,
        "Now": f"{words.local(view.now, view.timezone)} in {view.timezone}{clock}",
        **_live_fields(live),
        "Id": view.id,
        "Customer": view.customer_reference or view.customer_id,
    }


def _next_invoice(view: Overview) -> str:
    coming = view.next_invoice
    if coming is None:
        return "none"
    amount = words.amount(coming.total_minor, coming.currency)
    return f"{amount}, not before somebody resumes it" if view.parked else f"{amount} on {coming.on}"


def _live_fields(live: StateAnswer | None) -> output.Row:
    if live is None:
        return {}
    if live.source == "books":
        return {"Workflow": f"did not answer; this is from the books as of {words.instant(live.as_of)}"}
    state = live.state
    bad = f", {state.bad_signals} bad signals, last: {state.last_bad_signal}" if state.bad_signals else ""
    return {"Workflow": f"answers; {state.queued_commands} commands queued{bad}"}


def _invoice_line(invoice: InvoiceView) -> output.Row:
    return {
        "Number": invoice.number or "draft",
        "Issued on": invoice.issued_on,
        "Period": f"{invoice.period_start} to {invoice.period_end}",
        "Total": words.amount(invoice.total_minor, invoice.currency),
        "Open": words.amount(invoice.open_minor, invoice.currency) if invoice.open_minor else None,
        "Status": invoice.status + (", in arrears" if invoice.in_arrears else ""),
    }


def _ahead_line(step: AheadView, view: Overview) -> output.Row:
    numbers = {invoice.id: invoice.number or "draft" for invoice in view.invoices}
    return {
        "When": words.local(step.at, view.timezone) or "when it happens",
        "What": _WHAT.get(step.what, step.what.replace("_", " ")),
        "Invoice": numbers.get(step.invoice_id or ""),
        "Why": step.why,
    }
