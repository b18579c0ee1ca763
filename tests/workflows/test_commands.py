"""What customers and support ask of a subscription that is paid: changes, cancels, pauses. Two lanes, one story.

Team costs 12.00 a seat, 14.40 with VAT: five seats are 72.00 a month.
"""

import pytest
from support.diaries import fell_behind, joined, renewed
from support.life import Begins, Life, Person

from billing.commands import Cancel, ChangePlan, ChangeQuantity, KeepSubscription, Pause, Resume, When
from billing.dunning import MONTHLY, AfterCancel
from models.tables import InvoiceStatus
from starter.problems import CommandRefused


def numbered(world: Life) -> str:
    return f"command-{world.next_number()}"


async def changes_plan(person: Person, plan: str, quantity: int | None = None) -> None:
    await person.tells(ChangePlan(command_id=numbered(person.life), plan_id=plan, quantity=quantity))


async def cancels(person: Person, when: When = When.PERIOD_END) -> None:
    await person.tells(Cancel(command_id=numbered(person.life), when=when))


async def pauses(person: Person, when: When = When.PERIOD_END, *, credit: bool = False) -> None:
    await person.tells(Pause(command_id=numbered(person.life), when=when, credit=credit))


async def resumes(person: Person) -> None:
    await person.tells(Resume(command_id=numbered(person.life)))


async def test_changes_apply_at_the_end_of_the_period(life: Begins) -> None:
    async with life("2041-05-01") as world:
        more = await world.signs_up("more", plan="pro")
        less = await world.signs_up("less", plan="max")
        seats = await world.signs_up("seats", plan="team", quantity=2)
        undone = await world.signs_up("undone", plan="team", quantity=5)
        abroad = await world.signs_up("abroad", plan="pro")
        await world.until("2041-05-10")
        await changes_plan(more, "max")
        await changes_plan(less, "pro")
        await seats.tells(ChangeQuantity(command_id="five", quantity=5))
        await changes_plan(undone, "pro")
        with pytest.raises(CommandRefused, match="bills in USD, this subscription in EUR") as refused:
            await changes_plan(abroad, "dollar")
        assert refused.value.field == "plan"
        assert refused.value.message.endswith("Start a new subscription to change currency.")
        await world.until("2041-05-20")
        await changes_plan(undone, "team")
        await world.until("2041-06-10")

        assert await more.diary() == [
            *joined("2041-05-01", "58.80"),
            "2041-05-10 plan change to Max asked",
            "2041-06-01 plan changed to Max",
            "2041-06-01 invoice 118.80 issued",
            "2041-06-01 charge paid 118.80",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail receipt",
            "2041-06-01 mail plan_changed",
        ]
        assert await less.diary() == [
            *joined("2041-05-01", "118.80"),
            "2041-05-10 plan change to Pro asked",
            "2041-06-01 plan changed to Pro",
            "2041-06-01 invoice 58.80 issued",
            "2041-06-01 charge paid 58.80",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail receipt",
            "2041-06-01 mail plan_changed",
        ]
        assert await seats.diary() == [
            *joined("2041-05-01", "28.80"),
            "2041-05-10 plan change to Team asked",
            "2041-06-01 plan changed to Team",
            "2041-06-01 invoice 72.00 issued",
            "2041-06-01 charge paid 72.00",
            "2041-06-01 mail invoice_issued",
            "2041-06-01 mail receipt",
            "2041-06-01 mail plan_changed",
        ]
        assert await undone.diary() == [
            *joined("2041-05-01", "72.00"),
            "2041-05-10 plan change to Pro asked",
            "2041-05-20 plan change to Team asked",
            *renewed("2041-06-01", "72.00"),
        ]
        assert await abroad.diary() == [*joined("2041-05-01", "58.80"), *renewed("2041-06-01", "58.80")]


async def test_another_rhythm_starts_an_anchor_of_its_own(life: Begins) -> None:
    """Anchored on the 31st, the change falls on 28 February: from there every two months on the 28th."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna", plan="pro")
        await world.until("2041-02-10")
        await changes_plan(anna, "duo")
        await world.until("2041-07-01")
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-10 plan change to Duo asked",
            "2041-02-28 plan changed to Duo",
            "2041-02-28 invoice 72.00 issued",
            "2041-02-28 charge paid 72.00",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail receipt",
            "2041-02-28 mail plan_changed",
            *renewed("2041-04-28", "72.00"),
            *renewed("2041-06-28", "72.00"),
        ]


async def test_cancels_of_a_paid_subscription(life: Begins) -> None:
    """Now, in the middle of June: twenty of thirty days of 72.00 go to the balance. At the end: nothing goes back."""
    async with life("2041-05-01") as world:
        now = await world.signs_up("now", plan="team", quantity=5)
        later = await world.signs_up("later", plan="pro")
        stays = await world.signs_up("stays", plan="pro")
        await world.until("2041-06-10")
        await cancels(now, When.NOW)
        await cancels(later)
        await cancels(stays)
        await world.until("2041-06-20")
        await stays.tells(KeepSubscription(command_id="keep"))
        await world.until("2041-07-02")

        assert await now.diary() == [
            *joined("2041-05-01", "72.00"),
            *renewed("2041-06-01", "72.00"),
            "2041-06-10 credit note 48.00 issued",
            "2041-06-10 status canceled: canceled now",
            "2041-06-10 access ends",
            "2041-06-10 mail subscription_canceled",
        ]
        (note,) = await now.credit_notes()
        assert (note.net_minor, note.vat_minor, note.closes_minor, note.balance_minor) == (4000, 800, 0, 4800)
        assert await later.diary() == [
            *joined("2041-05-01", "58.80"),
            *renewed("2041-06-01", "58.80"),
            "2041-06-10 cancel asked for 2041-07-01",
            "2041-06-10 mail cancel_scheduled",
            "2041-07-01 status canceled: canceled at the end of the period",
            "2041-07-01 access ends",
            "2041-07-01 mail subscription_canceled",
        ]
        assert await later.credit_notes() == []
        assert await stays.diary() == [
            *joined("2041-05-01", "58.80"),
            *renewed("2041-06-01", "58.80"),
            "2041-06-10 cancel asked for 2041-07-01",
            "2041-06-10 mail cancel_scheduled",
            "2041-06-20 cancel or pause taken back",
            *renewed("2041-07-01", "58.80"),
        ]


async def test_a_canceled_subscription_takes_no_cancel(life: Begins) -> None:
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna")
        await cancels(anna, When.NOW)
        await world.settle()
        diary = await anna.diary()
        with pytest.raises(Exception, match=r"ended on 2041-05-01 \(canceled now\)") as refused:
            await cancels(anna)
        assert str(refused.value).endswith("Start a new subscription instead.")
        assert await anna.diary() == diary


UNPAID = ["ok", "insufficient_funds", "insufficient_funds", "insufficient_funds", "insufficient_funds"]


async def test_a_cancel_now_of_an_unpaid_invoice(life: Begins) -> None:
    """P7: 60.00 + 12.00 of VAT unpaid, cancelled on 10 June: 48.00 are credited, 24.00 are still due, no balance.

    Then by the policy: reminders without charges, charges as before, or nothing more.
    """
    async with life("2041-05-01") as world:
        people = {}
        for after in AfterCancel:
            await world.writes_policy(MONTHLY.model_copy(update={"name": after.value, "after_cancel": after}))
            people[after] = await world.signs_up(
                after.value,
                plan="team",
                quantity=5,
                dunning_policy=after.value,
                card={"outcomes": ["ok"], "then": "insufficient_funds"},
            )
        await world.until("2041-06-10")
        for person in people.values():
            await cancels(person, When.NOW)
        await world.settle()
        for person in people.values():
            (note,) = await person.credit_notes()
            assert (note.net_minor, note.vat_minor, note.total_minor) == (4000, 800, 4800)
            assert (note.closes_minor, note.balance_minor) == (4800, 0)
            assert (await person.invoices())[-1].open_minor == 2400
        await world.until("2041-07-02")

        before = [
            *joined("2041-05-01", "72.00"),
            *fell_behind("2041-06-01", "72.00"),
            "2041-06-02 charge declined: insufficient_funds",
            "2041-06-04 charge declined: insufficient_funds",
            "2041-06-04 mail payment_reminder",
            "2041-06-08 charge declined: insufficient_funds",
            "2041-06-08 mail payment_reminder",
            "2041-06-10 credit note 48.00 issued",
            "2041-06-10 status canceled: canceled now",
            "2041-06-10 access ends",
            "2041-06-10 mail subscription_canceled",
        ]
        assert await people[AfterCancel.ASK].diary() == [
            *before,
            "2041-06-15 mail last_notice",
            "2041-06-22 dunning ended: suspend",
        ]
        assert await people[AfterCancel.COLLECT].diary() == [
            *before,
            "2041-06-15 charge declined: insufficient_funds",
            "2041-06-15 mail last_notice",
            "2041-06-22 dunning ended: suspend",
        ]
        assert await people[AfterCancel.WRITE_OFF].diary() == before
        for person in people.values():
            invoice = (await person.invoices())[-1]
            assert (invoice.status, invoice.open_minor) == (InvoiceStatus.UNCOLLECTIBLE, 2400)


async def test_pauses(life: Begins) -> None:
    """At the end, now with the unused days credited, now with access to the end of what is paid."""
    async with life("2041-05-01") as world:
        at_end = await world.signs_up("end", plan="team", quantity=5)
        credited = await world.signs_up("credited", plan="team", quantity=5)
        kept = await world.signs_up("kept", plan="team", quantity=5)
        leaves = await world.signs_up("leaves", plan="team", quantity=5)
        changes = await world.signs_up("changes", plan="team", quantity=5)
        await world.until("2041-06-10")
        await pauses(at_end)
        await pauses(credited, When.NOW, credit=True)
        for person in (kept, leaves, changes):
            await pauses(person, When.NOW)
        await world.until("2041-06-12")
        await cancels(leaves, When.NOW)
        await changes_plan(changes, "pro")
        await resumes(credited)
        await world.until("2041-06-20")
        await resumes(kept)
        await world.until("2041-07-17")
        await resumes(at_end)
        await resumes(changes)
        await world.until("2041-08-02")

        start = [*joined("2041-05-01", "72.00"), *renewed("2041-06-01", "72.00")]
        assert await at_end.diary() == [
            *start,
            "2041-06-10 pause asked for the period's end",
            "2041-07-01 status paused",
            "2041-07-01 access ends",
            "2041-07-01 mail paused",
            # 15 of 31 days, the 17th to the 31st: 60.00 x 15 / 31 = 29.03, VAT 5.81
            "2041-07-17 invoice 34.84 issued",
            "2041-07-17 charge paid 34.84",
            "2041-07-17 status active",
            "2041-07-17 access begins",
            "2041-07-17 mail invoice_issued",
            "2041-07-17 mail receipt",
            "2041-07-17 mail resumed",
            *renewed("2041-08-01", "72.00"),
        ]
        assert await credited.diary() == [
            *start,
            "2041-06-10 credit note 48.00 issued",
            "2041-06-10 status paused",
            "2041-06-10 access ends",
            "2041-06-10 mail paused",
            # 19 of 30 days, the 12th to the 30th: 38.00, VAT 7.60; all of it from the balance of 48.00
            "2041-06-12 invoice 45.60 issued",
            "2041-06-12 status active",
            "2041-06-12 access begins",
            "2041-06-12 mail invoice_issued",
            "2041-06-12 mail resumed",
            # 2.40 of balance were left
            "2041-07-01 invoice 72.00 issued",
            "2041-07-01 charge paid 69.60",
            "2041-07-01 mail invoice_issued",
            "2041-07-01 mail receipt",
            *renewed("2041-08-01", "72.00"),
        ]
        assert await kept.diary() == [
            *start,
            "2041-06-10 status paused",
            "2041-06-10 mail paused",
            "2041-06-20 status active",
            "2041-06-20 mail resumed",
            *renewed("2041-07-01", "72.00"),
            *renewed("2041-08-01", "72.00"),
        ]
        assert await leaves.diary() == [
            *start,
            "2041-06-10 status paused",
            "2041-06-10 mail paused",
            "2041-06-12 cancel asked for 2041-07-01",
            "2041-06-12 mail cancel_scheduled",
            "2041-07-01 status canceled: canceled while paused",
            "2041-07-01 access ends",
            "2041-07-01 mail subscription_canceled",
        ]
        assert await changes.diary() == [
            *start,
            "2041-06-10 status paused",
            "2041-06-10 mail paused",
            "2041-06-12 plan change to Pro asked",
            "2041-07-01 access ends",
            "2041-07-17 plan changed to Pro",
            # 49.00 x 15 / 31 = 23.71, VAT 4.74
            "2041-07-17 invoice 28.45 issued",
            "2041-07-17 charge paid 28.45",
            "2041-07-17 status active",
            "2041-07-17 access begins",
            "2041-07-17 mail invoice_issued",
            "2041-07-17 mail receipt",
            "2041-07-17 mail plan_changed",
            "2041-07-17 mail resumed",
            *renewed("2041-08-01", "58.80"),
        ]


async def test_a_pause_taken_back_the_same_day(life: Begins) -> None:
    """With credit: the 10th was used, so the days from the 11th on, which went back, are billed again."""
    async with life("2041-05-01") as world:
        anna = await world.signs_up("anna", plan="team", quantity=5)
        await world.until("2041-06-10")
        await pauses(anna, When.NOW, credit=True)
        await world.until("2041-06-10", hour=15)
        await resumes(anna)
        await world.until("2041-07-02")
        assert await anna.diary() == [
            *joined("2041-05-01", "72.00"),
            *renewed("2041-06-01", "72.00"),
            "2041-06-10 credit note 48.00 issued",
            "2041-06-10 status paused",
            "2041-06-10 access ends",
            "2041-06-10 mail paused",
            # from the balance, to which the credit went
            "2041-06-10 invoice 48.00 issued",
            "2041-06-10 status active",
            "2041-06-10 access begins",
            "2041-06-10 mail invoice_issued",
            "2041-06-10 mail resumed",
            *renewed("2041-07-01", "72.00"),
        ]
