"""Refusing, at the door, payment terms that French businesses may not agree on (commercial code L441-10)."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import customer_of, entity_of
from billing.agreed import terms_agreed
from billing.commands import BaseCommand, ChangePlan, ChangeTerms
from billing.subscription import CustomerKind
from billing.terms import Terms
from documents.document import FRENCH
from models.tables import Customer, LegalEntity, SubscriptionRow


def check_payment_terms(terms: Terms, entity: LegalEntity, customer: Customer) -> None:
    """Refuse terms above the legal maximum; consumers and foreign customers are free.

    A business whose address is not known yet counts as French where the seller is.

    Raises:
        PaymentTermsTooLong: field `payment_terms`.
    """
    countries = {entity.address.country} | ({customer.address.country} if customer.address else set())
    if customer.kind == CustomerKind.BUSINESS and countries <= FRENCH:
        terms.payment_terms.check_lawful_between_businesses()


async def check_changed_payment_terms(
    session: AsyncSession, row: SubscriptionRow, command: BaseCommand
) -> None:
    """The same for a command that brings other payment terms; whatever else is wrong with it is not looked at.

    Raises:
        PaymentTermsTooLong: field `payment_terms`.
    """
    terms = _brought_by(row.state.pending_terms or row.state.terms, command)
    if terms is not None:
        check_payment_terms(terms, await entity_of(session, row), await customer_of(session, row))


def _brought_by(present: Terms, command: BaseCommand) -> Terms | None:
    match command:
        case ChangePlan(terms=Terms() as terms):
            return terms
        case ChangeTerms(agreed=agreed):
            names = ("collection_method", "payment_terms", "payment_terms_days")
            about_payment = {name: value for name in names if (value := getattr(agreed, name)) is not None}
            return terms_agreed(present, type(agreed)(**about_payment)) if about_payment else None
        case _:
            return None
