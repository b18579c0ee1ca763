"""What the customer is told of a promise: that they are charged on its day only where that will be done (rules 25)."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlmodel import select
from support import factories
from support.disputed import Preparing
from support.factories import NEW_YEAR

from activities.books.chasing import open_collection
from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.steering import steer_chase
from billing.payment import AttemptState, DeclineClass
from billing.steering import Promise
from models.database import Database
from models.tables import Message


@pytest.mark.parametrize(
    ("declined", "code", "charged"),
    [
        (DeclineClass.RETRY_LATER, "insufficient_funds", True),
        (DeclineClass.NEW_PAYMENT_METHOD, "expired_card", False),
    ],
)
async def test_a_charge_is_announced_only_where_the_card_may_be_tried(
    sqlite_database: Database, declined: DeclineClass, code: str, *, charged: bool
) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        invoice = await write_invoice(session, anna.subscription, factories.issue(), NEW_YEAR, BookRules())
        invoice.owner, invoice.in_arrears = "collection", True
        collection = await open_collection(session, anna.subscription, invoice, NEW_YEAR)
        collection.noticed_through_day = 0
        session.add(
            factories.attempt(
                anna,
                invoice,
                1,
                state=AttemptState.DECLINED,
                decline_class=declined,
                decline_code=code,
                settled_at=NEW_YEAR,
            )
        )
    async with sqlite_database.write() as session:
        promise = Promise(command_id="p", on=date(2027, 1, 10))
        at = NEW_YEAR + timedelta(days=1)
        await steer_chase(session, Preparing(), BookRules(), promise, invoice_id=invoice.id, at=at)
    async with sqlite_database.read() as session:
        mail = (await session.exec(select(Message).where(Message.kind == "promise_noted"))).one()
    assert mail.context == {"promised_on": "2027-01-10", "charged": charged}
