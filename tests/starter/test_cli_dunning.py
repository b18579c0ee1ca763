"""`relance dunning policy` as a person and a program meet it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.terminal import Terminal

POLICIES = """
[[policy]]
name = "gentle"
retry_days = [3, 7]
quiet_days = 4
last_notice_day = 10
end_day = 20
applies_to = { interval = "1month", segment = "vip" }

[[policy]]
name = "named"
charges = false
retry_days = []
reminder_days = [5]
last_notice_day = 20
end_day = 40
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policies.toml"
    path.write_text(POLICIES, encoding="utf-8")
    return path


def answer(relance: Terminal, *words: str) -> dict[str, Any]:
    status, printed = relance.json(*words)
    assert isinstance(printed, dict)
    assert status == 0, printed
    return printed


def test_a_file_is_checked_saved_and_saved_again(relance: Terminal, file: Path) -> None:
    checked = answer(relance, "dunning", "policy", "load", str(file), "--check")
    assert checked["saved"] is False
    assert [(each["name"], each["version"], each["change"]) for each in checked["policies"]] == [
        ("gentle", 1, "new"),
        ("named", 1, "new"),
    ]
    assert relance("dunning", "policy", "show", "gentle")[0] == 1

    saved = answer(relance, "dunning", "policy", "load", str(file), "--by", "ada")
    assert saved["saved"] is True
    assert saved["policies"][0] | {"created_at": "", "policy": {}} == {
        "name": "gentle",
        "version": 1,
        "policy": {},
        "applies_to": {
            "interval": ["1month"],
            "method": [],
            "country": [],
            "segment": ["vip"],
            "first_payment": False,
        },
        "is_default": False,
        "created_at": "",
        "by": "ada",
        "retired_at": None,
        "change": "new",
    }
    again = answer(relance, "dunning", "policy", "load", str(file))
    assert [each["change"] for each in again["policies"]] == ["unchanged", "unchanged"]

    file.write_text(POLICIES.replace("end_day = 20", "end_day = 25"), encoding="utf-8")
    status, out, _ = relance("dunning", "policy", "load", str(file), "--check")
    assert status == 0
    assert "gentle v2" in out
    assert "changed" in out
    assert out.endswith("Nothing was saved.\n")


def test_policies_read_as_days_for_people(relance: Terminal, file: Path) -> None:
    assert relance("dunning", "policy", "load", str(file))[0] == 0
    _, out, _ = relance("dunning", "policy", "list")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "gentle v1 1month, segment vip 3, 7 4, 7 10 20 suspend, leave_open" in lines
    assert "named v1 where terms name it none 5 20 40 suspend, leave_open" in lines
    assert "monthly v1 where no saved policy fits 1, 3, 7, 14 0, 3, 7 14 21 suspend, leave_open" in lines
    _, out, _ = relance("dunning", "policy", "show", "gentle@1")
    assert " ".join(out.split()).startswith(
        "gentle v1 Applies to 1month, segment vip Charges yes Retries on days 3, 7 Mails on days 4, 7"
    )


def test_a_policy_is_retired(relance: Terminal, file: Path) -> None:
    assert relance("dunning", "policy", "load", str(file))[0] == 0
    assert relance("dunning", "policy", "retire", "gentle")[1] == (
        "The policy gentle is neither chosen nor named anew.\n"
    )
    assert answer(relance, "dunning", "policy", "show", "gentle")["retired_at"] is not None
    assert relance.json("dunning", "policy", "retire", "monthly")[0] == 1


def test_a_bad_file_says_where(relance: Terminal, file: Path) -> None:
    file.write_text(POLICIES.replace("end_day = 20", "end_day = 12"), encoding="utf-8")
    assert relance.json("dunning", "policy", "load", str(file)) == (
        1,
        {
            "error": {
                "code": "invalid_input",
                "field": "end_day",
                "message": (
                    f"{file}, policy gentle: end_day is 12, 2 days after the last notice. Set it to 17 or later, so "
                    "that 7 days lie between."
                ),
            }
        },
    )
    file.write_bytes(b"\xff")
    assert relance("dunning", "policy", "load", str(file))[2].startswith(f"Error: {file} is no TOML")


def test_a_customers_segment_is_set_and_taken_away(relance: Terminal) -> None:
    seller = ("entity", "create", "--name", "Exemple SAS", "--sender", "factures@example.com")
    assert relance(*seller, "--line1", "12 rue de la Paix", "--city", "Paris")[0] == 0
    anna = ("customer", "create", "--name", "Anna", "--email", "anna@example.com", "--reference", "anna")
    assert relance(*anna, "--segment", "vip")[0] == 0
    assert relance(*anna, "--segment", "vip")[0] == 0
    assert "There is another customer anna" in relance(*anna)[2]
    assert answer(relance, "customer", "show", "anna")["segment"] == "vip"
    assert relance("customer", "set", "anna", "--segment", "")[1] == "Anna is in no segment.\n"
    assert answer(relance, "customer", "show", "anna")["segment"] is None
    assert relance("customer", "set", "anna", "--segment", "new")[1] == "Anna is in the segment new.\n"
    assert relance("customer", "set", "nobody", "--segment", "new")[0] == 1
