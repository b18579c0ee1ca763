"""The command line, run in this process on books of its own, with a fake Stripe and no Temporal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from fakes import TEST_KEY, FakeStripe

from starter.cli import main


class Terminal:
    """Runs command lines in this process and keeps what they printed."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured

    def __call__(self, *words: str) -> tuple[int, str, str]:
        status = main(words)
        printed = self._captured.readouterr()
        return status, printed.out, printed.err

    def json(self, *words: str) -> tuple[int, object]:
        status, out, err = self(*words, "--json")
        return status, json.loads(out if status == 0 else err)


@pytest.fixture
def relance(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fake_stripe: FakeStripe,
    sqlite_template: Path,
) -> Terminal:
    url = f"sqlite:///{tmp_path / 'relance.db'}"
    shutil.copy(sqlite_template, tmp_path / "relance.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("STRIPE_API_KEY", TEST_KEY)
    monkeypatch.setenv("STRIPE_API_BASE", fake_stripe.base)
    return Terminal(capsys)
