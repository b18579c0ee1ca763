"""What must hold in the books of one subscription whatever happened, and what its documents are worth."""

from __future__ import annotations

from datetime import date

from activities.books.journal import balances
from activities.books.printing import printed_document
from billing.refund import RefundState
from models.tables import CreditNote, Invoice
from sandbox.demo.checking import check
from starter.accounts import read_accounts
from support.bookkeeping import Bookkeeping, Page


def measure(page: Page, document: Invoice | CreditNote) -> int:
    """What its lines sum to: gross where prices contain the tax."""
    return document.total_minor if page.state.terms.tax_included else document.net_minor


def worth(page: Page, *, gross: bool = False) -> int:
    """All invoices less all credit notes."""
    if gross:
        charged = sum(invoice.total_minor for invoice in page.issued.values())
        return charged - sum(note.total_minor for note in page.notes)
    charged = sum(measure(page, invoice) for invoice in page.issued.values())
    return charged - sum(measure(page, note) for note in page.notes)


def left_from(page: Page, day: date) -> int:
    """What is left to give back on the invoices that reach beyond a day."""
    reaching = {key: invoice for key, invoice in page.issued.items() if invoice.period_end > day}
    notes = sum(measure(page, note) for note in page.notes if note.invoice_id in reaching)
    return sum(measure(page, invoice) for invoice in reaching.values()) - notes


async def assert_adds_up(books: Bookkeeping) -> None:
    """Lines sum to totals, credits never exceed charges (I6), and the journal agrees with the documents (I11)."""
    page = await books.look()
    for invoice in page.issued.values():
        _assert_lines_sum(page, invoice, 1)
        notes = [note for note in page.notes if note.invoice_id == invoice.id]
        for name in ("net_minor", "vat_minor", "total_minor"):
            assert sum(getattr(note, name) for note in notes) <= getattr(invoice, name)
    for note in page.notes:
        _assert_lines_sum(page, note, -1)
    async with books.database.read() as session:
        booked = await balances(session, books.customer_id)
    in_journal = {account: amount for (account, _), amount in booked.items()}
    paid = sum(int(charge["amount"]) for charge in books.charges)
    refunded = sum(refund.amount_minor for refund in page.refunds if refund.state is not RefundState.FAILED)
    small = in_journal.get("small_difference", 0)
    is_open, balance = in_journal.get("receivable", 0), -in_journal.get("balance", 0)
    unapplied = -in_journal.get("unapplied_cash", 0)
    assert worth(page, gross=True) - small - paid + refunded == is_open - balance - unapplied
    assert is_open == sum(invoice.open_minor for invoice in page.issued.values())
    assert min(balance, unapplied) >= 0
    # Stripe takes dinars in steps of ten fils.
    assert 0 <= small <= (9 * len(books.charges) if books.currency == "KWD" else 0)


def _assert_lines_sum(page: Page, document: Invoice | CreditNote, sign: int) -> None:
    lines = page.lines_of(document.id)
    assert sum(line.net_minor for line in lines) == sign * document.net_minor
    assert sum(line.line.amount_minor for line in lines) == sign * measure(page, document)


async def assert_prints(books: Bookkeeping) -> None:
    """Each document can be printed with the amounts that it has; a document that does not add up cannot be made."""
    page = await books.look()
    documents: list[Invoice | CreditNote] = [*page.issued.values(), *page.notes]
    async with books.database.read() as session:
        for document in documents:
            printed = await printed_document(session, document.id)
            assert printed.total_minor == document.total_minor
            assert printed.tax_included is page.state.terms.tax_included


async def assert_demo_agrees(books: Bookkeeping) -> None:
    """The check that the demo makes finds no difference either."""
    async with books.database.read() as session:
        accounts = await read_accounts(session, books.clock_id)
    assert check(accounts, books.ledger, (), mails_sent=0, names={}).differences == ()
