"""Transfers on the command line: what is printed for people and for programs, and the exit status."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fakes import TEST_KEY, FakeStripe
from support.bank_files import came, camt
from support.terminal import Terminal
from support.transfers import acme, bill

from models.database import Database


@pytest.fixture
def relance(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fake_stripe: FakeStripe,
    sqlite_template: Path,
) -> Terminal:
    """A terminal, and books in which ACME owes 120.00 on F-000001 since 2 March 2026."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'relance.db'}"
    shutil.copy(sqlite_template, tmp_path / "relance.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url.replace("+aiosqlite", ""))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("STRIPE_API_KEY", TEST_KEY)
    monkeypatch.setenv("STRIPE_API_BASE", fake_stripe.base)

    async def write() -> None:
        database = Database(url)
        async with database.write() as session:
            await bill(session, await acme(session), at=datetime(2026, 1, 31, 9, 0, tzinfo=UTC))
        await database.close()

    asyncio.run(write())
    return Terminal(capsys)


def answered(terminal: Terminal, *words: str) -> dict[str, Any]:
    status, answer = terminal.json(*words)
    assert status == 0, answer
    assert isinstance(answer, dict)
    return answer


RECORD = ["payment", "record", "F-000001", "--on", "2026-11-20"]


def test_a_transfer_is_recorded_once_and_listed(relance: Terminal) -> None:
    done = answered(relance, *RECORD, "--amount", "119.50", "--command-id", "seen-1")
    assert done["invoices"][0]["small_difference_minor"] == 50
    again = answered(relance, *RECORD, "--amount", "119.50", "--command-id", "seen-1")
    assert (again["transfer_id"], again["is_new"]) == (done["transfer_id"], False)
    status, out, _ = relance("payment", "list")
    assert status == 0
    assert "119.50 EUR" in out
    assert "F-000001" in out
    status, out, _ = relance("invoice", "show", "F-000001")
    assert done["transfer_id"] in out


def test_amounts_and_days_are_refused_by_name(relance: Terminal) -> None:
    for words, field in (
        ([*RECORD, "--amount", "1.001"], "amount"),
        (["payment", "record", "F-000001", "--on", "20/11/2026", "--amount", "1.00"], "on"),
        (["payment", "record", "F-000001", "--on", "2999-01-01", "--amount", "1.00"], "on"),
        (["payment", "record", "F-000009", "--on", "2026-11-20", "--amount", "1.00"], "invoice"),
        (["payment", "record", "--on", "2026-11-20", "--amount", "1.00"], "invoice"),
    ):
        status, answer = relance.json(*words)
        assert isinstance(answer, dict)
        assert (status, answer["error"]["field"]) == (1, field)
    assert relance.json("payment", "list") == (0, [])


def test_a_file_is_imported_and_what_is_left_is_matched(relance: Terminal, tmp_path: Path) -> None:
    bank = tmp_path / "bank.xml"
    bank.write_bytes(
        camt(came("100.00", "F-000001", reference="B-1"), came("20.00", "solde", reference="B-2"))
    )
    status, out, _ = relance("payment", "import", str(bank), "--check")
    assert (status, out.splitlines()[0]) == (
        0,
        "1 payments would be booked, 1 would be left for a person, 0 known from before.",
    )
    assert relance.json("payment", "list") == (0, [])
    status, out, _ = relance("payment", "import", str(bank))
    assert out.splitlines()[0] == "1 payments booked, 1 left for a person, 0 known from before."
    assert out.splitlines()[-1] == "See whose they could be: relance payment unmatched"
    assert answered(relance, "payment", "import", str(bank))["known"] == 2
    status, out, _ = relance("payment", "unmatched")
    assert "ACME SARL, F-000001, 20.00 EUR open: its amount is open on it; the account has paid" in out
    status, waiting = relance.json("payment", "unmatched")
    assert isinstance(waiting, list)
    transfer = waiting[0]["transfer"]["transfer_id"]
    assert answered(relance, "payment", "match", transfer, "F-000001")["invoices"][0]["status"] == "paid"
    status, out, _ = relance("payment", "unmatched")
    assert out == "No transfer waits for a person.\n"
    taken = answered(relance, "payment", "take-back", transfer, "--reason", "wrong")
    assert (taken["state"], taken["why"], len(taken["reopened"])) == ("unmatched", "Taken back: wrong", 0)
    status, out, _ = relance("payment", "dismiss", transfer, "--reason", "a loan")
    assert out == f"{transfer}: 20.00 EUR of 2027-03-10, dismissed.\na loan\n"


def test_a_bad_file_is_refused_with_its_line_and_books_nothing(relance: Terminal, tmp_path: Path) -> None:
    bank = tmp_path / "bank.xml"
    good = camt(came("100.00", "F-000001"), came("20.00", "F-000001"))
    bank.write_bytes(good.replace(b">20.00<", b">20,00<"))
    status, answer = relance.json("payment", "import", str(bank))
    assert isinstance(answer, dict)
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (1, "bad_bank_file", "file")
    assert answer["error"]["message"] == (
        "Line 25: '20,00' is no amount of EUR. Fetch the file from the bank again and leave it as it is."
    )
    assert relance.json("payment", "list") == (0, [])


def test_interest_is_claimed_and_waived(
    relance: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = tmp_path / "rates.csv"
    half_years = [f"{year}-{month}-01,10" for year in range(2026, 2060) for month in ("01", "07")]
    rates.write_text("\n".join(["from_on,percent", *half_years]))
    monkeypatch.setenv("RELANCE_INTEREST_RATES", str(rates))
    claimed = answered(relance, "invoice", "claim-interest", "F-000001", "--command-id", "claim-1")
    assert claimed["recovery_minor"] == 4000
    assert claimed["open_minor"] == claimed["interest_minor"] + 4000
    status, out, _ = relance("invoice", "show", "F-000001")
    assert status == 0
    assert "Recovery costs" in out
    assert "Claimed" in out
    waived = answered(relance, "invoice", "waive-interest", "F-000001", "--reason", "a gift")
    assert (waived["waived_minor"], waived["open_minor"]) == (claimed["open_minor"], 0)
    status, answer = relance.json("invoice", "waive-interest", "F-000001", "--reason", "again")
    assert isinstance(answer, dict)
    assert (status, answer["error"]["code"]) == (1, "not_now")
