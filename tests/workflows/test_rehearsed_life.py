"""What is rehearsed on paper is what then happens: the same payers by the simulator and by the collection workflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from fakes import FakeStripe
from sqlmodel import col, select
from support.life import Person, skipping
from support.mailroom import Mailbox
from support.rehearsing import diary, everybody

from billing.dunning import MONTHLY
from models.database import Database
from models.tables import PaymentAttempt
from rehearsal.chase import Chases, Story
from rehearsal.payers import Payer
from rehearsal.population import Cause, Population

RENEWAL = datetime(2041, 2, 27, 23, 0, tzinfo=UTC)
"""Midnight in Paris before 28 February: the renewal of who signed up on 31 January."""
PROMPT = timedelta(minutes=1)
"""A workflow acts within seconds of its instant; on paper it acts at once."""


def rehearsed(population: Population, *triggers: str) -> Story:
    """The first payer whose charges have these triggers, the last of them paid."""
    for number in count():
        story = Chases(MONTHLY).play(Payer(population, seed=1, number=number, failed_at=RENEWAL))
        if [one.trigger for one in story.tries] == list(triggers) and story.paying is not None:
            return story
    raise AssertionError


def card_of(story: Story) -> list[str]:
    """Pays at the sign-up, and then gives the very answers that were drawn."""
    drawn = [one.answer for one in story.tries if one.trigger.is_automatic]
    return ["ok", *("ok" if answer == "paid" else answer for answer in drawn)]


async def attempts_on_the_renewal(person: Person) -> list[PaymentAttempt]:
    renewal = (await person.invoices())[1]
    query = select(PaymentAttempt).where(PaymentAttempt.invoice_id == renewal.id)
    async with person.life.database.read() as session:
        return list((await session.exec(query.order_by(col(PaymentAttempt.number)))).all())


async def assert_lived_as_rehearsed(person: Person, story: Story) -> None:
    lived = await attempts_on_the_renewal(person)
    assert [(row.trigger, row.decline_code or "paid") for row in lived] == [
        (one.trigger, one.answer) for one in story.tries
    ]
    late = [row.begun_at - one.begun_at for row, one in zip(lived, story.tries, strict=True)]
    assert all(timedelta(0) <= by < PROMPT for by in late), late


async def test_a_rehearsed_payer_is_charged_at_the_same_instants_in_life(
    sqlite_database: Database, fake_stripe: FakeStripe, mailbox: Mailbox
) -> None:
    funds = rehearsed(everybody(Cause.INSUFFICIENT_FUNDS), "first", "retry", "retry", "retry")
    technical = rehearsed(everybody(Cause.TECHNICAL), "first", "repeat", "retry")
    acts = everybody(Cause.GENERIC, acts_on_mail={0: 0.0, 2: 0.0, 3: 1.0, 4: 0.0}, acts_after_days=0.6)
    moved = rehearsed(acts, "first", "retry", "retry", "method_replaced")
    assert diary(technical) == [
        "02-27 23:00 first processing_error",
        "02-27 23:00 mail",
        "02-28 01:00 repeat processing_error",
        "03-01 08:00 retry paid",
    ]

    async with skipping(sqlite_database, fake_stripe, mailbox.address, begins="2041-01-31") as world:
        fay = await world.signs_up("fay", card=card_of(funds))
        tom = await world.signs_up("tom", card=card_of(technical))
        may = await world.signs_up("may", card=card_of(moved))
        await world.move_to(moved.tries[-1].begun_at)
        await may.replaces_card()
        await world.until("2041-03-25")

        await assert_lived_as_rehearsed(fay, funds)
        await assert_lived_as_rehearsed(tom, technical)
        await assert_lived_as_rehearsed(may, moved)
