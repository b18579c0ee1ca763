"""A dead card: the backup that the customer agreed to stands in, or the bank renews it, and nobody is troubled."""

from __future__ import annotations

import httpx
from sqlmodel import col, select
from support.diaries import fell_behind, joined
from support.ledgers import assert_books_agree
from support.life import Begins, Life, Person
from support.provider_post import news_reaches

from models.tables import PaymentAttempt, PaymentMethod


async def charged(world: Life, person: Person) -> list[tuple[str, str, str]]:
    """Every attempt: why, with which role of method, and what came of it."""
    async with world.database.read() as session:
        query = select(PaymentAttempt).where(PaymentAttempt.subscription_id == person.subscription_id)
        found = (
            await session.exec(query.order_by(col(PaymentAttempt.begun_at), col(PaymentAttempt.number)))
        ).all()
    return [
        (
            a.trigger.value,
            "default" if a.method_id == person.method else "other",
            a.decline_code or a.state.value,
        )
        for a in found
    ]


async def test_the_backup_pays_at_once_and_the_receipt_says_so(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna", card={"outcomes": ["ok"], "then": "expired_card"})
        token = await world.new_card("anna-backup", ["ok"])
        added = await world.methods.add(anna.customer_id, token, as_default=False)
        await world.methods.make_backup(anna.customer_id, added.method_id, agreed=True, by="anna")
        await world.until("2041-03-20")
        assert await anna.diary() == [
            *joined("2041-01-31", "58.80"),
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 charge declined: expired_card",
            "2041-02-28 charge paid 58.80",
            "2041-02-28 status past_due",
            "2041-02-28 status active",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail receipt",
        ]
        assert await charged(world, anna) == [
            ("first", "default", "succeeded"),
            ("first", "default", "expired_card"),
            ("backup", "other", "succeeded"),
        ]
        receipt = [letter.text for letter in await anna.letters() if letter.kind == "receipt"][-1]
        assert "comme convenu, nous avons utilisé votre moyen de paiement de secours" in " ".join(
            receipt.split()
        )
        await assert_books_agree(world.database, world.fake)


async def test_a_card_that_the_bank_renewed_is_charged_at_once(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up("anna", card=["ok", "expired_card", "ok"])
        await world.until("2041-03-05", hour=15)
        async with world.database.read() as session:
            known = await session.get_one(PaymentMethod, anna.method)
        async with httpx.AsyncClient(base_url=f"{world.fake.base}/_fake/") as http:
            answer = await http.post(f"card/{known.provider_id}", json={"exp_year": 2064})
        assert answer.is_success, answer.text
        (note,) = await news_reaches(world, "payment_method.automatically_updated")
        assert note is not None
        assert note.startswith(f"renewed {anna.method}; to be charged: in_")
        assert (await anna.diary())[6:] == [
            *fell_behind("2041-02-28", "58.80", "expired_card"),
            "2041-03-03 mail payment_reminder",
            "2041-03-05 charge paid 58.80",
            "2041-03-05 status active",
            "2041-03-05 mail receipt",
        ]
        assert (await charged(world, anna))[1:] == [
            ("first", "default", "expired_card"),
            ("renewed", "default", "succeeded"),
        ]
        await assert_books_agree(world.database, world.fake)
