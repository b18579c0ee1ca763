"""Nothing ends a subscription but its end: whatever fails, it waits for a person and goes on when told to."""

import pytest
from fakes import FakeStripe
from sqlmodel import col, select
from support.diaries import joined, renewed
from support.life import Begins, Life

from activities.books import steps
from billing.commands import Cancel, Resume
from models.tables import OutgoingEvent


async def broken(*_: object) -> None:
    raise LookupError("the row of the policy is gone")


class Flaky:
    """A database that is away for some calls."""

    def __init__(self, name: str, times: int) -> None:
        self._real = getattr(steps, name)
        self.left = times

    async def __call__(self, *arguments: object) -> object:
        if self.left > 0:
            self.left -= 1
            raise ConnectionError("the database is away")
        return await self._real(*arguments)


async def test_a_database_that_is_away_is_asked_again(life: Begins, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a local activity goes on: an ordinary one takes over, without end (engine 17)."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up()
        away = Flaky("take_step", times=5)
        monkeypatch.setattr(steps, "take_step", away)
        await world.until("2041-03-02")
        assert away.left == 0
        assert (await anna.state()).subscription.parked is None
        assert "2041-02-28 charge paid 58.80" in await anna.diary()


@pytest.mark.parametrize("life", ["clocked"], indirect=True)
async def test_a_fault_parks_and_resume_goes_on(life: Begins, monkeypatch: pytest.MonkeyPatch) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up()
        with monkeypatch.context() as fault:
            fault.setattr(steps, "take_step", broken)
            await world.until("2041-03-02")
            state = await anna.state()
            assert state.subscription.parked is not None
            assert state.subscription.parked.reason == "LookupError: the row of the policy is gone"
            assert state.subscription.status == "active"
        await anna.tells(Resume(command_id="mended"))
        await world.until("2041-03-03")
        assert (await anna.state()).subscription.parked is None
        assert "2041-03-02 charge paid 58.80" in await anna.diary()


@pytest.mark.parametrize("life", ["clocked"], indirect=True)
async def test_a_command_that_met_a_fault_is_carried_out_after_the_resume(
    life: Begins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was accepted: a customer whose cancel got lost would be billed on (engine 13)."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up()
        await world.until("2041-02-10")
        with monkeypatch.context() as fault:
            fault.setattr(steps, "apply_command", broken)
            await anna.tells(Cancel(command_id="enough"))
            await world.settle()
            state = await anna.state()
            assert state.subscription.parked is not None
            assert state.queued_commands == 1
        await anna.tells(Resume(command_id="mended"))
        await world.until("2041-03-10")
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-10 parked",
            "2041-02-10 resumed from parked",
            "2041-02-10 cancel asked for 2041-02-28",
            "2041-02-10 mail cancel_scheduled",
            "2041-02-28 status canceled: canceled at the end of the period",
            "2041-02-28 access ends",
            "2041-02-28 mail subscription_canceled",
        ]


@pytest.mark.parametrize("life", ["clocked"], indirect=True)
async def test_it_parks_also_when_the_books_cannot_write_that_down(
    life: Begins, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up()
        with monkeypatch.context() as fault:
            fault.setattr(steps, "take_step", broken)
            fault.setattr(steps, "park", broken)
            await world.until("2041-03-02")
            state = await anna.state()
            assert state.subscription.parked is not None
            assert state.subscription.parked.reason == "LookupError: the row of the policy is gone"
        await anna.tells(Resume(command_id="mended"))
        await world.until("2041-03-03")
        assert (await anna.state()).subscription.parked is None
        assert "2041-03-02 charge paid 58.80" in await anna.diary()


@pytest.mark.parametrize("life", ["clocked"], indirect=True)
async def test_a_charge_that_the_provider_calls_wrong_parks_and_loses_no_invoice(
    life: Begins, fake_stripe: FakeStripe
) -> None:
    """Nothing was charged; the collection tries again two hours later, and the customer hears of no failure."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up()
        await world.until("2041-02-27")
        fake_stripe.post("faults", {"match": {"path": "^/v1/payment_intents"}, "status": 400})
        await world.until("2041-02-28", hour=1)
        parked = (await anna.state()).subscription.parked
        assert parked is not None
        assert "The sandbox was told to fail" in parked.reason
        await world.until("2041-03-01")
        await anna.tells(Resume(command_id="mended"))
        await world.until("2041-04-02")
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 charge abandoned",
            "2041-02-28 parked",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 charge paid 58.80",
            "2041-02-28 mail receipt",
            "2041-03-01 resumed from parked",
            *renewed("2041-03-31", "58.80"),
        ]


@pytest.mark.parametrize("life", ["clocked"], indirect=True)
async def test_u14_whoever_reads_only_events_lets_the_customer_in_for_as_long_as_it_is_parked(
    life: Begins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each later instant is told a day before the one that was told last has passed."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up()
        with monkeypatch.context() as fault:
            fault.setattr(steps, "take_step", broken)
            await world.until("2041-02-28")
        state = await anna.state()
        assert (state.next.what, state.next.due) == ("wait", None)
        assert state.next.why.startswith("parked: LookupError")
        await world.until("2041-03-21")
        await anna.tells(Resume(command_id="mended"))
        await world.until("2041-03-22")
        assert await told_of_access(world) == [
            "2041-01-31 09:00 access.granted 2041-02-28 23:00",
            "2041-02-27 23:00 access.changed 2041-03-07 23:00",
            "2041-03-06 23:00 access.changed 2041-03-14 23:00",
            "2041-03-13 23:00 access.changed 2041-03-21 23:00",
            "2041-03-20 23:00 access.changed 2041-03-28 23:00",
            "2041-03-21 11:00 access.changed 2041-03-31 23:00",
        ]


async def told_of_access(world: Life) -> list[str]:
    """Every event about access, with the instant until which it lets the customer in."""
    async with world.database.read() as session:
        query = select(OutgoingEvent).where(col(OutgoingEvent.name).startswith("access."))
        events = (await session.exec(query.order_by(col(OutgoingEvent.sequence)))).all()
    return [f"{each.at:%Y-%m-%d %H:%M} {each.name} {each.access_until:%Y-%m-%d %H:%M}" for each in events]
