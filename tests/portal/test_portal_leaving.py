"""Leaving by the portal: with a later date, and at any time where the renewal notice came too late."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from support.life import ClockedLife
from support.reader import Reader

from starter.client import RelanceClient
from starter.orders import CustomerChange, NewPlan


async def test_a_later_date_may_be_chosen_and_is_kept_whatever_is_said_afterwards(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    anna = await world.signs_up("anna")
    await client.change_customer("anna", CustomerChange(locale="en"))
    await reader.signs_in(client, "anna")
    await reader.follows("Cancel your contract")
    page = reader.url
    assert (
        "You can use the service until the end of 27 February 2041. No further period is billed."
        in reader.text
    )
    for wrong in ("2041-01-30", "2051-02-01", "soon"):
        await reader.opens(f"{page}?on={wrong}")
        assert (wrong, reader.page.status_code) == (wrong, 422)
        assert "Choose a day from today on, and not more than ten years ahead." in reader.text
    await reader.opens(f"{page}?on=2041-04-10")
    assert "You can use the service until the end of 29 April 2041." in reader.text
    assert (
        "Until then it goes on as before: the next payment is €58.80 on 28 February 2041. "
        "What is already billed stays due."
    ) in reader.text
    await reader.presses("Confirm the cancellation")
    assert reader.heading == "Your cancellation is confirmed"
    assert "You can use the service until the end of 29 April 2041." in reader.text
    assert "the next payment is €58.80 on 28 February 2041" in reader.text
    await reader.presses("Send", reason="moves abroad")
    assert (await client.subscription("anna")).state.cancel_on == date(2041, 4, 10)
    assert "Planned end after 29 April 2041" in reader.text
    assert "€58.80 on 28 February 2041" in reader.text
    assert reader.form_of("Keep my subscription")
    (letter,) = [each for each in await anna.letters() if each.kind == "cancel_scheduled"]
    assert letter.subject == "[TEST] Your cancellation is recorded: last day 29 April 2041"
    said = " ".join(letter.text.replace("|", " ").split())
    assert (
        "periods that begin before that day are billed as usual. After that, it ends and does not renew."
        in said
    )
    assert "Next payment: €58.80, on 28 February 2041." in letter.text.replace("*", "")
    await reader.opens(f"{page}?on=2041-05-10")
    assert reader.page.status_code == 422
    assert "Your contract ends before that day already." in reader.text
    await reader.opens(page)
    await reader.presses("Confirm the cancellation")
    assert "You can use the service until the end of 27 February 2041." in reader.text
    await reader.presses("Keep my subscription")
    state = (await client.subscription("anna")).state
    assert not state.cancel_is_pending


async def test_whoever_was_not_told_of_the_renewal_in_time_leaves_at_any_time_with_the_rest(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    """A year from 15 February follows a first part period: no notice could come a month before (rules 30).

    The part is 15 of the 366 days from 15 February 2040: 20.08, with VAT 24.10. Of the year 15 February to 1 March are
    15 of 365 days; 350 go back: 490.00 x 350/365 = 469.86, with 20 % VAT (93.97) 563.83.
    """
    anna = await world.signs_up("anna", plan="year", agreed={"billing_day": 15})
    await client.change_customer("anna", CustomerChange(locale="en"))
    await world.until("2041-03-01")
    assert [row.total_minor for row in await anna.invoices()] == [2410, 58800]
    await reader.signs_in(client, "anna")
    await reader.follows("Cancel your contract")
    assert (
        "You may leave at any time: if you leave now, the service ends today and €563.83 goes back to you."
    ) in reader.text
    assert "You can use the service until the end of 14 February 2042." in reader.text
    await reader.presses("Leave now, with the refund")
    assert reader.heading == "Your cancellation is confirmed"
    assert "The subscription has ended. Nothing further is billed." in reader.text
    await world.settle()
    assert [note.total_minor for note in await anna.credit_notes()] == [56383]
    assert (await anna.diary())[-5:] == [
        "2041-03-01 credit note 563.83 issued",
        "2041-03-01 refund 563.83 queued",
        "2041-03-01 status canceled: canceled now",
        "2041-03-01 access ends",
        "2041-03-01 mail subscription_canceled",
    ]
    (letter,) = [each for each in await anna.letters() if each.kind == "subscription_canceled"]
    assert "€563.83" in letter.text


async def test_whoever_was_told_in_time_is_not_offered_it(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    await world.signs_up("anna", plan="year")
    await client.change_customer("anna", CustomerChange(locale="en"))
    await world.until("2042-02-05")
    await reader.signs_in(client, "anna")
    await reader.follows("Cancel your contract")
    assert "You may leave at any time" not in reader.text
    _, fields = reader.form_of("Confirm the cancellation")
    action, _ = reader.form_of("Confirm the cancellation")
    await reader.opens(action, fields={**fields, "when": "now"})
    assert "You can use the service until the end of 30 January 2043." in reader.text


async def test_what_leaving_a_commitment_costs_is_said_before_it_is_confirmed(
    world: ClockedLife, client: RelanceClient, reader: Reader
) -> None:
    three_months = NewPlan(
        reference="three",
        name="Three months",
        currency="EUR",
        every="1month",
        amount=Decimal("30.00"),
        commitment_periods=3,
        early_exit_percent=Decimal(100),
    )
    await client.create_plan(three_months)
    await world.signs_up("anna", plan="three")
    await world.signs_up("bob")
    await reader.signs_in(client, "anna")
    await reader.follows("Résilier votre contrat")
    # Two months that are agreed to and not paid: 60.00 and VAT of 12.00
    assert "Partir avant la fin de la durée convenue coûte 72,00 €, taxes comprises." in reader.text
    await reader.signs_in(client, "bob")
    await reader.follows("Résilier votre contrat")
    assert "Partir avant la fin" not in reader.text
