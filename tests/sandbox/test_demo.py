"""The demo as a person starts it, shortened: it ends by itself, and says so when the books and the ledger differ."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.command import run
from sandbox.demo.catalogue import read_catalogue
from sandbox.demo.people import read_cast

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 100


@contextmanager
def demo(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m sandbox demo` on ports of its own, in a folder of its own; gone at the end."""
    command = [sys.executable, "-m", "sandbox", "demo", "--free-ports", "--folder", str(folder), *options]
    with subprocess.Popen(  # noqa: S603 - our own words
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def addresses(folder: Path) -> dict[str, str]:
    """Where the doors are, once they are open."""
    state = folder / "state.json"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if state.exists():
            found: dict[str, str] = json.loads(state.read_text())["addresses"]
            return found
        time.sleep(0.1)
    raise AssertionError("the sandbox did not start")


def first_charge(stripe: str) -> dict[str, Any]:
    """The first entry of the ledger, as soon as there is one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        charges = httpx.get(f"{stripe}/_fake/ledger", trust_env=False).json()["charges"]
        if charges:
            entry: dict[str, Any] = charges[0]
            return entry
        time.sleep(0.1)
    raise AssertionError("nothing was charged")


def plans_by_the_printed_call(process: subprocess.Popen[str]) -> set[str]:
    """What the `curl` answers that the demo prints as soon as it is up; references of plans."""
    assert process.stdout is not None
    printed = next(line for line in process.stdout if line.strip().startswith("curl "))
    curl, silent, address, option, header = shlex.split(printed)
    assert (curl, silent, option) == ("curl", "-sS", "-H")
    name, _, value = header.partition(": ")
    answer = httpx.get(f"{address}?limit=100", headers={name: value}, trust_env=False)
    return {plan["reference"] for plan in answer.raise_for_status().json()["data"]}


def test_a_short_demo_ends_by_itself_and_the_books_agree(tmp_path: Path) -> None:
    with demo(tmp_path, "--only", "northwind", "canal", "--until", "2027-04-20") as process:
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    lines = [line.rstrip() for line in said.splitlines()]
    assert [line for line in lines if line.startswith("2027-")] == [
        "2027-02-01  Northwind Robotics    signs up for pro-monthly, invoice 49.00, paid 49.00, active",
        "2027-02-15  Librairie du Canal    signs up for pro-bimonthly, invoice 114.00, paid 114.00, active",
        "2027-03-01  Northwind Robotics    invoice 49.00, declined: insufficient funds, past_due, mail payment_failed",
        "2027-03-02  Northwind Robotics    declined: insufficient funds",
        "2027-03-04  Northwind Robotics    paid 49.00, active",
    ]
    summed = [line.split() for line in lines]
    assert ["375.00", "375.00", "0.00", "0.00", "0.00", "0.00"] in summed
    assert ["the", "first", "charge", "4", "326.00", "EUR"] in summed
    assert ["retry", "2", "1", "49.00", "EUR"] in summed
    assert "Nobody was lost to a failed payment." in lines
    assert "  They agree, to the cent." in lines
    portals = [line.partition(": ")[0].strip() for line in lines if "/portal/open/" in line]
    assert portals == ["Northwind Robotics, all is well"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "logs"]


def test_a_cent_moved_behind_its_back_is_found_and_named(tmp_path: Path) -> None:
    with demo(tmp_path, "--only", "anna", "--until", "2027-05-15") as process:
        stripe = addresses(tmp_path)["stripe"]
        charge = first_charge(stripe)
        assert "pro-monthly" in plans_by_the_printed_call(process)
        shift = {"charge": charge["id"], "by_minor": 1}
        httpx.post(f"{stripe}/_fake/ledger/shift", json=shift, trust_env=False).raise_for_status()
        said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1, said
    differences = [line.strip() for line in said.splitlines() if "DIFFERENCE" in line]
    number = differences[0].partition("Anna Lefèvre, ")[2].partition(",")[0]
    assert number.endswith("-F-000001")
    what = f"charge {charge['id']} (Anna Lefèvre, {number}, attempt 1)"
    assert differences == [
        f"DIFFERENCE {what}: Stripe took 58.81 EUR, its attempt says 58.80 EUR",
        "DIFFERENCE total: Stripe has 235.21 EUR, the books 235.20 EUR",
    ]


def test_the_demo_s_own_files_make_sense() -> None:
    catalogue, cast = read_catalogue(), read_cast()
    offered = {plan.reference for plan in catalogue.plan}
    assert {person.plan for person in cast.customer} <= offered
    rhythms = {str(plan.every) for plan in catalogue.plan}
    assert rhythms == {"1month", "2month", "3month", "1year"}
    assert len({person.timezone for person in cast.customer}) >= 8
    assert {person.language[:2] for person in cast.customer} == {"fr", "en"}
    late = {person.reference for person in cast.customer if person.signs_up.year == cast.ends.year}
    assert "chloe" in late  # whose portal shows what a failed payment looks like
    for plan in catalogue.plan:
        assert plan.terms("plan_new").currency == "EUR"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('story = "always pays"', "customer anna, story: Field required."),
        ('timezone = "Europe/Paris"', "customer anna, timezone: Field required."),
        ("signs_up = 2027-01-31", "customer anna, signs_up: Field required."),
    ],
)
def test_a_mistake_in_a_file_is_named_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str, said: str
) -> None:
    file = tmp_path / "customers.toml"
    own = (ROOT / "sandbox" / "demo" / "customers.toml").read_text()
    file.write_text(own.replace(wrong, "", 1))
    assert run(["demo", "--customers", str(file), "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"{file}, {said}\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "nobody"], "There is no customer nobody. There are: anna, "),
        (["--until", "2027-02-01"], "northwind signs up on 2027-02-01 only."),
        (["--customers", "missing.toml"], "missing.toml cannot be read: No such file or directory."),
    ],
)
def test_what_cannot_be_played_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert run(["demo", "--folder", str(tmp_path), *options]) == 1
    assert capsys.readouterr().err.startswith(said)
