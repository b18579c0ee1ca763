"""Our books against the provider's ledger, to the cent (I1, I4, I11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fakes import FakeStripe
from sqlmodel import SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.payment import AttemptState
from models.database import Database
from models.tables import Invoice, InvoiceStatus, JournalLine, PaymentAttempt
from starter.accounts import read_accounts


def charged(fake: FakeStripe) -> list[int]:
    """What was really charged at the provider, in minor units and in order."""
    return [charge["amount"] for charge in fake.get("ledger")["charges"]]


def answers(fake: FakeStripe) -> list[str]:
    """What the bank answered to each authorisation, in order."""
    return [attempt["outcome"] for attempt in fake.get("attempts")]


async def assert_books_agree(database: Database, fake: FakeStripe) -> None:
    """Every charge at the provider is one booked attempt of that amount, and the journal adds up to it."""
    async with database.read() as session:
        attempts = await _all(session, PaymentAttempt)
        lines = await _all(session, JournalLine)
        invoices = await _all(session, Invoice)
    booked = Counter(
        (attempt.charge, attempt.amount_minor)
        for attempt in attempts
        if attempt.state in (AttemptState.SUCCEEDED, AttemptState.RETURNED)
    )
    ledger = fake.get("ledger")
    assert booked == Counter((charge["id"], charge["amount"]) for charge in ledger["charges"])
    net = sum(total["net"] for total in ledger["totals"].values())
    assert _balance(lines, "cash") == net
    for customer_id in {invoice.customer_id for invoice in invoices}:
        _assert_customer_adds_up(
            [line for line in lines if line.customer_id == customer_id],
            [invoice for invoice in invoices if invoice.customer_id == customer_id],
        )
    _assert_numbers_have_no_gap(invoices)


async def assert_accounts_agree(database: Database) -> None:
    """Each customer's journal adds up (I11), and each document says what the journal says of it."""
    async with database.read() as session:
        accounts = await read_accounts(session, None)
    assert accounts.unbalanced == ()
    assert [one for one in accounts.customers if not one.adds_up] == []
    for one in accounts.invoices:
        assert (one.total_minor, one.credited_minor, one.paid_minor) == (
            one.booked_total_minor,
            one.booked_credited_minor,
            one.booked_paid_minor,
        )


def _balance(lines: Sequence[JournalLine], account: str) -> int:
    return sum(line.amount_minor for line in lines if line.account == account)


def _assert_customer_adds_up(lines: Sequence[JournalLine], invoices: Sequence[Invoice]) -> None:
    """Invoices - credit notes - payments + refunds = open - balance - unapplied cash (I11).

    What was too little to be asked for counts as credited (rules 17).
    """
    earned = ("revenue", "vat", "small_difference", "late_interest", "recovery_costs")
    turnover = -sum(_balance(lines, account) for account in earned)
    receivable = _balance(lines, "receivable") + _balance(lines, "late_receivable")
    owed = -_balance(lines, "balance") - _balance(lines, "unapplied_cash")
    # Money in the bank's hands, on its way back, or kept by the provider was paid all the same.
    elsewhere = sum(
        _balance(lines, account) for account in ("bank", "refunds_due", "disputed", "provider_fees")
    )
    assert turnover - _balance(lines, "cash") - elsewhere == receivable - owed
    claims = (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)
    assert receivable == sum(invoice.open_minor for invoice in invoices if invoice.status in claims)


def _assert_numbers_have_no_gap(invoices: Sequence[Invoice]) -> None:
    by_series: dict[str, list[int]] = {}
    for invoice in invoices:
        if invoice.number is not None:
            by_series.setdefault(invoice.series, []).append(int(invoice.number.rpartition("-")[2]))
    for series, numbers in by_series.items():
        assert sorted(numbers) == list(range(1, len(numbers) + 1)), series


async def _all(session: AsyncSession, table: type[SQLModel]) -> Sequence[Any]:
    return (await session.exec(select(table))).all()
