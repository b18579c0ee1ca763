"""`relance dunning simulate`: names, files, presets, what it prints and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import rehearsal
from starter.cli import main

POLICY = """
[[policy]]
name = "patient"
retry_days = [2, 6, 13]
last_notice_day = 13
end_day = 21

[[policy]]
name = "brisk"
retry_days = [1, 2]
last_notice_day = 2
end_day = 9
"""
THEIRS = """
[[compared]]
name = "theirs"
retry_days = [1, 2, 3, 4, 5, 6]
last_notice_day = 6
end_day = 13
"""


def simulate(*options: str) -> int:
    return main(["dunning", "simulate", "--invoices", "80", *options])


@pytest.fixture
def policy_file(tmp_path: Path) -> str:
    file = tmp_path / "mine.toml"
    file.write_text(POLICY)
    return str(file)


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answered: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answered


def test_a_policy_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--policy", "monthly") == 0
    printed = capsys.readouterr().out
    assert "80 failed payments of preset card-global" in printed
    assert "Presets are calibrated, not validated" in printed
    for words in (
        "Days to cash, 90th percentile",
        "retry on day 14",
        "insufficient funds",
        "█",
        "Mails for each",
    ):
        assert words in printed
    assert "Cut to" not in printed


def test_policies_of_a_file_against_a_schedule_that_is_only_compared(
    policy_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "theirs.toml"
    theirs.write_text(THEIRS)
    assert simulate("--policy", policy_file, "--against", str(theirs), "--against", "polar", "--json") == 0
    shown = answer(capsys)
    assert [one["policy"] for one in shown["policies"]] == ["patient v1", "brisk v1", "theirs v1", "polar v1"]
    assert [one["retry_days"] for one in shown["cut"]["policies"]] == [[2], [2], [2], [2]]
    assert (shown["cut"]["retries"], shown["cut"]["span_days"]) == (1, 2)
    assert shown["caution"].startswith("Presets are calibrated, not validated")
    assert 0 < shown["policies"][0]["recovered"]["low"] <= shown["policies"][0]["recovered"]["high"] < 1


def test_a_comparison_shows_the_policies_whole_and_cut(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--policy", "monthly", "--against", "polar", "--preset", "b2b-france") == 0
    printed = capsys.readouterr().out
    assert "As they are" in printed
    assert "Cut to 3 retries within 14 days" in printed
    assert "1, 7, 14" in printed


def test_the_curve_as_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "curve.svg"
    assert simulate("--policy", "monthly", "--picture", str(file)) == 0
    assert file.read_text().startswith("<svg")
    assert capsys.readouterr().err == ""
    assert simulate("--policy", "monthly", "--picture", str(tmp_path / "nowhere" / "curve.svg")) == 1
    assert "cannot be written: No such file or directory." in capsys.readouterr().err


def test_a_population_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "population.toml"
    shutil.copy(Path(rehearsal.__file__).parent / "population.toml", file)
    file.write_text(
        file.read_text().replace("[preset.card-global", "[preset.ours").replace('"card-global"', '"ours"')
    )
    assert simulate("--policy", "monthly", "--population", str(file), "--json") == 0
    assert answer(capsys)["preset"] == "ours"
    assert (
        simulate("--policy", "monthly", "--population", str(file), "--preset", "card-global", "--json") == 1
    )
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["field"] == "preset"
    assert "Take one of ours, hard-consumer, sepa, b2b-france." in error["message"]


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("", "file", "mine.toml has no [[policy]]."),
        ("[[", "file", "mine.toml is no TOML"),
        (
            POLICY.replace("[2, 6, 13]", "[2, 6, 14]"),
            "last_notice_day",
            "mine.toml, policy patient: last_notice_day is 13, before the last retry",
        ),
        (
            POLICY.replace("end_day = 9", "end_days = 9"),
            "end_days",
            "policy brisk: end_days is not a known key. Did you mean end_day?",
        ),
        (POLICY + "colour = 1\n", "colour", "policy brisk: colour is not a known key."),
        (
            POLICY.replace('"patient"', "4"),
            "name",
            "policy number 1: name",
        ),
        (POLICY.replace("[2, 6, 13]", "[1, 2, 3, 4, 5]"), "retry_days", "names 5 days. Name at most 4."),
    ],
)
def test_a_bad_policy_file_says_which_policy_and_what_to_do(
    policy_file: str, text: str, field: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(policy_file).write_text(text)
    assert simulate("--policy", policy_file, "--json") == 1
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["field"] == field
    assert message in error["message"]


def test_a_name_that_nothing_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("--policy", "weekly") == 1
    assert (
        "weekly is neither a file nor a policy. Policies are monthly, annual, short, first_payment, sepa, "
        "sepa_annual, sepa_first_payment, polar" in capsys.readouterr().err
    )
