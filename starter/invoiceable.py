"""Refusing, at the door, to bill somebody whose invoices would lack what the law wants on them (rules 18)."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.issuing import buyer_of, seller_of
from activities.books.rows import customer_of, entity_of
from billing.commands import BaseCommand, Change, Resume, When
from documents.mentions import check_buyer_mentions
from models.tables import Customer, LegalEntity, SubscriptionRow


def check_can_be_invoiced(entity: LegalEntity, customer: Customer) -> None:
    """Refuse a customer whose invoices would lack a mention that the law wants, before anything begins (rules 18).

    Raises:
        MentionsMissing: names every one, and what to run.
    """
    check_buyer_mentions(seller_of(entity), buyer_of(customer), customer=customer.id)


async def check_can_be_billed(session: AsyncSession, row: SubscriptionRow, command: BaseCommand) -> None:
    """The same for a command that bills at once: it would park the subscription.

    Raises:
        MentionsMissing: names every one, and what to run.
    """
    bills_now = isinstance(command, Change) and command.when is When.NOW
    comes_back = isinstance(command, Resume) and row.state.parked is None
    if (bills_now or comes_back) and not row.state.is_over:
        check_can_be_invoiced(await entity_of(session, row), await customer_of(session, row))
