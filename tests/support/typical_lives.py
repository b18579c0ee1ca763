"""Typical lives, lived to be recorded: each pauses where an execution would sleep while a new release comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from billing.commands import Cancel, ChangePlan, ChangeQuantity, KeepSubscription, Pause, Resume, When
from support.life import Life, Person

Story = Callable[[Life], AsyncGenerator[Person, None]]
"""Lives on in a world, and hands the person out whenever a picture should be taken."""

NEVER = {"outcomes": ["ok"], "then": "insufficient_funds"}
"""A card that works once."""


async def trial(world: Life) -> AsyncGenerator[Person, None]:
    """Asleep in the trial, then in the first paid month."""
    person = await world.signs_up("quitterie", plan="trial")
    await world.until("2041-02-05")
    yield person
    await world.until("2041-02-20")
    yield person


async def happy(world: Life) -> AsyncGenerator[Person, None]:
    """Three months in which nothing goes wrong."""
    person = await world.signs_up("enguerrand")
    await world.until("2041-04-15")
    yield person


async def yearly(world: Life) -> AsyncGenerator[Person, None]:
    """Asleep for most of a year."""
    person = await world.signs_up("philippine", plan="year")
    await world.until("2041-06-15")
    yield person


async def retries(world: Life) -> AsyncGenerator[Person, None]:
    """A month with four failed retries: asleep between two of them, after the last, and unpaid."""
    person = await world.signs_up("gonzague", card=NEVER)
    await world.until("2041-03-05")
    yield person
    await world.until("2041-03-18")
    yield person
    await world.until("2041-03-25")
    yield person


async def unpaid_and_back(world: Life) -> AsyncGenerator[Person, None]:
    """Suspended at the end of the policy, and back with another card."""
    person = await world.signs_up("hildegarde", card=NEVER)
    await world.until("2041-03-25")
    await person.replaces_card()
    await world.until("2041-03-28")
    yield person


async def recovered(world: Life) -> AsyncGenerator[Person, None]:
    """The second retry works."""
    person = await world.signs_up("barnabe", card=["ok", "insufficient_funds", "insufficient_funds", "ok"])
    await world.until("2041-03-10")
    yield person


async def new_card(world: Life) -> AsyncGenerator[Person, None]:
    """Another card in the middle of the chase."""
    person = await world.signs_up("clotilde", card=NEVER)
    await world.until("2041-03-02")
    await person.replaces_card()
    await world.until("2041-03-10")
    yield person


async def plan_change(world: Life) -> AsyncGenerator[Person, None]:
    """Another plan and more seats at the period's end: asleep with the change pending, then changed."""
    person = await world.signs_up("ladislas", plan="team", quantity=3)
    await world.until("2041-02-10")
    await person.tells(ChangeQuantity(command_id="seats", quantity=5))
    await world.settle()
    yield person
    await world.until("2041-03-10")
    await person.sends(ChangePlan(command_id="plan", plan_id="max", quantity=1))
    await world.until("2041-04-10")
    yield person


async def cancel_now(world: Life) -> AsyncGenerator[Person, None]:
    """Cancelled while something is owed."""
    person = await world.signs_up("radegonde", card=NEVER)
    await world.until("2041-03-02")
    await person.tells(Cancel(command_id="enough", when=When.NOW))
    await world.until("2041-03-12")
    yield person
    await world.until("2041-03-25")
    yield person


async def cancel_at_the_end(world: Life) -> AsyncGenerator[Person, None]:
    """Asleep with the cancel pending; taken back, given again, and over."""
    person = await world.signs_up("theodule")
    await world.until("2041-02-10")
    await person.tells(Cancel(command_id="leaving"))
    await world.settle()
    yield person
    await person.tells(KeepSubscription(command_id="staying"))
    await world.until("2041-02-12")
    await person.sends(Cancel(command_id="leaving-again"))
    await world.until("2041-03-05")
    yield person


async def pause(world: Life) -> AsyncGenerator[Person, None]:
    """Asleep while paused, then back."""
    person = await world.signs_up("scholastique")
    await world.until("2041-02-10")
    await person.tells(Pause(command_id="break"))
    await world.until("2041-03-10")
    yield person
    await person.tells(Resume(command_id="back"))
    await world.until("2041-03-15")
    yield person


async def parked(world: Life) -> AsyncGenerator[Person, None]:
    """Somebody pressed Cancel in the UI: asleep until a person resumes it."""
    person = await world.signs_up("venceslas")
    await world.until("2041-02-10")
    await world.client.get_workflow_handle(f"subscription/{person.subscription_id}").cancel()
    await world.until("2041-02-12")
    yield person
    await person.tells(Resume(command_id="mended"))
    await world.until("2041-03-05")
    yield person


async def gated(world: Life) -> AsyncGenerator[Person, None]:
    """A sign-up that is never paid: asleep before the deadline, then expired."""
    person = await world.signs_up("apolline", card={"then": "insufficient_funds"})
    await world.until("2041-01-31", hour=20)
    yield person
    await world.until("2041-02-02")
    yield person


async def recycled(world: Life) -> AsyncGenerator[Person, None]:
    """Sent into a new run while past due."""
    person = await world.signs_up("melchior", card=NEVER)
    await world.until("2041-03-02")
    await world.client.get_workflow_handle(f"subscription/{person.subscription_id}").signal("recycle")
    await world.until("2041-03-05")
    yield person


ON_TEMPORALS_TIME: dict[str, Story] = {
    story.__name__: story
    for story in (
        trial, happy, yearly, retries, unpaid_and_back, recovered, new_card, plan_change,
        cancel_now, cancel_at_the_end, pause, gated, recycled,
    )
}  # fmt: skip

ON_A_TEST_CLOCK: dict[str, Story] = {"clocked_happy": happy, "clocked_retries": retries, "parked": parked}
"""The time-skipping server cannot continue as new what was cancelled once, so `parked` lives here."""

LIVES = (*ON_TEMPORALS_TIME, *ON_A_TEST_CLOCK)

PEOPLE = (
    "apolline", "barnabe", "clotilde", "enguerrand", "gonzague", "hildegarde", "ladislas", "melchior",
    "philippine", "quitterie", "radegonde", "scholastique", "theodule", "venceslas",
)  # fmt: skip
"""Everybody's name; the mail address is `<name>@example.com`. None of it may be in a history."""
