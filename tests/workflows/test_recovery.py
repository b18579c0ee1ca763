"""Lives in which a card fails and recovers. Each scenario lives in both lanes and must tell the same story."""

from support.life import Begins


async def test_card_fails_twice_then_works(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await world.signs_up(card=["ok", "insufficient_funds", "insufficient_funds", "ok"])
        await world.until("2041-03-10")
        assert await anna.diary() == [
            "2041-01-31 invoice 58.80 issued",
            "2041-01-31 charge paid 58.80",
            "2041-01-31 status active",
            "2041-01-31 access begins",
            "2041-01-31 mail invoice_issued",
            "2041-01-31 mail receipt",
            "2041-02-28 invoice 58.80 issued",
            "2041-02-28 charge declined: insufficient_funds",
            "2041-02-28 status past_due",
            "2041-02-28 mail invoice_issued",
            "2041-02-28 mail payment_failed",
            "2041-03-01 charge declined: insufficient_funds",
            "2041-03-03 charge paid 58.80",
            "2041-03-03 status active",
            "2041-03-03 mail receipt",
        ]
