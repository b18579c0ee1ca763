"""`relance customer mandate`: an account with its mandate, listed, and taken back."""

from __future__ import annotations

from pathlib import Path

from support.terminal import Terminal

SELLER = ["entity", "create", "--name", "Exemple SAS", "--sender", "factures@example.com"]
SELLER += ["--line1", "12 rue de la Paix", "--city", "Paris", "--creditor-id", "FR72 ZZZ 123456"]
ANNA = ["customer", "create", "--name", "Anna", "--email", "anna@example.com", "--reference", "anna"]
GIVEN = ["customer", "mandate", "set", "anna", "pm_sepaDebit_success_at"]
ONLINE = ["--accepted-at", "2026-11-15T10:00+01:00", "--ip-address", "203.0.113.7", "--user-agent", "Firefox"]


def test_given_listed_and_taken_back(relance: Terminal, tmp_path: Path) -> None:
    assert relance(*SELLER)[0] == 0
    assert relance(*ANNA)[0] == 0
    assert relance("customer", "mandate", "list", "anna")[1] == "No mandate.\n"
    text = tmp_path / "mandate.txt"
    text.write_text("J’autorise Exemple SAS ...", encoding="utf-8")
    status, out, _ = relance(
        *GIVEN, *ONLINE, "--notice-days", "5", "--text", str(text), "--text-version", "v1"
    )
    assert (status, out) == (0, "Saved: SEPA 3201.\n")
    _, listed = relance.json("customer", "mandate", "list", "anna")
    assert isinstance(listed, list)
    (mandate,) = listed
    assert (mandate["creditor_id"], mandate["notice_days"]) == ("FR72ZZZ123456", 5)
    assert (mandate["text"], mandate["accepted_on"]) == ("J’autorise Exemple SAS ...", "2026-11-15")
    _, out, _ = relance("customer", "mandate", "list", "anna")
    assert "valid to 2029-11-15" in " ".join(out.split())
    _, out, _ = relance("customer", "show", "anna")
    assert "SEPA 3201" in out
    status, out, _ = relance("customer", "mandate", "revoke", mandate["id"], "--reason", "by letter")
    assert (status, out) == (0, f"Mandate {mandate['reference']} is over: revoked: by letter.\n")


def test_what_is_wrong_is_named(relance: Terminal) -> None:
    relance(*SELLER)
    relance(*ANNA)
    for words, field in (
        (GIVEN, "mandate"),
        ([*GIVEN, "--ip-address", "203.0.113.7"], "accepted_at"),
        ([*GIVEN, *ONLINE[:-2]], "user_agent"),
        ([*GIVEN, *ONLINE, "--notice-days", "15"], "notice_days"),
        (["customer", "mandate", "revoke", "mdt_none", "--reason", "r"], "mandate"),
    ):
        status, answer = relance.json(*words)
        assert status != 0
        assert isinstance(answer, dict)
        assert answer["error"]["field"].endswith(field), answer
