"""A hand-over that is cut short is made again: no invoice is left without a chase (I8)."""

from typing import Any

import pytest
from support import factories
from support.factories import NEW_YEAR

from activities import stripe_requests
from activities.books.chasing import open_collection
from activities.books.config import BookRules
from activities.books.standing import duties_of
from activities.launching import Launcher
from models.boundary import CollectionRun
from models.database import Database
from models.tables import SubscriptionRow


class CutOff:
    """Temporal's client on a line that breaks on the first start."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.breaks = True

    async def start_workflow(self, _: str, run: CollectionRun, *, id: str, **_options: object) -> None:  # noqa: A002
        if self.breaks:
            self.breaks = False
            raise ConnectionResetError
        assert run.case is not None
        self.started.append(id)


async def test_a_start_that_got_lost_stays_a_duty_until_it_is_made(sqlite_database: Database) -> None:
    async with sqlite_database.write() as session:
        anna = await factories.someone(session)
        invoice = factories.invoice(anna)
        session.add(invoice)
        await session.flush()
        await open_collection(session, anna.subscription, invoice, NEW_YEAR)
    client: Any = CutOff()
    launcher = Launcher(sqlite_database, stripe_requests, BookRules(), client, task_queue="relance")
    run = CollectionRun(invoice_id=invoice.id, subscription_id=anna.subscription.id, as_of=NEW_YEAR)

    async def to_start() -> tuple[str, ...]:
        async with sqlite_database.read() as session:
            row = await session.get_one(SubscriptionRow, anna.subscription.id)
            return (await duties_of(session, row)).collect

    with pytest.raises(ConnectionResetError):
        await launcher.start_collection(run)
    assert await to_start() == (invoice.id,)

    await launcher.start_collection(run)
    assert client.started == [f"collection/{invoice.id}"]
    assert await to_start() == ()
