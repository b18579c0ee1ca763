"""Disputes lived through: frozen while the bank decides, then won or lost, each with its ending (U5, U13, U17)."""

from __future__ import annotations

import httpx
import pytest
from sqlmodel import col, select
from support.diaries import joined, renewed
from support.ledgers import assert_books_agree
from support.life import Begins, Life, Person
from support.provider_post import news_reaches

from activities.books.config import BookRules
from billing.commands import Cancel, CreditTo, When
from billing.payment import AttemptState
from models.tables import PaymentAttempt, SubscriptionRow
from starter.overview import overview_of


async def charge_of(world: Life, person: Person) -> str:
    """The newest charge that the person paid."""
    async with world.database.read() as session:
        query = select(PaymentAttempt.charge).where(
            PaymentAttempt.subscription_id == person.subscription_id,
            PaymentAttempt.state == AttemptState.SUCCEEDED,
        )
        found = (await session.exec(query.order_by(col(PaymentAttempt.begun_at).desc()))).first()
    assert found is not None
    return found


async def at_the_fake(world: Life, path: str, **body: object) -> str:
    """Something happens at the bank; the books hear of it."""
    async with httpx.AsyncClient(base_url=f"{world.fake.base}/_fake/") as http:
        answer = await http.post(path, json=body)
    assert answer.is_success, answer.text
    await news_reaches(world)
    identifier: str = answer.json()["id"]
    return identifier


async def status_of(world: Life, person: Person) -> str:
    """The status in the books."""
    async with world.database.read() as session:
        return (await session.get_one(SubscriptionRow, person.subscription_id)).status


async def disputes(world: Life, person: Person) -> str:
    return await at_the_fake(world, f"charge/{await charge_of(world, person)}/dispute")


async def test_won_the_renewal_that_waited_is_charged_and_all_is_as_before(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna")
        await world.until("2041-02-10")
        dispute = await disputes(world, anna)
        assert await status_of(world, anna) == "active"
        async with world.database.read() as session:
            row = await session.get_one(SubscriptionRow, anna.subscription_id)
            seen = await overview_of(session, row, BookRules.of(world.settings), await world.present())
        assert [invoice.disputed for invoice in seen.invoices] == [True]
        assert (seen.payment_method or "").endswith("not charged while a dispute is open")
        # The renewal is issued; that card is not charged, and the mail asks for another method.
        await world.until("2041-03-02")
        letters = {letter.kind: letter.text for letter in await anna.letters()}
        assert "indiquer un autre moyen de paiement" in letters["payment_failed"]
        assert "4242" not in letters["payment_failed"]
        await at_the_fake(world, f"dispute/{dispute}", status="won")
        await world.until("2041-03-10")
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-10 dispute 58.80 opened",
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 status past_due",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail payment_failed",
            "2041-03-02 dispute 58.80 won",
            # One charge stands for the retry of day 1 that was missed.
            "2041-03-02 charge paid 58.80",
            "2041-03-02 status active",
            "2041-03-02 mail receipt",
        ]


async def test_lost_the_invoice_is_chased_anew_and_another_card_pays_everything(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna")
        await world.until("2041-02-10")
        dispute = await disputes(world, anna)
        await world.until("2041-02-20")
        await at_the_fake(world, f"dispute/{dispute}", status="lost")
        assert await status_of(world, anna) == "past_due"
        # Day 0 is the day of the loss: reminders on days 3 and 7, never a charge on that card.
        await world.until("2041-02-28", hour=23)
        await anna.replaces_card()
        await world.until("2041-03-20")
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-10 dispute 58.80 opened",
            "2041-02-20 dispute 58.80 lost",
            "2041-02-20 charge taken back 58.80",
            "2041-02-20 status past_due",
            "2041-02-20 mail invoice_reopened",
            "2041-02-23 mail payment_reminder",
            "2041-02-27 mail payment_reminder",
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 mail invoice_issued",
            # In the evening the new card pays both, oldest first.
            "2041-02-28 charge paid 58.80",
            "2041-02-28 charge paid 58.80",
            "2041-02-28 status active",
            "2041-02-28 mail receipt",
            "2041-02-28 mail receipt",
        ]
        old, _ = await anna.invoices()
        assert (old.status, old.chase, old.paid_minor) == ("paid", 2, 5880)
        await assert_books_agree(world.database, world.fake)


async def test_lost_and_never_paid_the_policy_ends_it_like_any_other_debt(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna", plan="quarter")
        await world.until("2041-02-10")
        dispute = await disputes(world, anna)
        await at_the_fake(world, f"dispute/{dispute}", status="lost")
        await world.until("2041-03-10")
        assert await anna.diary() == [
            *joined("2041-01-31", "144.00"),
            "2041-02-10 dispute 144.00 opened",
            "2041-02-10 dispute 144.00 lost",
            "2041-02-10 charge taken back 144.00",
            "2041-02-10 status past_due",
            "2041-02-10 mail invoice_reopened",
            "2041-02-13 mail payment_reminder",
            "2041-02-17 mail payment_reminder",
            "2041-02-24 mail last_notice",
            "2041-03-03 dunning ended: suspend",
            "2041-03-03 status unpaid",
            "2041-03-03 access ends",
            "2041-03-03 mail subscription_suspended",
        ]


async def test_lost_after_the_end_a_chase_of_its_own_waits_for_a_person(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna")
        await world.until("2041-02-10")
        await anna.tells(Cancel(command_id="enough", when=When.NOW, credit_to=CreditTo.NONE))
        await world.until("2041-02-15")
        dispute = await disputes(world, anna)
        await at_the_fake(world, f"dispute/{dispute}", status="lost")
        await world.until("2041-04-15")
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-10 status canceled: canceled now",
            "2041-02-10 access ends",
            "2041-02-10 mail subscription_canceled",
            "2041-02-15 dispute 58.80 opened",
            "2041-02-15 dispute 58.80 lost",
            "2041-02-15 charge taken back 58.80",
            "2041-02-15 mail invoice_reopened",
        ]
        (invoice,) = await anna.invoices()
        state = await world.client.get_workflow_handle(f"collection/{invoice.id}").query("state")
        assert state["next"]["what"] == "rest"
        # A person at the customer's pays after all.
        await anna.replaces_card()
        await world.until("2041-04-16")
        assert (await anna.diary())[-2:] == ["2041-04-15 charge paid 58.80", "2041-04-15 mail receipt"]


@pytest.mark.parametrize("life", ["skipping"], indirect=True)
async def test_a_cancel_while_the_bank_decides_credits_to_the_balance(life: Begins) -> None:
    """The money itself is not ours to send back; what is lost later is owed only as far as it was not credited."""
    async with life("2041-06-01") as world:
        anna = await world.signs_up("anna", plan="team", quantity=5)
        await world.until("2041-06-05")
        dispute = await disputes(world, anna)
        await world.until("2041-06-10")
        await anna.tells(Cancel(command_id="enough", when=When.NOW, credit_to=CreditTo.REFUND))
        await world.until("2041-06-12")
        await at_the_fake(world, f"dispute/{dispute}", status="lost")
        assert await anna.diary() == [
            *joined("2041-06-01", "72.00"),
            "2041-06-05 dispute 72.00 opened",
            # 20 of 30 days: 60.00 x 20 / 30 = 40.00, VAT 8.00
            "2041-06-10 credit note 48.00 issued",
            "2041-06-10 status canceled: canceled now",
            "2041-06-10 access ends",
            "2041-06-10 mail subscription_canceled",
            "2041-06-12 dispute 72.00 lost",
            "2041-06-12 charge taken back 72.00",
            "2041-06-12 mail invoice_reopened",
        ]
        (invoice,) = await anna.invoices()
        assert (invoice.status, invoice.open_minor) == ("open", 2400)


@pytest.mark.parametrize("life", ["skipping"], indirect=True)
async def test_a_dispute_in_the_middle_of_a_chase_stops_its_charges_and_not_its_mails(life: Begins) -> None:
    """January is disputed while February's charge is being retried on the same card."""
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna", card=["ok", "insufficient_funds", "insufficient_funds"])
        await world.until("2041-03-02")
        await disputes(world, anna)
        await world.until("2041-03-08")
        diary = await anna.diary()
        assert diary[diary.index("2041-03-02 dispute 58.80 opened") :] == [
            "2041-03-02 dispute 58.80 opened",
            "2041-03-03 mail payment_reminder",
            "2041-03-07 mail payment_reminder",
        ]
        state = await world.client.get_workflow_handle(f"collection/{(await anna.invoices())[1].id}").query(
            "state"
        )
        assert "a dispute about the card is open" in str(state["next"]["why"])


@pytest.mark.parametrize("life", ["skipping"], indirect=True)
async def test_after_a_dispute_that_is_over_life_goes_on(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna")
        await world.until("2041-02-10")
        dispute = await disputes(world, anna)
        await at_the_fake(world, f"dispute/{dispute}", status="won")
        await world.until("2041-03-05")
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-10 dispute 58.80 opened",
            "2041-02-10 dispute 58.80 won",
            *renewed("2041-02-28", "58.80"),
        ]
