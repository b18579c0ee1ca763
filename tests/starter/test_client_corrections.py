"""Credits, write-offs and rectified invoices through the client, with workers up, on a test clock."""

from __future__ import annotations

import asyncio

from sqlmodel import col, select
from support.life import ClockedLife, Person

from billing.corrections import Credit, NewBuyer, PayBackAs, Rectify, WriteOff
from billing.credit import CreditExceedsInvoice
from models.tables import InvoiceStatus, Refund
from starter.client import RelanceClient


async def only_invoice(person: Person) -> str:
    (invoice,) = await person.invoices()
    return invoice.id


async def refunded(world: ClockedLife) -> list[int]:
    async with world.database.read() as session:
        found = (await session.exec(select(Refund).order_by(col(Refund.id)))).all()
        return [refund.amount_minor for refund in found]


async def test_a_part_goes_back_once_however_often_it_is_asked(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await world.signs_up()
    asked = Credit(
        command_id="ticket-1",
        invoice_id=await only_invoice(anna),
        reason="one bad week",
        amount_minor=1200,
        then=PayBackAs.REFUND,
    )
    first = await client.corrections.carry_out(asked)
    again = await client.corrections.carry_out(asked)
    assert (first.credited_minor, first.refund_minor, first.balance_minor, first.open_minor) == (
        1200,
        1200,
        0,
        0,
    )
    assert again.credit_note == first.credit_note
    assert await refunded(world) == [1200]
    assert [note.total_minor for note in await anna.credit_notes()] == [1200]
    (letter,) = [mail for mail in await anna.letters() if mail.kind == "credit_note_issued"]
    assert "12,00" in letter.subject
    assert str(first.credit_note) in letter.subject
    assert "Remboursé" in letter.text


async def test_two_refunds_at_the_same_moment_never_pass_the_payment(
    world: ClockedLife, client: RelanceClient
) -> None:
    # 118.80 were paid: 60.00 fit once.
    anna = await world.signs_up(plan="max")
    invoice = await only_invoice(anna)
    both = await asyncio.gather(
        *(
            client.corrections.carry_out(
                Credit(
                    command_id=f"ticket-{number}",
                    invoice_id=invoice,
                    reason="asked from two sides",
                    amount_minor=6000,
                    then=PayBackAs.REFUND,
                )
            )
            for number in (1, 2)
        ),
        return_exceptions=True,
    )
    (refused,) = [outcome for outcome in both if isinstance(outcome, BaseException)]
    assert isinstance(refused, CreditExceedsInvoice)
    assert refused.left_minor == 5880
    assert await refunded(world) == [6000]


async def test_a_wrong_name_is_rectified_and_the_payment_moves_over(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await world.signs_up()
    old_id = await only_invoice(anna)
    done = await client.corrections.rectify(
        Rectify(command_id="ticket-1", invoice_id=old_id, buyer=NewBuyer(name="Anna Martin"))
    )
    assert (done.status, done.moved_minor, done.open_minor) == ("paid", 5880, 0)
    by_id = {invoice.id: invoice for invoice in await anna.invoices()}
    assert by_id[old_id].buyer.name == "Anna"
    assert by_id[done.new_invoice_id].buyer.name == "Anna Martin"
    assert await refunded(world) == []


async def test_a_credit_of_what_is_open_ends_the_chase(world: ClockedLife, client: RelanceClient) -> None:
    anna = await world.signs_up(card=["ok", "insufficient_funds", "ok"])
    await world.until("2041-02-28")
    assert (await client.show(anna.subscription_id)).status == "past_due"
    (invoice,) = [each for each in await anna.invoices() if each.status is InvoiceStatus.OPEN]
    done = await client.corrections.carry_out(
        Credit(command_id="ticket-1", invoice_id=invoice.id, reason="a gift", then=PayBackAs.REFUND)
    )
    assert (done.credited_minor, done.closed_minor, done.refund_minor) == (5880, 5880, 0)
    await world.until("2041-03-05")
    assert (await client.show(anna.subscription_id)).status == "active"
    assert [line for line in await anna.diary() if "charge" in line] == [
        "2041-01-31 charge paid 58.80",
        "2041-02-28 charge declined: insufficient_funds",
    ]


async def test_what_is_written_off_is_not_asked_for_any_more(
    world: ClockedLife, client: RelanceClient
) -> None:
    anna = await world.signs_up(card=["ok", "insufficient_funds", "ok"])
    await world.until("2041-02-28")
    (invoice,) = [each for each in await anna.invoices() if each.status is InvoiceStatus.OPEN]
    done = await client.corrections.carry_out(
        WriteOff(command_id="ticket-1", invoice_id=invoice.id, reason="not worth it")
    )
    assert (done.status, done.open_minor) == ("uncollectible", 5880)
    await world.until("2041-03-05")
    assert [line for line in await anna.diary() if "charge" in line] == [
        "2041-01-31 charge paid 58.80",
        "2041-02-28 charge declined: insufficient_funds",
    ]
