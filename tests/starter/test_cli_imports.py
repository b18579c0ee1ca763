"""`relance import`: what it prints for people and for programs, and its exit status. No Temporal is up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.terminal import Terminal

HEADER = "reference,customer,plan,currency,started_on,anchor,renews_on"


@pytest.fixture
def folder(tmp_path: Path, relance: Terminal) -> Path:
    """One customer and one subscription, far from now on either side."""
    status, out, err = relance(
        "entity", "create", "--name", "Exemple SAS", "--sender", "factures@example.com", "--line1", "12 rue de la Paix",
        "--postal-code", "75002", "--city", "Paris", "--country", "FR",
    )  # fmt: skip
    assert status == 0, out + err
    folder = tmp_path / "move"
    folder.mkdir()
    (folder / "plans.csv").write_text("reference,name,amount,currency,every\npro,Pro,49.00,EUR,99year\n")
    (folder / "customers.csv").write_text(
        "reference,name,email,kind,stripe_customer\nanna,Anna,anna@example.com,consumer,cus_1\n"
    )
    (folder / "subscriptions.csv").write_text(
        f"{HEADER}\nanna-pro,anna,pro,EUR,2020-01-31,2020-01-31,2119-01-31\n"
    )
    return folder


def answered(terminal: Terminal, *words: str) -> dict[str, Any]:
    status, answer = terminal.json(*words)
    assert status == 0, answer
    assert isinstance(answer, dict)
    return answer


def test_what_comes_next_is_shown_to_people(relance: Terminal, folder: Path) -> None:
    status, out, _ = relance("import", "stage", str(folder))
    assert status == 0
    words = " ".join(out.split())
    assert "subscriptions.csv:2 anna-pro 2119-01-31 Pro 49.00 58.80 EUR 58.80 EUR" in words
    assert "3 created, 0 changed, 0 same." in words
    assert "Nothing is billed yet. Make it live: relance import go-live imp_" in words
    _, out, _ = relance("import", "show")
    assert "staged" in out


def test_programs_read_the_same(relance: Terminal, folder: Path) -> None:
    staged = answered(relance, "import", "stage", str(folder))
    assert (staged["created"], staged["refused"], staged["problems"]) == (3, 0, [])
    assert staged["to_come"][0]["next_invoice"]["total_minor"] == 5880
    shown = answered(relance, "import", "show", staged["batch_id"])
    assert shown["counts"]["subscription"] == {"staged": 1}
    undone = answered(relance, "import", "undo", staged["batch_id"])
    assert undone["taken_back"] == {}
    assert answered(relance, "import", "stage", str(folder))["created"] == 3


def test_problems_are_said_by_line_and_the_status_is_1(relance: Terminal, folder: Path) -> None:
    (folder / "subscriptions.csv").write_text(
        f"{HEADER}\nanna-pro,anna,pro,EUR,2020-01-31,2020-01-31,2019-01-31\nx,y,pro,EUR,2020-1-3,2020-01-31,\n"
    )
    status, out, _ = relance("import", "stage", str(folder))
    assert status == 1
    assert (
        "subscriptions.csv:2: renews_on: It was to renew on 2019-01-31, which is not later than today" in out
    )
    assert "subscriptions.csv:3: started_on: '2020-1-3' is no date. Write it as 2027-01-31." in out
    assert "2 created, 0 changed, 0 same. 2 refused." not in out
    assert "2 refused." in out


def test_without_temporal_nothing_goes_live(relance: Terminal, folder: Path) -> None:
    batch = answered(relance, "import", "stage", str(folder))["batch_id"]
    status, error = relance.json("import", "go-live", batch)
    assert status == 1
    assert isinstance(error, dict)
    assert error["error"]["code"] == "temporal_unreachable"
    assert answered(relance, "import", "show", batch)["batch"]["state"] == "staged"


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("stage", "nowhere"), "folder"),
        (("stage", "move", "--from", "chargebee"), "from"),
        (("show", "imp_nowhere"), "batch"),
        (("undo", "imp_nowhere"), "batch"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_not_there_is_named(relance: Terminal, words: tuple[str, ...], field: str) -> None:
    status, error = relance.json("import", *words)
    assert status == 1
    assert isinstance(error, dict)
    assert error["error"]["field"] == field
