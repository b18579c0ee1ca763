"""Holding the books against what the fake Stripe really moved, to the cent, and against themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing.money import to_major
from starter.accounts import Accounts, InvoiceAccount, TakenPayment

Names = Mapping[str, str]
"""A customer's id to their name."""


@dataclass(frozen=True)
class Verdict:
    """What was compared, and every difference that was found."""

    compared: tuple[str, ...]
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether there is none."""
        return not self.differences


def check(
    accounts: Accounts,
    ledger: Mapping[str, Any],
    letters: Sequence[Mapping[str, Any]],
    *,
    mails_sent: int,
    names: Names,
) -> Verdict:
    """Compares everything.

    Args:
        accounts: the books.
        ledger: the fake Stripe's `charges`, `refunds` and `totals`.
        letters: what the mailbox took.
        mails_sent: mails that the books say were sent.
        names: of customers, for people.
    """
    numbers = {invoice.invoice_id: invoice for invoice in accounts.invoices}
    return Verdict(
        compared=(
            f"{len(ledger['charges'])} charges: payment attempt, cash in the journal, invoice",
            f"{len(accounts.invoices)} invoices and {len(accounts.customers)} customers against the journal",
            f"numbers without a gap in {len(accounts.series)} series",
            f"{len(letters)} mails, each of them once",
        ),
        differences=(
            *_charges(accounts.payments, ledger["charges"], numbers, names),
            *_totals(accounts, ledger),
            *_invoices(accounts, names),
            *_customers(accounts, names),
            *_series(accounts),
            *_mails(letters, mails_sent),
        ),
    )


def _charges(
    payments: Sequence[TakenPayment],
    charges: Sequence[Mapping[str, Any]],
    invoices: Mapping[str, InvoiceAccount],
    names: Names,
) -> Iterator[str]:
    """Each charge is one payment in the books, of the same amount, and the other way round."""
    known = {payment.charge: payment for payment in payments}
    for charge in charges:
        taken = _amount(charge["amount"], charge["currency"])
        payment = known.pop(charge["id"], None)
        if payment is None:
            yield f"charge {charge['id']}: Stripe took {taken}, the books know nothing of it"
            continue
        where = f"charge {charge['id']} ({_of(payment, invoices, names)})"
        if (charge["amount"], charge["currency"].upper()) != (payment.amount_minor, payment.currency):
            written = _amount(payment.amount_minor, payment.currency)
            yield f"{where}: Stripe took {taken}, its attempt says {written}"
        if payment.booked_minor != payment.amount_minor:
            booked = _amount(payment.booked_minor, payment.currency)
            yield f"{where}: the attempt says {_amount(payment.amount_minor, payment.currency)}, the journal {booked}"
    for payment in known.values():
        amount = _amount(payment.amount_minor, payment.currency)
        yield f"{_of(payment, invoices, names)}: the books say {amount} was taken, Stripe has no such charge"


def _of(payment: TakenPayment, invoices: Mapping[str, InvoiceAccount], names: Names) -> str:
    invoice = invoices.get(payment.invoice_id)
    number = invoice.number if invoice else payment.invoice_id
    return (
        f"{names.get(payment.customer_id, payment.customer_id)}, {number}, attempt {payment.attempt_number}"
    )


def _totals(accounts: Accounts, ledger: Mapping[str, Any]) -> Iterator[str]:
    stripe = {currency.upper(): total["net"] for currency, total in ledger["totals"].items()}
    for currency in sorted({*stripe, *accounts.cash_minor}):
        theirs, ours = stripe.get(currency, 0), accounts.cash_minor.get(currency, 0)
        if theirs != ours:
            yield f"total: Stripe has {_amount(theirs, currency)}, the books {_amount(ours, currency)}"


def _invoices(accounts: Accounts, names: Names) -> Iterator[str]:
    """Each invoice says what the journal says."""
    for invoice in accounts.invoices:
        for what, written, booked in (
            ("total", invoice.total_minor, invoice.booked_total_minor),
            ("credited", invoice.credited_minor, invoice.booked_credited_minor),
            ("paid", invoice.paid_minor, invoice.booked_paid_minor),
        ):
            if written != booked:
                yield (
                    f"invoice {invoice.number} ({names.get(invoice.customer_id, invoice.customer_id)}), {what}: "
                    f"{_amount(written, invoice.currency)} on the document, "
                    f"{_amount(booked, invoice.currency)} in the journal"
                )
        if (invoice.status == "paid") != (invoice.open_minor == 0):
            left = _amount(invoice.open_minor, invoice.currency)
            yield f"invoice {invoice.number} is {invoice.status}, and {left} is open"


def _customers(accounts: Accounts, names: Names) -> Iterator[str]:
    """Each customer's journal adds up, and leaves open what their invoices leave open."""
    yield from (f"journal entry {entry} does not sum to zero" for entry in accounts.unbalanced)
    owed: Counter[tuple[str, str]] = Counter()
    for invoice in accounts.invoices:
        owed[invoice.customer_id, invoice.currency] += invoice.open_minor
    for account in accounts.customers:
        name = names.get(account.customer_id, account.customer_id)
        if not account.adds_up:
            yield f"{name}: invoices, credits and payments do not add up to what is open"
        written = owed[account.customer_id, account.currency]
        if written != account.open_minor:
            yield (
                f"{name}: {_amount(written, account.currency)} open on invoices, "
                f"{_amount(account.open_minor, account.currency)} in the journal"
            )


def _series(accounts: Accounts) -> Iterator[str]:
    for series in accounts.series:
        yield from (f"series {series.series}: number {number} is missing" for number in series.missing)
        yield from (f"series {series.series}: number {number} was given twice" for number in series.repeated)


def _mails(letters: Sequence[Mapping[str, Any]], mails_sent: int) -> Iterator[str]:
    times = Counter(letter["custom_args"].get("message_id", "") for letter in letters)
    yield from (f"mail {mail} came {count} times" for mail, count in times.items() if count > 1)
    if len(times) != mails_sent:
        yield f"the books say that {mails_sent} mails were sent, the mailbox has {len(times)}"


def _amount(amount_minor: int, currency: str) -> str:
    return f"{to_major(amount_minor, currency.upper())} {currency.upper()}"
