"""The command line as a person and a program meet it: exit status, messages, JSON, and nothing half done."""

import asyncio
from pathlib import Path

import pytest
from support import factories
from support.terminal import Terminal

from billing.features import Feature, FeatureKind
from models.database import Database

SELLER = [
    "entity", "create", "--name", "Exemple SAS", "--sender", "factures@example.com",
    "--line1", "12 rue de la Paix", "--postal-code", "75002", "--city", "Paris",
]  # fmt: skip
DEMO = Path(__file__).parents[2] / "sandbox" / "demo" / "catalogue.toml"
PLAN = ["plan", "create", "--name", "Pro", "--reference", "pro", "--currency", "EUR"]


def test_a_plan_needs_a_seller_first(relance: Terminal) -> None:
    status, out, err = relance(*PLAN, "--amount", "29.00")
    assert (status, out) == (1, "")
    assert err == (
        "Error: There is no legal entity yet. Create the seller first: relance entity create --help\n"
    )


def test_plans_read_in_major_units_for_people_and_as_they_are_for_programs(relance: Terminal) -> None:
    assert relance(*SELLER)[0] == 0
    assert relance(*PLAN, "--amount", "29.00")[1] == "The plan Pro is on offer: pro\n"
    _, out, _ = relance("plan", "list")
    assert "29.00 EUR" in out
    _, plans = relance.json("plan", "list")
    assert isinstance(plans, list)
    assert [plan["terms"]["prices"][0]["unit_amount"] for plan in plans] == ["29.00"]


@pytest.mark.parametrize(
    ("words", "field", "message"),
    [
        (["--amount", "-1"], "unit_amount", "The unit price -1 is negative. Give 0 or more."),
        (
            ["--amount", "1", "--currency", "EURO"],
            "currency",
            "'EURO' is no currency in use. Give its ISO 4217 code in capitals, for example EUR.",
        ),
    ],
)
def test_a_bad_plan_is_refused_in_one_sentence(
    relance: Terminal, words: list[str], field: str, message: str
) -> None:
    relance(*SELLER)
    status, answer = relance.json(*PLAN, *words)
    assert status == 1
    assert isinstance(answer, dict)
    assert (answer["error"]["field"], answer["error"]["message"]) == (field, message)
    assert relance.json("plan", "list") == (0, [])


def test_a_bad_interval_and_zone_are_refused(relance: Terminal) -> None:
    relance(*SELLER)
    status, _, err = relance(*PLAN, "--amount", "1", "--every", "fortnightly")
    assert status == 1
    assert err.startswith("Error: 'fortnightly' is not an interval. Give a count of 1 to 9999 and a unit")
    status, _, err = relance(
        "customer", "create", "--name", "A", "--email", "a@example.com", "--timezone", "Europe/Pari"
    )
    assert (status, err) == (
        1,
        "Error: 'Europe/Pari' is not a time zone of the tz database. Give one like Europe/Paris or UTC.\n",
    )


def test_a_missing_option_is_wrong_usage(relance: Terminal) -> None:
    status, _, err = relance("plan", "create", "--name", "Pro")
    assert status == 2
    assert "Missing option '--amount'" in err


CATALOGUE = """
[[plan]]
reference = "pro"
name = "Pro"
currency = "EUR"
every = "monthly"
amount = 29.90

[[plan]]
reference = "team"
name = "Team"
currency = "EUR"
every = "annual"
prices = [{ id = "seat", model = "per_unit", unit_amount = "12.5" }, { id = "base", unit_amount = 99 }]
"""


def test_a_catalogue_is_loaded_once(relance: Terminal, tmp_path: Path) -> None:
    relance(*SELLER)
    file = tmp_path / "plans.toml"
    file.write_text(CATALOGUE)
    first, again = relance.json("plan", "load", str(file)), relance.json("plan", "load", str(file))
    assert first[0] == 0
    assert first == again
    _, out, _ = relance("plan", "list")
    assert "29.90 EUR" in out
    assert "12.5 EUR a seat + 99 EUR" in out


def test_the_plans_of_the_demo_are_loaded_and_its_seller_is_left_alone(relance: Terminal) -> None:
    relance(*SELLER)
    status, out, _ = relance("plan", "load", str(DEMO))
    assert status == 0
    assert out.endswith("The [seller] of the file was left alone: relance entity create makes one.\n")
    assert relance.json("plan", "load", str(DEMO))[0] == 0
    _, sellers = relance.json("entity", "list")
    assert isinstance(sellers, list)
    assert [seller["sender"] for seller in sellers] == ["factures@example.com"]


def test_a_catalogue_is_loaded_whole_or_not_at_all(relance: Terminal, tmp_path: Path) -> None:
    relance(*SELLER)
    file = tmp_path / "plans.toml"
    file.write_text(CATALOGUE.replace('"annual"', '"yearly"'))
    status, _, err = relance("plan", "load", str(file))
    assert status == 1
    assert err.startswith("Error: Plan team: 'yearly' is not an interval.")
    assert relance.json("plan", "list") == (0, [])
    file.write_text(CATALOGUE.replace("[[plan]]", "[[plans]]", 1))
    status, _, err = relance("plan", "load", str(file))
    assert (status, err) == (
        1,
        f"Error: {file} has plans, which is not loaded. Leave in it only a [[plan]] for each plan.\n",
    )
    assert relance.json("plan", "list") == (0, [])
    file.write_text("[[plan")
    assert relance("plan", "load", str(file))[2].startswith(f"Error: {file} is no TOML")


def test_a_customer_and_a_card(relance: Terminal) -> None:
    relance(*SELLER)
    create = ("customer", "create", "--name", "Anna", "--email", "anna@example.com", "--reference", "anna")
    assert relance(*create)[0] == 0
    assert relance(*create)[0] == 0
    status, _, err = relance("customer", "card", "set", "anna", "pm_card_chargeDeclined")
    assert status == 1
    assert err.startswith("Error: The payment method was not saved: the bank declined")
    assert relance("customer", "card", "set", "anna", "pm_card_visa")[1].startswith("Saved: visa 4242")
    _, out, _ = relance("customer", "show", "anna")
    assert "visa 4242" in out
    assert "anna@example.com" in out
    _, customers = relance.json("customer", "list")
    assert isinstance(customers, list)
    assert [customer["reference"] for customer in customers] == ["anna"]


def test_without_a_stripe_key_no_customer_is_made(relance: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    relance(*SELLER)
    monkeypatch.delenv("STRIPE_API_KEY")
    status, answer = relance.json("customer", "create", "--name", "Anna", "--email", "anna@example.com")
    assert status == 1
    assert isinstance(answer, dict)
    assert answer["error"]["code"] == "settings_problem"
    assert answer["error"]["message"].startswith("Set STRIPE_API_KEY in the environment or in .env")
    assert relance.json("customer", "list") == (0, [])


def test_without_temporal_no_subscription_is_started(relance: Terminal) -> None:
    relance(*SELLER)
    relance(*PLAN, "--amount", "29.00")
    relance("customer", "create", "--name", "Anna", "--email", "anna@example.com", "--reference", "anna")
    status, _, err = relance("subscription", "start", "--customer", "anna", "--plan", "pro")
    assert (status, err) == (
        1,
        "Error: Temporal cannot be reached at 127.0.0.1:1: start it or set TEMPORAL_ADDRESS.\n",
    )
    assert relance.json("subscription", "list") == (0, [])
    assert relance("doctor")[0] == 1


def test_dates_and_instants_that_are_none_are_refused(relance: Terminal) -> None:
    status, _, err = relance("clock", "create", "--now", "tomorrow")
    assert (status, err) == (
        1,
        "Error: 'tomorrow' is no instant. Give one as 2027-01-31T09:00:00Z, or a date.\n",
    )
    assert relance("clock", "create", "--now", "2027-01-31T09:00:00")[0] == 1
    assert relance("clock", "create", "--now", "2027-01-31", "--id", "clk_a")[0] == 0
    assert "2027-01-31 00:00 UTC" in relance("clock", "list")[1]
    status, _, err = relance("clock", "advance", "clk_a", "2027-01-30")
    assert status == 1
    assert err.startswith("Error: The clock stands at 2027-01-31T00:00:00+00:00; time only grows.")


def test_what_is_not_there_is_said_so(relance: Terminal) -> None:
    assert relance("subscription", "show", "nothing")[2] == "Error: There is no subscription nothing.\n"
    assert relance("invoice", "show", "F-1")[2] == "Error: There is no invoice F-1.\n"
    assert relance.json("invoice", "list") == (0, [])


def test_a_database_that_is_behind_is_not_touched(
    relance: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'empty.db'}")
    status, _, err = relance("plan", "list")
    assert status == 1
    assert err.endswith("Run: relance db migrate\n")


@pytest.mark.parametrize(
    ("noun", "known"),
    [
        (
            "subscription",
            "scheduled, trialing, incomplete, active, past_due, unpaid, paused, canceled, incomplete_expired",
        ),
        ("invoice", "draft, open, paid, uncollectible, void"),
    ],
)
def test_an_unknown_status_is_refused_with_those_that_are(relance: Terminal, noun: str, known: str) -> None:
    status, out, err = relance(noun, "list", "--status", "overdue")
    assert (status, out) == (1, "")
    assert err == f"Error: 'overdue' is not a status. Give one of: {known}.\n"


def test_an_address_that_is_none_is_named(relance: Terminal) -> None:
    status, error = relance.json("customer", "create", "--name", "Ada", "--email", "ada at example")
    assert status == 1
    assert error == {
        "error": {
            "code": "invalid_input",
            "field": "email",
            "message": "'ada at example' is no mail address. Give one like ada@example.com.",
        }
    }


def test_plans_say_their_rhythm_in_words(relance: Terminal) -> None:
    assert relance(*SELLER)[0] == 0
    assert relance(*PLAN, "--amount", "29.00", "--every", "2week")[0] == 0
    _, out, _ = relance("plan", "list")
    assert "2 weeks" in out


def test_the_folder_of_a_stopped_sandbox_says_how_to_start_it(
    relance: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    (tmp_path / "relance.db").unlink()
    (tmp_path / ".sandbox").mkdir()
    status, _, err = relance("subscription", "list")
    assert status == 1
    assert err == (
        "Error: No sandbox runs in this folder, and DATABASE_URL is not set. "
        "Start the sandbox: relance sandbox up\n"
    )


@pytest.fixture
def anna(relance: Terminal, tmp_path: Path) -> tuple[str, str]:
    """A customer and an active subscription of January 2027 at 29.00, with two features."""
    assert relance("plan", "list")[0] == 0
    features = (Feature(key="projects", kind=FeatureKind.LIMIT, limit=5), Feature(key="sso"))

    async def write() -> tuple[str, str]:
        database = Database(f"sqlite+aiosqlite:///{tmp_path / 'relance.db'}")
        async with database.write() as session:
            someone = await factories.someone(session, terms=factories.terms(features=features))
        await database.close()
        return someone.customer.id, someone.subscription.id

    return asyncio.run(write())


def test_what_a_customer_may_use_without_a_worker(relance: Terminal, anna: tuple[str, str]) -> None:
    customer, subscription = anna
    status, out, _ = relance("customer", "entitlements", customer)
    assert status == 0
    for words in (f"{subscription}: Pro", "yes: active", "2027-02-02 03:00 UTC", "2027-01-01 to 2027-02-01"):
        assert words in out
    lines = [line.split() for line in out.splitlines()]
    assert ["projects", "limit", "5"] in lines
    assert ["sso", "switch", "on"] in lines
    status, answer = relance.json("customer", "entitlements", customer)
    assert isinstance(answer, list)
    assert (status, len(answer)) == (0, 1)
    assert answer[0]["entitled"] is True
    assert answer[0]["features"][0] == {
        "key": "projects",
        "kind": "limit",
        "on": True,
        "limit": 5,
        "used": None,
        "left": None,
    }
    page = [line.split() for line in relance("subscription", "show", subscription)[1].splitlines()]
    assert ["projects", "limit", "5"] in page
    assert relance("customer", "entitlements", "nobody")[2] == "Error: There is no customer nobody.\n"


def test_a_coupon_is_looked_at_before_it_is_given(relance: Terminal, anna: tuple[str, str]) -> None:
    _, subscription = anna
    assert relance("coupon", "create", "LAUNCH", "--percent", "20", "--max-redemptions", "1")[0] == 0
    status, out, _ = relance("subscription", "add-coupon", subscription, "LAUNCH", "--preview")
    # 29.00 - 20 % = 23.20, VAT 4.64
    assert status == 0
    assert out.startswith("Nothing is billed now.\nThen 27.84 EUR on 2027-02-01.\n")
    _, coupons = relance.json("coupon", "list")
    assert isinstance(coupons, list)
    assert coupons[0]["redemptions"] == 0
    status, answer = relance.json("subscription", "add-coupon", subscription, "SPRING", "--preview")
    assert (status, answer) == (
        1,
        {
            "error": {
                "code": "invalid_input",
                "field": "code",
                "message": "There is no coupon SPRING on offer.",
            }
        },
    )


def test_a_cancel_for_a_date_is_looked_at_first(relance: Terminal, anna: tuple[str, str]) -> None:
    """Every month from the first: 10 April 2027 is in the period that ends on 1 May. 29.00 and 20 % VAT are 34.80."""
    _, subscription = anna
    status, out, _ = relance("subscription", "cancel", subscription, "--on", "2027-04-10", "--preview")
    assert status == 0
    assert out.startswith(
        "Nothing is billed now.\nThen 34.80 EUR on 2027-02-01.\nIt ends on 2027-05-01, the first day without service.\n"
    )
    for on, says in (
        ("soon", "'soon' is not a date. Give one as 2027-01-31."),
        ("2026-01-31", "2026-01-31 has passed: today is "),
    ):
        status, error = relance.json("subscription", "cancel", subscription, "--on", on, "--preview")
        assert status == 1
        assert isinstance(error, dict)
        assert error["error"]["field"] == "on"
        assert error["error"]["message"].startswith(says)


def test_a_choice_that_is_none_names_those_that_are(relance: Terminal) -> None:
    status, error = relance.json("subscription", "cancel", "acme", "--when", "tomorrow")
    assert status == 2
    assert error == {
        "error": {
            "code": "wrong_usage",
            "field": "when",
            "message": "Invalid value for '--when': 'tomorrow' is not one of 'now', 'period_end'.",
        }
    }
