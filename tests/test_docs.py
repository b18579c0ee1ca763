"""README and docs: links lead somewhere, commands that are named exist, examples are true to the code."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer
from typer.main import get_command

from billing.dunning import DEFAULT_POLICIES
from starter import orders
from starter.cli import NOUNS
from starter.client import RelanceClient

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code(page: Path) -> str:
    """What a page shows as code: only there is a command a command."""
    return "\n".join(match.strip("`") for match in CODE.findall(page.read_text(encoding="utf-8")))


def relance_commands(page: Path) -> Iterator[list[str]]:
    for words in re.findall(r"(?<![\w./-])relance((?: [a-z][a-z-]*)+)", code(page)):
        yield words.split()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relative_links_lead_to_files(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    broken = [target for target in targets if not (page.parent / target.partition("#")[0]).exists()]
    assert broken == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_to_headings_find_them(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if anchor and "://" not in target:
            assert anchor in anchors(page.parent / path if path else page)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_make_targets_that_are_named_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?<![\w-])make ([a-z-]+)", code(page))) <= targets


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_relance_commands_that_are_named_exist(page: Path) -> None:
    for words in relance_commands(page):
        assert words[0] in NOUNS, f"relance {' '.join(words)}"
        app: typer.Typer = importlib.import_module(NOUNS[words[0]].module).app
        command = get_command(app)
        for word in words[1:]:
            if not isinstance(command, click.Group):
                break
            assert word in command.commands, f"relance {' '.join(words)}"
            command = command.commands[word]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_modules_and_files_that_are_named_exist(page: Path) -> None:
    shown = code(page)
    for module in re.findall(r"python -m ([a-z_.]+)", shown):
        assert importlib.util.find_spec(module)
    for path in re.findall(
        r"(?:billing|workflows|activities|models|starter|tests|mails|docker)/[\w./]*\w\.\w+", shown
    ):
        assert (ROOT / path).exists(), path


def test_the_example_uses_what_the_client_has() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    tree = ast.parse(block)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, alias.name) for alias in node.names)
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name("relance"), attr=method), args=given, keywords=named_too
            ):
                names = {word.arg: None for word in named_too if word.arg}
                inspect.signature(getattr(RelanceClient, method)).bind(None, *given, **names)
            case ast.Call(func=ast.Name("NewCustomer" | "NewSubscription" as order), keywords=given_fields):
                fields = getattr(orders, order).model_fields
                assert {word.arg for word in given_fields} <= set(fields)


def test_the_table_of_policies_is_the_code() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \|(.*)\|$", (ROOT / "docs/dunning.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    table = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    assert set(DEFAULT_POLICIES) <= set(table)
    for name, policy in DEFAULT_POLICIES.items():
        _, retries, _, last_notice, end, *_ = table[name]
        assert retries == (", ".join(map(str, policy.retry_days)) or "none")
        if name != "gated":  # ended by its draft's deadline, not by its days
            assert (last_notice, end) == (str(policy.last_notice_day), str(policy.end_day))
