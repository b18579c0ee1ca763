"""Refusing, at the door, to bill somebody whose invoices would lack what the law wants on them (rules 18)."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.issuing import buyer_of, seller_of
from activities.books.rows import customer_of, entity_of
from billing.commands import BaseCommand, Change, Resume, When
from billing.errors import InvalidInput
from documents.mentions import Missing, check_buyer_mentions, missing_of_buyer
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


def missing_mentions_of(entity: LegalEntity, customer: Customer) -> tuple[Missing, ...]:
    """What this customer's invoices would lack."""
    return missing_of_buyer(seller_of(entity), buyer_of(customer), customer=customer.id)


def check_keeps_mentions(entity: LegalEntity, customer: Customer, lacked: Collection[str]) -> None:
    """Refuse a change of a customer that takes a mention away; what lacked before may go on lacking.

    Args:
        entity: the seller.
        customer: as they would be.
        lacked: the fields of `missing_mentions_of` before.

    Raises:
        InvalidInput: `field` is the customer's: `siren`, `address`, or a part of the address.
    """
    for missing in missing_mentions_of(entity, customer):
        if missing.field not in lacked:
            raise InvalidInput(f"{missing.what}.", field=missing.field.rpartition(".")[2])
