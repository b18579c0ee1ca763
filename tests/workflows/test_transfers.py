"""Invoices paid by transfer: reminded from their due date, late after a tolerance, paid or not (rules 17, 22)."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

from support.bank_files import ACCOUNT, came, camt
from support.life import Begins, Life, Person

from billing.subscription import CustomerKind
from billing.terms import CollectionMethod
from starter.connections import Connections
from starter.documents import Documents
from starter.orders import EntityChange, NewPlan
from starter.transfers import Transfers

BY_TRANSFER = NewPlan(
    reference="transfer",
    name="By transfer",
    currency="EUR",
    every="1year",
    amount=Decimal("490.00"),
    collection_method=CollectionMethod.TRANSFER,
    payment_terms_days=30,
)
"""588.00 with VAT; issued on 31 January 2041 it is due on 2 March."""


def connections(world: Life) -> Connections:
    return Connections(
        world.database,
        world.settings,
        temporal=world.client,
        gateway=world.gateway,
        now=world.server_time,
    )


async def signs_up(world: Life, kind: CustomerKind = CustomerKind.BUSINESS) -> Person:
    await world.catalogue.create_plans([BY_TRANSFER])
    await Documents(connections(world)).update_entity(None, EntityChange(iban=ACCOUNT, bic="AGRIFRPP"))
    return await world.signs_up("anna", plan="transfer", card=None, kind=kind)


async def number_of(person: Person) -> str:
    (invoice,) = await person.invoices()
    assert invoice.number is not None
    return invoice.number


async def pays(world: Life, person: Person, amount_minor: int, on: str) -> str:
    """A transfer is seen on the account."""
    done = await Transfers(connections(world)).record(
        await number_of(person), amount_minor=amount_minor, received_on=date.fromisoformat(on), by="tests"
    )
    await world.settle()
    return done.transfer_id


def plain(text: str) -> str:
    """Without line breaks and no-break spaces."""
    return " ".join(text.split())


async def letters_of(person: Person) -> list[tuple[str, str]]:
    """Subject and text of the mails that reached them."""
    found = await person.letters()
    return [(plain(mail.subject).removeprefix("[TEST] "), plain(mail.text)) for mail in found]


SIGNED_UP = [
    "2041-01-31 invoice 588.00 issued",
    "2041-01-31 status active",
    "2041-01-31 access begins",
    "2041-01-31 mail invoice_issued",
]


async def test_k7_who_never_pays_is_reminded_three_times_then_suspended_and_comes_back_by_paying(
    life: Begins, tmp_path: Path
) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("from_on,percent\n2041-01-01,12.15\n")
    async with life("2041-01-31", interest_rates=rates) as world:
        anna = await signs_up(world)
        await world.until("2041-03-12")
        late = [*SIGNED_UP, "2041-03-05 mail payment_reminder"]
        assert await anna.diary() == late
        await world.until("2041-04-20")
        ended = [
            *late,
            "2041-03-13 status past_due",
            "2041-03-17 mail payment_reminder",
            "2041-04-01 mail last_notice",
            "2041-04-16 dunning ended: suspend",
            "2041-04-16 status unpaid",
            "2041-04-16 access ends",
            "2041-04-16 mail subscription_suspended",
        ]
        assert await anna.diary() == ended
        asking = await letters_of(anna)
        await pays(world, anna, 58800, "2041-04-19")
        assert await anna.diary() == [
            *ended,
            "2041-04-20 transfer 588.00 received",
            "2041-04-20 status active",
            "2041-04-20 access begins",
            "2041-04-20 mail receipt",
        ]
        number = await number_of(anna)
        receipt = (await letters_of(anna))[-1]
    assert [subject for subject, _ in (*asking, receipt)] == [
        f"Votre facture {number} : 588,00 €",
        "Rappel : 588,00 € à régler par virement",
        "Nouveau rappel : 588,00 € à régler par virement sans attendre",
        "Dernier rappel : 588,00 € à régler par virement au plus tard le 15 avril 2041",
        "Votre abonnement « By transfer » est suspendu",
        "Paiement reçu : 588,00 €",
    ]
    texts = [text for _, text in asking]
    for text in texts:
        assert "IBAN FR76 3000 6000 0112 3456 7890 189 BIC AGRIFRPP" in text
        assert f"Référence à rappeler {number}" in text
    # 588.00 * 0.1215 / 365 a day: 15 days are 2.94, 30 days 5.87
    assert "pénalités" not in texts[1]
    assert "(2,94 € à ce jour), et prévoit une indemnité de 40,00 € par facture" in texts[2]
    assert "(5,87 € à ce jour), et prévoit une indemnité de 40,00 € par facture" in texts[3]
    assert "votre virement de 588,00 € le 19 avril 2041" in receipt[1]


async def test_who_pays_after_the_first_reminder_hears_nothing_more(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await signs_up(world, CustomerKind.CONSUMER)
        await world.until("2041-03-08")
        _, (_, reminder) = await letters_of(anna)
        await pays(world, anna, 58800, "2041-03-07")
        await world.until("2041-05-01")
        assert await anna.diary() == [
            *SIGNED_UP,
            "2041-03-05 mail payment_reminder",
            "2041-03-08 transfer 588.00 received",
            "2041-03-08 mail receipt",
        ]
    assert "pénalités" not in reminder
    assert "40,00" not in reminder


async def test_a_part_does_not_end_the_chase_and_a_small_difference_does(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await signs_up(world)
        await world.until("2041-03-08")
        await pays(world, anna, 50000, "2041-03-08")
        await world.until("2041-03-18")
        subject, text = (await letters_of(anna))[-1]
        await pays(world, anna, 8750, "2041-03-18")
        await world.until("2041-05-01")
        assert await anna.diary() == [
            *SIGNED_UP,
            "2041-03-05 mail payment_reminder",
            "2041-03-08 transfer 500.00 received",
            "2041-03-08 mail receipt",
            "2041-03-13 status past_due",
            "2041-03-17 mail payment_reminder",
            "2041-03-18 transfer 87.50 received, small difference 0.50",
            "2041-03-18 status active",
            "2041-03-18 mail receipt",
        ]
    assert subject == "Nouveau rappel : 88,00 € à régler par virement sans attendre"
    # No table of rates reaches 2041: the interest is left out, the costs are not.
    assert "dès le lendemain de l’échéance, et prévoit une indemnité de 40,00 €" in text


async def test_a_payment_that_was_recorded_by_mistake_is_chased_anew(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await signs_up(world)
        await world.until("2041-03-08")
        transfer = await pays(world, anna, 58800, "2041-03-08")
        await world.until("2041-03-10")
        await Transfers(connections(world)).take_back(transfer, reason="another customer's", by="tests")
        await world.settle()
        await world.until("2041-03-26")
        assert await anna.diary() == [
            *SIGNED_UP,
            "2041-03-05 mail payment_reminder",
            "2041-03-08 transfer 588.00 received",
            "2041-03-08 mail receipt",
            "2041-03-10 transfer 588.00 taken back",
            "2041-03-10 mail invoice_reopened",
            "2041-03-13 mail payment_reminder",
            "2041-03-21 status past_due",
            "2041-03-25 mail payment_reminder",
        ]


async def test_the_banks_file_pays_before_anybody_is_reminded(life: Begins) -> None:
    async with life("2041-01-31") as world:
        anna = await signs_up(world)
        await world.until("2041-02-20")
        content = camt(came("600.00", f"VIR {await number_of(anna)}", reference="B-1", on="2041-02-19"))
        doors = Transfers(connections(world))
        looked = await doors.import_file(content, check=True)
        assert [one.invoices[0].unapplied_minor for one in looked.booked] == [1200]
        assert (await doors.import_file(content)).known == 0
        assert (await doors.import_file(content)).known == 1
        await world.settle()
        await world.until("2041-05-01")
        assert await anna.diary() == [
            *SIGNED_UP,
            "2041-02-20 transfer 600.00 received, unapplied 12.00",
            "2041-02-20 mail receipt",
        ]
