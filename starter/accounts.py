"""The books as an auditor reads them: what was taken, what each document says, and what the journal makes of it.

Everything at once, for one test clock or for real life: it is for comparing with a provider's ledger, in the
sandbox, in tests and when the books of a small seller are closed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from activities.books.journal import (
    APPLIED,
    BALANCE,
    BALANCE_USED,
    BANK,
    BROUGHT_IN,
    BROUGHT_IN_UNDONE,
    CASH,
    CREDIT_NOTE,
    DIFFERENCE,
    DIFFERENCE_TAKEN_BACK,
    DISPUTE_WON,
    DISPUTED,
    INVOICE,
    LATE_INTEREST,
    LATE_RECEIVABLE,
    MOVED,
    PAYMENT,
    PAYOUT,
    RECEIVABLE,
    RECOVERY_COSTS,
    REFUND,
    REFUND_FAILED,
    REFUND_TAKEN,
    REFUNDS_DUE,
    SMALL_DIFFERENCE,
    TAKEN_BACK,
    UNAPPLIED,
)
from billing.payment import AttemptState
from billing.values import Value
from models.tables import CreditNote, Customer, Invoice, JournalLine, PaymentAttempt

_TAKEN: Final = (AttemptState.SUCCEEDED, AttemptState.RETURNED)
_HELD: Final = (RECEIVABLE, BALANCE, UNAPPLIED)
"""Accounts between the seller and the customer; what is booked elsewhere moved in or out."""
_MONEY: Final = (CASH, BANK)
_PAID: Final = (PAYMENT, TAKEN_BACK)
_PAYS: Final = (*_PAID, BALANCE_USED, APPLIED, MOVED)
"""Kinds of entries that pay an invoice, or take a payment of it back."""
_CLOSES: Final = (CREDIT_NOTE, SMALL_DIFFERENCE)
"""Kinds of entries that close what is open without money."""
_LET_GO: Final = (DIFFERENCE, DIFFERENCE_TAKEN_BACK)
"""Kinds of entries that close what a transfer left open, too small to be asked for (rules 17)."""
_FROM_ELSEWHERE: Final = (BROUGHT_IN, BROUGHT_IN_UNDONE)
"""Kinds of entries by which debts and balances of another system came in."""
_GOES_BACK: Final = (REFUND, REFUND_TAKEN, REFUND_FAILED, PAYOUT)


class TakenPayment(Value):
    """Money that the books say was taken."""

    attempt_id: str
    attempt_number: int
    """Counted over all attempts on the invoice, from 1."""
    trigger: str
    retry_number: int
    """Automatic tries of the invoice before this one: 0 is the first charge."""
    invoice_id: str
    customer_id: str
    charge: str | None
    """The provider's name for it."""
    currency: str
    amount_minor: int
    booked_minor: int
    """What the journal has as cash for it."""
    at: datetime


class InvoiceAccount(Value):
    """An issued invoice, and beside it what the journal says about it."""

    invoice_id: str
    number: str
    customer_id: str
    subscription_id: str
    currency: str
    status: str
    total_minor: int
    credited_minor: int
    """Of what was open, with small differences; what was credited beyond became balance."""
    paid_minor: int
    small_difference_minor: int = 0
    """What closed it without having been paid (rules 17)."""
    booked_total_minor: int
    booked_credited_minor: int
    booked_paid_minor: int

    @property
    def open_minor(self) -> int:
        """What is still owed."""
        return self.total_minor - self.credited_minor - self.paid_minor - self.small_difference_minor


class CustomerAccount(Value):
    """One customer and currency, from the journal alone."""

    customer_id: str
    currency: str
    invoiced_minor: int
    credited_minor: int
    paid_minor: int
    """Without what a bank took back for good; with what it gave back after that, on appeal."""
    refunded_minor: int
    """What went back, or is on its way."""
    brought_in_minor: int = 0
    """What was owed to us in another system when it was brought in, less what we held there."""
    small_differences_minor: int = 0
    """Let go since they were too small to be asked for (rules 17)."""
    claimed_minor: int = 0
    """Interest and costs of late payment, less what was waived (rules 31)."""
    claims_open_minor: int = 0
    """What of it is still owed."""
    open_minor: int
    """On invoices."""
    balance_minor: int
    """What is owed to the customer."""
    unapplied_minor: int
    """Money that no invoice claimed."""

    @property
    def adds_up(self) -> bool:
        """Whether invoices - credit notes - payments + refunds = open - balance - unapplied cash (I11).

        What was claimed for late payment counts with the invoices, and so does what was brought in from another
        system; a small difference counts with the credit notes.
        """
        asked = self.invoiced_minor + self.claimed_minor + self.brought_in_minor
        asked -= self.credited_minor + self.small_differences_minor
        moved = asked - self.paid_minor + self.refunded_minor
        return moved == self.open_minor + self.claims_open_minor - self.balance_minor - self.unapplied_minor


class NumberedSeries(Value):
    """The numbers given in one series of documents, in order."""

    series: str
    numbers: tuple[int, ...]

    @property
    def missing(self) -> tuple[int, ...]:
        """The gaps."""
        return tuple(sorted(set(range(1, max(self.numbers, default=0) + 1)) - set(self.numbers)))

    @property
    def repeated(self) -> tuple[int, ...]:
        """The numbers that were given twice."""
        return tuple(sorted({number for number in self.numbers if self.numbers.count(number) > 1}))


class Accounts(Value):
    """The books of one test clock, or of real life."""

    payments: tuple[TakenPayment, ...]
    invoices: tuple[InvoiceAccount, ...]
    customers: tuple[CustomerAccount, ...]
    series: tuple[NumberedSeries, ...]
    unbalanced: tuple[str, ...]
    """Journal entries whose lines do not sum to zero."""
    cash_minor: dict[str, int]
    """All cash in the journal, by currency."""


async def read_accounts(session: AsyncSession, clock_id: str | None) -> Accounts:
    """Read everything that lives on a test clock; None is real life."""
    here = col(Invoice.clock_id).is_(None) if clock_id is None else col(Invoice.clock_id) == clock_id
    invoices = (await session.exec(select(Invoice).where(here).order_by(col(Invoice.number)))).all()
    lines = (await session.exec(_journal_of(clock_id))).all()
    attempts = (
        await session.exec(
            select(PaymentAttempt).join(Invoice).where(here).order_by(col(PaymentAttempt.number))
        )
    ).all()
    notes = (await session.exec(select(CreditNote).join(Invoice).where(here))).all()
    numbered = [invoice for invoice in invoices if invoice.number is not None]
    numbers = [(i.series, i.number) for i in numbered if i.number and not i.is_brought_in]
    numbers += [(n.series, n.number) for n in notes]
    return Accounts(
        payments=_payments(attempts, lines),
        invoices=tuple(_invoice(invoice, lines) for invoice in numbered),
        customers=_customers(lines),
        series=_series(numbers),
        unbalanced=_unbalanced(lines),
        cash_minor=_cash(lines),
    )


def _journal_of(clock_id: str | None) -> SelectOfScalar[JournalLine]:
    """Also what is about no invoice; a customer lives on one clock or in real life."""
    lives_here = col(Customer.clock_id).is_(None) if clock_id is None else col(Customer.clock_id) == clock_id
    return (
        select(JournalLine).join(Customer, col(JournalLine.customer_id) == col(Customer.id)).where(lives_here)
    )


def _payments(attempts: Sequence[PaymentAttempt], lines: Sequence[JournalLine]) -> tuple[TakenPayment, ...]:
    cash = _cash_by_attempt(lines)
    earlier: defaultdict[str, int] = defaultdict(int)
    taken = []
    for attempt in attempts:
        if attempt.state in _TAKEN:
            taken.append(
                TakenPayment(
                    attempt_id=attempt.id,
                    attempt_number=attempt.number,
                    trigger=attempt.trigger.value,
                    retry_number=earlier[attempt.invoice_id],
                    invoice_id=attempt.invoice_id,
                    customer_id=attempt.customer_id,
                    charge=attempt.charge,
                    currency=attempt.currency,
                    amount_minor=attempt.amount_minor,
                    booked_minor=cash[attempt.id],
                    at=attempt.settled_at or attempt.begun_at,
                )
            )
        earlier[attempt.invoice_id] += attempt.trigger.is_automatic
    return tuple(sorted(taken, key=lambda payment: (payment.at, payment.attempt_id)))


def _cash_by_attempt(lines: Sequence[JournalLine]) -> Counter[str]:
    """What came in by each attempt, also where it paid several invoices: an entry's name begins with its id."""
    cash: Counter[str] = Counter()
    for line in lines:
        if line.kind == PAYMENT and line.account == CASH:
            cash[line.entry.split("/")[1]] += line.amount_minor
    return cash


def _invoice(invoice: Invoice, lines: Sequence[JournalLine]) -> InvoiceAccount:
    booked: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        if line.invoice_id == invoice.id and line.account == RECEIVABLE:
            booked[line.kind] += line.amount_minor
    return InvoiceAccount(
        invoice_id=invoice.id,
        number=invoice.number or "",
        customer_id=invoice.customer_id,
        subscription_id=invoice.subscription_id,
        currency=invoice.currency,
        status=invoice.status.value,
        total_minor=invoice.total_minor,
        credited_minor=invoice.credited_minor,
        paid_minor=invoice.paid_minor,
        small_difference_minor=invoice.small_difference_minor,
        booked_total_minor=booked[INVOICE] + booked[BROUGHT_IN],
        booked_credited_minor=-sum(booked[kind] for kind in _CLOSES),
        booked_paid_minor=-sum(booked[kind] for kind in _PAYS),
    )


def _customers(lines: Sequence[JournalLine]) -> tuple[CustomerAccount, ...]:
    sums: defaultdict[tuple[str, str], Counter[tuple[str, str]]] = defaultdict(Counter)
    for line in lines:
        sums[line.customer_id, line.currency][line.kind, line.account] += line.amount_minor
    return tuple(
        CustomerAccount(
            customer_id=customer_id,
            currency=currency,
            invoiced_minor=_total(booked, (INVOICE,), (RECEIVABLE,)),
            credited_minor=-_total(booked, _CLOSES, _HELD),
            paid_minor=_total(booked, _PAID, _MONEY) + _taken_back(booked),
            brought_in_minor=_total(booked, _FROM_ELSEWHERE, _HELD),
            refunded_minor=-_total(booked, _GOES_BACK, (*_MONEY, REFUNDS_DUE)),
            small_differences_minor=-_total(booked, _LET_GO, (RECEIVABLE,)),
            claimed_minor=-_total(booked, None, (LATE_INTEREST, RECOVERY_COSTS)),
            claims_open_minor=_total(booked, None, (LATE_RECEIVABLE,)),
            open_minor=_total(booked, None, (RECEIVABLE,)),
            balance_minor=-_total(booked, None, (BALANCE,)),
            unapplied_minor=-_total(booked, None, (UNAPPLIED,)),
        )
        for (customer_id, currency), booked in sorted(sums.items())
    )


def _taken_back(booked: Counter[tuple[str, str]]) -> int:
    """What banks took back, as a negative amount; while one decides the payment counts."""
    return booked[TAKEN_BACK, DISPUTED] - booked[DISPUTE_WON, UNAPPLIED]


def _total(booked: Counter[tuple[str, str]], kinds: Sequence[str] | None, accounts: Sequence[str]) -> int:
    """What entries of some kinds, or of all, booked on some accounts."""
    return sum(
        amount
        for (kind, account), amount in booked.items()
        if account in accounts and (kinds is None or kind in kinds)
    )


def _series(numbered: Iterable[tuple[str, str]]) -> tuple[NumberedSeries, ...]:
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for series, number in numbered:
        numbers[series].append(int(number.removeprefix(f"{series}-")))
    return tuple(
        NumberedSeries(series=series, numbers=tuple(sorted(given)))
        for series, given in sorted(numbers.items())
    )


def _unbalanced(lines: Sequence[JournalLine]) -> tuple[str, ...]:
    sums: Counter[str] = Counter()
    for line in lines:
        sums[line.entry] += line.amount_minor
    return tuple(sorted(entry for entry, amount in sums.items() if amount != 0))


def _cash(lines: Sequence[JournalLine]) -> dict[str, int]:
    cash: Counter[str] = Counter()
    for line in lines:
        if line.account == CASH:
            cash[line.currency] += line.amount_minor
    return dict(cash)
