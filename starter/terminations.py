"""Ending a contract without signing in, as French law asks for (consumer code, L215-1-1).

Whoever names the customer, their mail address or the contract may ask. So that nobody ends somebody else's contract, it
ends with its period and never at once; the confirmation goes to the addresses that we know, and it can be taken back.
"""

from __future__ import annotations

import json
import logging
from datetime import date

from sqlalchemy import String, cast, func
from sqlmodel import col, or_, select

from billing.calendar import local_date
from billing.commands import Cancel
from billing.errors import RelanceError
from billing.values import Value
from models.ids import derived_id
from models.tables import Customer, SubscriptionRow
from starter.connections import Connections
from starter.finding import REFERENCE
from starter.subscriptions import Subscriptions

logger = logging.getLogger(__name__)

REASON = "asked for without signing in"


class TerminationAsked(Value):
    """What somebody wrote."""

    name: str
    email: str
    contract: str = ""
    """Reference of the contract, if it was at hand."""
    on: date | None = None
    """A later day on which it is to end; None is the end of the period."""
    request_id: str
    """Of the form: sent twice, it is one."""


class Terminations:
    """Carries out what was asked for, where it fits a contract. Who asked is told the same either way."""

    def __init__(self, to: Connections, subscriptions: Subscriptions) -> None:
        self._to = to
        self._subscriptions = subscriptions

    async def ask(self, asked: TerminationAsked) -> int:
        """Cancel the contracts that are meant, with the period that runs or that holds the day; how many there were.

        The mail address has to be one of the customer's, and the name or the contract has to be theirs too. Without a
        contract all that they have are meant.
        """
        meant = await self._meant(asked)
        for row in meant:
            command = Cancel(
                command_id=derived_id("cmd", asked.request_id, row.id),
                by="customer",
                reason=REASON,
                on=await self._day_of(row, asked),
            )
            try:
                await self._subscriptions.tell(row.id, command)
            except RelanceError as problem:
                logger.warning("The contract %s could not be ended as asked: %s", row.id, problem)
        return len(meant)

    async def _day_of(self, row: SubscriptionRow, asked: TerminationAsked) -> date | None:
        """The day that is wished, unless it is over where the customer lives: then the period's end is meant."""
        async with self._to.database.read() as session:
            now = await self._to.now(session, row.clock_id)
        return asked.on if asked.on and asked.on >= local_date(now, row.state.timezone) else None

    async def _meant(self, asked: TerminationAsked) -> list[SubscriptionRow]:
        wanted = asked.email.strip().lower()
        mails = func.lower(cast(col(Customer.contacts), String))
        # How a database writes what is not ASCII is its own affair.
        written = {wanted, json.dumps(wanted)[1:-1]}
        has_mail = or_(*(mails.contains(each, autoescape=True) for each in written))
        async with self._to.database.read() as session:
            query = select(SubscriptionRow, Customer).where(
                SubscriptionRow.customer_id == Customer.id, has_mail
            )
            found = (await session.exec(query)).all()
        return [row for row, customer in found if _is_meant(row, customer, asked)]


def _is_meant(row: SubscriptionRow, customer: Customer, asked: TerminationAsked) -> bool:
    mails = {contact["email"].lower() for contact in customer.contacts}
    if row.state.is_over or asked.email.strip().lower() not in mails:
        return False
    if asked.contract:
        return asked.contract.removeprefix(REFERENCE) in {row.id, row.reference}
    return _plain(asked.name) == _plain(customer.name)


def _plain(name: str) -> str:
    return " ".join(name.lower().split())
