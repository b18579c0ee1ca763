"""SEPA mandates of another system: under which reference and date they go on, and every reason why one does not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from fakes import FakeStripe
from sqlmodel import select
from support.importing import SELLER, Debited, a_card, an_account, example, importer, mended

from models.database import Database
from models.tables import Customer, MandateRow, PaymentMethod
from starter.client import RelanceClient
from starter.importing.staging import Staged

NOW = datetime(2027, 2, 10, 11, tzinfo=UTC)


@pytest.fixture
async def client(
    sqlite_database: Database, fake_stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RelanceClient]:
    client = importer(sqlite_database, fake_stripe)

    async def nowhere() -> None:
        """Temporal is not asked for anything: no subscription goes live here."""

    monkeypatch.setattr(client.connections, "temporal", nowhere)
    await client.create_entity(SELLER.model_copy(update={"creditor_id": "FR72ZZZ123456"}))
    yield client
    await client.close()


@pytest.fixture
def lea(fake_stripe: FakeStripe) -> Debited:
    return Debited(fake_stripe)


@pytest.fixture
def folder(tmp_path: Path, lea: Debited) -> Path:
    return example("import-debits", tmp_path, lea.instead)


def counted(staged: Staged) -> tuple[int, int, int, int]:
    return staged.created, staged.changed, staged.same, staged.refused


async def refusal(client: RelanceClient, folder: Path) -> tuple[str, int, str | None, str]:
    (problem,) = (await client.imports.stage(folder)).problems
    return problem.file, problem.line, problem.field, problem.message


async def lives(client: RelanceClient, folder: Path) -> str:
    staged = await client.imports.stage(folder)
    assert staged.problems == ()
    assert staged.batch_id is not None
    await client.imports.go_live(staged.batch_id)
    return staged.batch_id


def without_subscription(folder: Path) -> Path:
    (folder / "subscriptions.csv").unlink()
    return folder


async def charged(database: Database) -> list[tuple[str, str]]:
    """The kind of method on which each customer is charged, and its last digits."""
    async with database.read() as session:
        query = select(PaymentMethod).join(Customer, Customer.default_method_id == PaymentMethod.id)  # type: ignore[arg-type]
        return [(method.kind, method.last4) for method in (await session.exec(query)).all()]


async def test_the_example_is_taken_over_under_its_old_reference(
    client: RelanceClient, folder: Path, sqlite_database: Database
) -> None:
    staged = await client.imports.stage(folder)
    assert (staged.problems, counted(staged)) == ((), (4, 0, 0, 0))
    assert staged.batch_id is not None
    (coming,) = (await client.imports.show(staged.batch_id)).to_come
    assert coming.next_invoice is not None
    assert (coming.next_invoice["on"], coming.next_invoice["due_minor"]) == ("2027-02-15", 5880)
    async with sqlite_database.read() as session:
        assert (await session.exec(select(MandateRow))).all() == []

    await lives(client, without_subscription(folder))
    (mandate,) = await client.mandates.of("lea")
    assert (mandate.reference, mandate.creditor_id, mandate.account) == (
        "RUM-2024-0117",
        "FR72ZZZ123456",
        "SEPA 2606",
    )
    assert (mandate.accepted_on, mandate.last_debit_on) == (date(2024, 3, 15), date(2027, 1, 19))
    # 36 months after the last debit, not after the signature.
    assert (mandate.expires_on, mandate.in_force) == (date(2030, 1, 19), True)
    assert (mandate.notice_days, mandate.text_version, mandate.evidence) == (
        5,
        "2024-01",
        "archive, folder 117",
    )
    assert await charged(sqlite_database) == [("sepa_debit", "2606")]


async def test_run_again_it_changes_nothing_and_an_altered_row_is_one(
    client: RelanceClient, folder: Path
) -> None:
    await client.imports.stage(folder)
    assert counted(await client.imports.stage(folder)) == (0, 0, 4, 0)
    mended(folder / "sepa_mandates.csv", "2024-01,", "2024-02,")
    assert counted(await client.imports.stage(folder)) == (0, 1, 3, 0)
    await lives(client, without_subscription(folder))
    assert counted(await client.imports.stage(folder)) == (0, 0, 3, 0)
    mended(folder / "sepa_mandates.csv", "2027-01-19", "2027-01-18")
    staged = await client.imports.stage(folder)
    assert counted(staged) == (0, 1, 2, 1)
    assert "It is live since 2027-02-10 and stays as it is" in staged.problems[0].message


async def test_what_was_taken_back_comes_again_as_the_file_says_then(
    client: RelanceClient, folder: Path
) -> None:
    batch = await lives(client, without_subscription(folder))
    assert (await client.imports.undo(batch)).taken_back == {"plan": 1, "customer": 1, "sepa_mandate": 1}
    mended(folder / "sepa_mandates.csv", "2024-03-15,2027-01-19,5", "2024-03-14,2027-01-19,14")
    await lives(client, folder)
    (mandate,) = await client.mandates.of("lea")
    assert (mandate.accepted_on, mandate.notice_days) == (date(2024, 3, 14), 14)


@pytest.mark.parametrize(
    ("old", "new", "field", "says"),
    [
        pytest.param(
            "lea,", "leo,", "customer", "There is no customer leo, neither here nor in", id="customer"
        ),
        pytest.param(
            "RUM-2024-0117",
            "RUM-2024-0118",
            "mandate_reference",
            "is debited under RUM-2024-0117, which the payer reads on the statement of their account; the file says "
            "RUM-2024-0118.",
            id="reference",
        ),
        pytest.param(
            "2024-03-15,", "2027-03-15,", "signed_on", "It was signed on 2027-03-15, later than", id="signed"
        ),
        pytest.param(
            "2027-01-19", "2023-01-19", "last_debit_on", "The last debit was on 2023-01-19: before", id="used"
        ),
        pytest.param("2027-01-19", "19.01.2027", "last_debit_on", "is no date", id="date"),
        pytest.param(",5,", ",15,", "notice_days", "less than or equal to 14", id="notice"),
        pytest.param(
            "2024-03-15,2027-01-19",
            "2023-03-15,2024-02-09",
            "last_debit_on",
            "The mandate was debited last on 2024-02-09 and is void since nothing was collected for 36 months.",
            id="lapsed",
        ),
        pytest.param(
            "2024-03-15,2027-01-19",
            "2023-03-15,",
            "last_debit_on",
            "The mandate was signed on 2023-03-15 and is void",
            id="never used",
        ),
    ],
)
async def test_a_slip_is_named_by_its_line(
    client: RelanceClient, folder: Path, old: str, new: str, field: str, says: str
) -> None:
    mended(folder / "sepa_mandates.csv", old, new)
    file, line, of, message = await refusal(client, folder)
    assert (file, line, of) == ("sepa_mandates.csv", 2, field)
    assert says in message


async def test_a_mandate_is_looked_for_at_stripe(
    client: RelanceClient, folder: Path, fake_stripe: FakeStripe, lea: Debited
) -> None:
    path = folder / "sepa_mandates.csv"
    # Stripe imported it, and nothing there names it but its id.
    mended(path, lea.mandate, "")
    _, _, field, message = await refusal(client, folder)
    assert field == "payment_method"
    assert message == (
        f"Stripe has no mandate for {lea.account}, and debits nothing without one. Have Stripe import it, and name it "
        "in stripe_mandate of sepa_mandates.csv, as mandate_... Or leave the line out and ask lea for a new mandate: "
        "relance customer mandate --help"
    )
    mended(path, '117",', '117",mandate_nowhere')
    file, line, field, message = await refusal(client, folder)
    assert (file, line, field) == ("sepa_mandates.csv", 2, "stripe_mandate")
    assert message.startswith("This mandate can not be used: Stripe refused the request: No such mandate: ")
    mended(path, "mandate_nowhere", Debited(fake_stripe).mandate)
    assert "is the mandate of another account than" in (await refusal(client, folder))[3]
    mended(path, lea.account, "pm_nowhere")
    assert "Stripe does not know pm_nowhere in this account" in (await refusal(client, folder))[3]


async def test_one_that_was_revoked_since_it_was_staged_does_not_go_live(
    client: RelanceClient, folder: Path, fake_stripe: FakeStripe, lea: Debited
) -> None:
    staged = await client.imports.stage(without_subscription(folder))
    assert (staged.problems, staged.batch_id is not None) == ((), True)
    fake_stripe.post(f"mandate/{lea.mandate}/revoke")
    went = await client.imports.go_live(staged.batch_id or "", without_refused=True)
    assert [(one.file, one.line, one.field) for one in went.problems] == [
        ("sepa_mandates.csv", 2, "payment_method")
    ]
    assert "The mandate RUM-2024-0117 of pm_" in went.problems[0].message
    assert "is not in force at Stripe any more" in went.problems[0].message


async def test_a_card_needs_no_mandate_and_stays_what_is_charged(
    client: RelanceClient, folder: Path, fake_stripe: FakeStripe, sqlite_database: Database, lea: Debited
) -> None:
    card = a_card(fake_stripe.client(), lea.customer)
    path = folder / "sepa_mandates.csv"
    mended(path, lea.account, card)
    assert (await refusal(client, folder))[3] == (
        f"{card} is a card, and a card needs no mandate. Name it in payment_methods.csv."
    )
    mended(path, card, lea.account)
    (folder / "payment_methods.csv").write_text(f"customer,payment_method\nlea,{card}\n", encoding="utf-8")
    await lives(client, without_subscription(folder))
    assert await charged(sqlite_database) == [("card", "4242")]
    assert [one.in_force for one in await client.mandates.of("lea")] == [True]


async def test_an_account_alone_brings_the_mandate_that_its_payer_gave_at_stripe(
    client: RelanceClient, folder: Path, fake_stripe: FakeStripe, sqlite_database: Database, lea: Debited
) -> None:
    (folder / "sepa_mandates.csv").unlink()
    path = folder / "payment_methods.csv"
    path.write_text(f"customer,payment_method\nlea,{lea.account}\n", encoding="utf-8")
    file, line, field, message = await refusal(client, without_subscription(folder))
    assert (file, line, field) == ("payment_methods.csv", 2, "payment_method")
    assert message.startswith(f"Stripe has no mandate for {lea.account}")
    account = an_account(fake_stripe.client(), lea.customer)
    setup = fake_stripe.client().v1.setup_intents.create(
        {
            "customer": lea.customer,
            "payment_method": account,
            "confirm": True,
            "mandate_data": {
                "customer_acceptance": {
                    "type": "online",
                    "online": {"ip_address": "203.0.113.7", "user_agent": "Firefox"},
                    "accepted_at": int(datetime(2026, 5, 2, 9, tzinfo=UTC).timestamp()),
                }
            },
            "expand": ["mandate"],
        }
    )
    mended(path, lea.account, account)
    await lives(client, folder)
    (mandate,) = await client.mandates.of("lea")
    given = setup.to_dict()["mandate"]
    assert mandate.reference == given["payment_method_details"]["sepa_debit"]["reference"]
    assert (mandate.accepted_on, mandate.ip_address, mandate.notice_days) == (
        date(2026, 5, 2),
        "203.0.113.7",
        3,
    )
    assert mandate.evidence == "taken over from another system"
    assert await charged(sqlite_database) == [("sepa_debit", "2606")]


async def test_an_account_whose_mandate_is_refused_is_refused_with_it(
    client: RelanceClient, folder: Path, lea: Debited
) -> None:
    mended(folder / "sepa_mandates.csv", "RUM-2024-0117", "RUM-1")
    (folder / "payment_methods.csv").write_text(
        f"customer,payment_method\nlea,{lea.account}\n", encoding="utf-8"
    )
    staged = await client.imports.stage(folder)
    assert [(one.file, one.line) for one in staged.problems] == [
        ("payment_methods.csv", 2),
        ("sepa_mandates.csv", 2),
    ]
    assert staged.problems[0].message == "Its mandate is refused: mend that first."


async def test_a_seller_without_creditor_identifier_debits_nobody(
    sqlite_database: Database, fake_stripe: FakeStripe, folder: Path
) -> None:
    client = importer(sqlite_database, fake_stripe)
    await client.create_entity(SELLER)
    assert (await refusal(client, folder))[2] == "creditor_id"
    await client.close()
