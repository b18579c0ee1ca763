"""Ways into the portal by the command line."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fakes import TEST_KEY, FakeStripe
from support.mailroom import KEY

from activities.links import LinkPurpose, Links
from starter.cli import main

ADDRESS = ("--line1", "12 rue de la Paix", "--postal-code", "75002", "--city", "Paris")
PUBLIC = "https://billing.example.com"


def test_a_person_makes_a_link_and_ends_its_session(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fake_stripe: FakeStripe,
    sqlite_template: Path,
) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'relance.db'}"
    shutil.copy(sqlite_template, tmp_path / "relance.db")
    monkeypatch.chdir(tmp_path)
    for name, value in (
        ("DATABASE_URL", url.replace("+aiosqlite", "")),
        ("STRIPE_API_KEY", TEST_KEY),
        ("STRIPE_API_BASE", fake_stripe.base),
        ("SECRET_KEY", KEY),
        ("PUBLIC_URL", PUBLIC),
        ("RELANCE_PORTAL_RETURN_URLS", "https://app.example.com"),
    ):
        monkeypatch.setenv(name, value)

    def run(*words: str) -> str:
        status = main(words)
        printed = capsys.readouterr()
        return printed.out if status == 0 else printed.err

    run("entity", "create", "--name", "Exemple SAS", "--sender", "a@example.com", *ADDRESS)
    run("customer", "create", "--name", "Anna", "--email", "anna@example.com", "--reference", "anna")
    made = json.loads(run("customer", "portal-link", "anna", "--start", "invoices", "--json"))
    token = made["url"].removeprefix(f"{PUBLIC}/portal/open/")
    links = Links(public_url=PUBLIC, secret=KEY)
    assert links.read(token, LinkPurpose.PORTAL, now=datetime.now(UTC)) == made["id"]
    assert made["start"] == "invoices"
    back = ("--return-url", "https://app.example.com/account")
    assert run("customer", "portal-link", "anna", *back).startswith(f"{PUBLIC}/portal/open/ps_")
    assert "RELANCE_PORTAL_RETURN_URLS allows" in run(
        "customer", "portal-link", "anna", "--return-url", "https://evil.example.com"
    )
    assert "A start page is one of overview, invoices" in run(
        "customer", "portal-link", "anna", "--start", "x"
    )
    assert run("customer", "portal-revoke", made["id"]) == f"Ended: {made['id']}\n"
    assert "There is no portal session ps_x" in run("customer", "portal-revoke", "ps_x")
