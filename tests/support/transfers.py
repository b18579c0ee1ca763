"""Transfers through the same transactions as the command line's, without Temporal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.bank_import import book_entry
from activities.books.chasing import open_collection
from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.transfers import Booked, Desk, record_payment
from activities.camt import read_camt
from activities.gateway import Charge, PreparedRequest
from activities.stripe_requests import prepare
from billing.prices import Price
from billing.transfer_commands import RecordPayment
from models.database import Database
from models.tables import Invoice, JournalLine, Message
from support import factories
from support.factories import Someone

AT = datetime(2027, 3, 12, 9, 0, tzinfo=UTC)
"""10:00 on 12 March 2027 in Paris."""
ISSUED = datetime(2027, 1, 31, 9, 0, tzinfo=UTC)


class Prepares:
    """The part of the payment gateway that needs no network."""

    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


def desk(session: AsyncSession, at: datetime = AT, rules: BookRules | None = None) -> Desk:
    return Desk(session, Prepares(), rules or BookRules(), at)


async def acme(session: AsyncSession, **changes: Any) -> Someone:
    """A French business that pays by transfer within 30 days, 100.00 net and 120.00 with VAT a month."""
    terms = factories.terms(
        collection_method="transfer",
        payment_terms_days=30,
        prices=(Price(id="base", unit_amount=Decimal("100.00")),),
    )
    someone = await factories.someone(session, with_method=False, terms=terms, **changes)
    someone.entity.iban = "FR7630006000011234567890189"
    someone.customer.name, someone.customer.kind = "ACME SARL", "business"
    someone.customer.siren = "542107651"
    return someone


async def bill(session: AsyncSession, of: Someone, *, month: int = 1, at: datetime = ISSUED) -> Invoice:
    """An invoice of 120.00, due on 2 March 2027, with its chase."""
    period = {1: factories.JANUARY, 2: factories.FEBRUARY}[month]
    issue = factories.issue(period, terms=of.subscription.state.terms)
    invoice = await write_invoice(session, of.subscription, issue, at, BookRules())
    await open_collection(session, of.subscription, invoice, at)
    return invoice


async def record(
    database: Database,
    *invoices: Invoice,
    amount_minor: int,
    command_id: str = "seen-1",
    at: datetime = AT,
    **changes: Any,
) -> Booked:
    """Record a transfer of 10 March 2027 by hand."""
    given: dict[str, Any] = {
        "command_id": command_id,
        "invoices": tuple(invoice.id for invoice in invoices),
        "amount_minor": amount_minor,
        "received_on": date(2027, 3, 10),
        "by": "tests",
    }
    async with database.write() as session:
        return await record_payment(desk(session, at), RecordPayment(**given | changes))


async def import_file(database: Database, entity_id: str, content: bytes) -> list[Booked]:
    """Book every entry of a bank file, each in a transaction of its own."""
    done = []
    for statement in read_camt(content):
        for entry in statement.entries:
            async with database.write() as session:

                async def open_desk(_: str | None, session: AsyncSession = session) -> Desk:
                    return desk(session)

                done.append(
                    await book_entry(
                        session, entity_id, entry, statement=statement.id, now=AT, desk=open_desk
                    )
                )
    return done


async def accounts(database: Database, customer_id: str) -> dict[str, int]:
    """What every account of the journal has for a customer; all entries sum to zero."""
    async with database.read() as session:
        query = select(JournalLine).where(JournalLine.customer_id == customer_id)
        lines: Sequence[JournalLine] = (await session.exec(query)).all()
    sums: defaultdict[str, int] = defaultdict(int)
    entries: defaultdict[str, int] = defaultdict(int)
    for line in lines:
        sums[line.account] += line.amount_minor
        entries[line.entry] += line.amount_minor
    assert set(entries.values()) <= {0}
    return {account: amount for account, amount in sums.items() if amount}


async def fresh(database: Database, invoice: Invoice) -> Invoice:
    """The invoice as it is now."""
    async with database.read() as session:
        return await session.get_one(Invoice, invoice.id)


async def mails(database: Database, customer_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Kind and context of the mails to a customer but those of the issue, in the order of their ids."""
    async with database.read() as session:
        query = (
            select(Message)
            .where(Message.customer_id == customer_id, Message.kind != "invoice_issued")
            .order_by(col(Message.at), col(Message.id))
        )
        return [(mail.kind, mail.context) for mail in (await session.exec(query)).all()]
