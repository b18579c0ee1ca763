"""A retry waits for the day on which this payer's money comes, and says so wherever somebody asks."""

from __future__ import annotations

from support.life import Begins

from activities.books.config import BookRules
from models.boundary import CollectionState
from models.tables import SubscriptionRow
from starter.overview import overview_of

NO = "charge declined: insufficient_funds"
WHY = (
    "insufficient funds; retry 2 of 4 on 20 March 2041, moved from 18 March: the day of the month on which this "
    "customer's card worked in February (day 3 of policy monthly v1)"
)


async def test_a_retry_waits_for_the_day_on_which_the_customer_could_pay_before(life: Begins) -> None:
    """In February Anna pays by herself on the 20th. In March the retry of the 18th waits for the 20th."""
    no = "insufficient_funds"
    async with life("2041-01-15") as world:
        anna = await world.signs_up(card=["ok", no, no, no, "ok", no, no, "ok"])
        await world.until("2041-02-20")
        (_, february) = await anna.invoices()
        await world.subscriptions.pay_now(february.id, by="customer")
        await world.until("2041-03-19")
        march = (await anna.invoices())[-1]
        handle = world.client.get_workflow_handle(f"collection/{march.id}")
        state: CollectionState = await handle.query("state", result_type=CollectionState)
        assert state.next.why == WHY
        async with world.database.read() as session:
            row = await session.get_one(SubscriptionRow, anna.subscription_id)
            seen = await overview_of(session, row, BookRules(), await world.present())
        assert WHY in [step.why for step in seen.ahead]
        reminder = [letter for letter in await anna.letters() if letter.kind == "payment_reminder"][-1]
        assert "20 mars 2041" in reminder.text
        await world.until("2041-03-21")
        assert [line for line in await anna.diary() if "charge" in line and line >= "2041-02-15"] == [
            f"2041-02-15 {NO}",
            f"2041-02-16 {NO}",
            f"2041-02-18 {NO}",
            "2041-02-20 charge paid 58.80",
            f"2041-03-15 {NO}",
            f"2041-03-16 {NO}",
            "2041-03-20 charge paid 58.80",
        ]
