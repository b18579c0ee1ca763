import json
from pathlib import Path

import pytest

from models.schema import standing
from starter.cli import main


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A database that does not exist yet, named by the environment alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/relance.db")
    return f"sqlite+aiosqlite:///{tmp_path}/relance.db"


def test_migrate_says_what_it_did_and_that_there_is_nothing_left_to_do(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", "current"]) == 0
    assert "is empty; this release needs version" in capsys.readouterr().out

    assert main(["db", "migrate"]) == 0
    assert "went from empty to version" in capsys.readouterr().out
    assert standing(url).is_current

    assert main(["db", "migrate"]) == 0
    assert "is up to date" in capsys.readouterr().out
    assert main(["db", "current"]) == 0
    assert "is up to date" in capsys.readouterr().out


def test_programs_read_the_versions(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    head = standing(url).head
    for command, said in [
        ("current", {"now": None, "needed": head, "is_current": False}),
        ("migrate", {"before": None, "now": head}),
        ("migrate", {"before": head, "now": head}),
        ("current", {"now": head, "needed": head, "is_current": True}),
    ]:
        assert main(["db", command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == said


def test_a_database_that_cannot_be_reached_is_an_error_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://billing:hunter2@127.0.0.1:1/books")
    assert main(["db", "migrate", "--json"]) == 1
    printed = capsys.readouterr()
    error = json.loads(printed.err)["error"]
    assert (error["code"], error["field"]) == ("database_unreachable", "DATABASE_URL")
    assert "127.0.0.1:1/books" in error["message"]
    assert "hunter2" not in printed.err + printed.out
