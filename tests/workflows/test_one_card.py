"""Several subscriptions on one card: what the card networks allow holds over all of them (rules 26, 27)."""

from __future__ import annotations

from support.life import Begins, Life, Person, Script

from starter.orders import NewSubscription

NO = "charge declined: insufficient_funds"


async def signs_up_again(world: Life, first: Person, reference: str) -> Person:
    """One more subscription of the same customer."""
    person = Person(world, first.reference, first.customer_id, first.method)
    order = NewSubscription(reference=reference, customer=first.customer_id, plan="pro")
    person.subscription_id = (await world.subscriptions.start(order)).subscription_id
    await world.settle()
    return person


async def three_days_running(world: Life, card: Script) -> list[Person]:
    """Anna signs up on 26, 27 and 28 January, so that she is billed on 26, 27 and 28 February."""
    people = [await world.signs_up(card=card)]
    for day in (27, 28):
        await world.until(f"2041-01-{day}")
        people.append(await signs_up_again(world, people[0], f"anna-{day}"))
    return people


async def charges(people: list[Person]) -> list[str]:
    """What the bank was asked from 26 February on: the day, whose invoice it was, and the answer."""
    lines = []
    for number, person in enumerate(people, start=1):
        asked = [line for line in await person.diary() if line[11:].startswith("charge")]
        lines += [f"{line[:10]} {number} {line[11:]}" for line in asked if line >= "2041-02-26"]
    return sorted(lines)


async def test_a_card_without_money_is_tried_again_once_a_day_oldest_first(life: Begins) -> None:
    async with life("2041-01-26") as world:
        people = await three_days_running(world, ["ok", "ok", "ok", "insufficient_funds until 2041-03-05"])
        await world.until("2041-03-08")
        assert await charges(people) == [
            f"2041-02-26 1 {NO}",
            f"2041-02-27 1 {NO}",
            f"2041-02-27 2 {NO}",  # a first charge, which no repeat of another invoice holds back
            f"2041-02-28 2 {NO}",
            f"2041-02-28 3 {NO}",
            f"2041-03-01 1 {NO}",  # and not the third invoice, whose first retry this day is
            f"2041-03-02 2 {NO}",  # nor today
            f"2041-03-03 3 {NO}",  # which is the day of its second: one charge for both
            "2041-03-05 1 charge paid 58.80",
            "2041-03-06 2 charge paid 58.80",
            "2041-03-07 3 charge paid 58.80",
        ]


async def test_while_it_pays_the_next_one_goes_the_same_morning(life: Begins) -> None:
    async with life("2041-01-26") as world:
        people = await three_days_running(world, ["ok", "ok", "ok", "insufficient_funds until 2041-03-01"])
        await world.until("2041-03-03")
        assert (await charges(people))[-4:] == [
            f"2041-02-28 3 {NO}",
            "2041-03-01 1 charge paid 58.80",
            "2041-03-01 3 charge paid 58.80",
            "2041-03-02 2 charge paid 58.80",
        ]


async def test_reminders_of_a_day_are_one_mail(life: Begins) -> None:
    """All three are billed on 28 February. Whichever is charged that day, each has its line and the mail is one."""
    async with life("2041-01-31") as world:
        people = [await world.signs_up(card={"outcomes": ["ok"] * 3, "then": "insufficient_funds"})]
        for reference in ("anna-2", "anna-3"):
            people.append(await signs_up_again(world, people[0], reference))
        await world.until("2041-03-03")
        for person in people:
            assert "2041-03-03 mail payment_reminder" in await person.diary()
        (letter,) = [one for one in await people[0].letters() if one.kind == "payment_reminder"]
        assert letter.subject.endswith("Rappel\u00a0: 176,40\u00a0€ à régler")
        for person in people:
            assert str((await person.invoices())[-1].number) in letter.text
