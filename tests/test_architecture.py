"""Holds the shape of the code: which package may import which, what workflows may name, how long a file may be."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, get_type_hints
from unittest.mock import MagicMock

import pytest
from pydantic import BaseModel
from temporalio import workflow

from activities import clocks
from activities.bookkeeping import Books
from activities.launching import Launcher
from activities.messages import Messages
from activities.payments import Payments
from activities.reconciling import Reconciler
from worker import WORKFLOWS
from workflows import calls

ROOT = Path(__file__).parents[1]
MAX_LINES = 450

MAY_IMPORT = {
    "billing": set[str](),
    "models": {"billing", "migrations"},
    "migrations": {"models"},
    "settings": {"billing"},
    "mails": {"billing"},
    "documents": {"billing", "mails", "models"},
    "rehearsal": {"billing"},
    "activities": {"billing", "documents", "mails", "models", "settings"},
    "workflows": {"billing", "models"},
    "portal": {"activities", "billing", "mails", "models", "settings", "starter"},
    "starter": {
        "activities",
        "billing",
        "documents",
        "mails",
        "models",
        "portal",
        "rehearsal",
        "settings",
        "worker",
        "workflows",
    },
    "worker": {"activities", "billing", "models", "settings", "starter", "workflows"},
    "sandbox": {"settings"},
    "sandbox/demo": {"billing", "sandbox", "settings", "starter"},
}
"""What each part may import beside itself. The demo meets the application as a backend would: by its client and
the values that it takes."""

BOUNDARY = {"models.attributes", "models.boundary"}
"""All that workflows may import of `models`: values, no tables."""

OURS = {part.split("/")[0] for part in MAY_IMPORT}

NEVER_IN_RULES = {"random", "secrets", "sqlalchemy", "sqlmodel", "stripe", "temporalio", "time", "uuid"}
NEVER_IN_WORKFLOWS = (NEVER_IN_RULES - {"temporalio"}) | {"zoneinfo"}
NEVER_CALLED = {
    "date.today", "datetime.now", "datetime.today", "datetime.utcnow",
    "time.time", "time.monotonic", "uuid.uuid4", "uuid4", "random.random", "os.urandom",
}  # fmt: skip


def part_of(path: Path) -> str:
    inside = path.relative_to(ROOT)
    if inside.parts[:2] in {("sandbox", "demo"), ("sandbox", "demo.py")}:
        return "sandbox/demo"
    return inside.parts[0].removesuffix(".py")


def sources(*parts: str) -> list[Path]:
    """Every Python file of these parts; of all parts when none is named."""
    wanted = parts or tuple(MAY_IMPORT)
    found = [ROOT / "settings.py", ROOT / "worker.py"]
    found += [path for part in sorted(OURS) for path in sorted((ROOT / part).rglob("*.py"))]
    return [path for path in found if part_of(path) in wanted]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def imports_of(path: Path) -> Iterator[str]:
    """The dotted name of each module that a file imports, also inside functions and `if TYPE_CHECKING`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative imports hide what is imported"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls_in(path: Path) -> Iterator[str]:
    """What a file calls by a plain dotted name, such as `datetime.now`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_every_part_is_looked_at() -> None:
    assert {part_of(path) for path in sources()} >= set(MAY_IMPORT)


def test_arrows_point_one_way() -> None:
    wrong = {}
    for path in sources():
        part = part_of(path)
        others = OURS - MAY_IMPORT[part] - {part.split("/")[0]}
        wrong[name_of(path)] = {module for module in imports_of(path) if module.split(".")[0] in others}
    assert {name: modules for name, modules in wrong.items() if modules} == {}


@pytest.mark.parametrize("path", sources("workflows"), ids=name_of)
def test_workflows_know_boundary_values_only(path: Path) -> None:
    models = {module for module in imports_of(path) if module.startswith("models")}
    assert {".".join(module.split(".")[:2]) for module in models} <= BOUNDARY


@pytest.mark.parametrize("path", sources("billing", "rehearsal", "workflows"), ids=name_of)
def test_nothing_reads_a_clock_or_rolls_dice(path: Path) -> None:
    never = NEVER_IN_WORKFLOWS if part_of(path) == "workflows" else NEVER_IN_RULES
    assert not {module for module in imports_of(path) if module.split(".")[0] in never}
    assert not set(calls_in(path)) & NEVER_CALLED


def test_the_guards_see_what_they_guard(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(
        "from datetime import datetime\n"
        "import sandbox.stripe\n"
        "def f():\n"
        "    from models.tables import Invoice\n"
        "    return datetime.now(), Invoice\n"
    )
    assert {"sandbox.stripe", "models.tables"} <= set(imports_of(bad))
    assert "datetime.now" in set(calls_in(bad))


@pytest.mark.parametrize("module", ["billing.decide", "models", "models.attributes", "models.boundary"])
def test_boundary_values_bring_no_database_along(module: str) -> None:
    """Else every workflow would pay for it, in the sandbox."""
    outside = {"httpx", "sqlalchemy", "sqlmodel", "stripe"}
    program = f"import {module}, sys; print(*sorted({outside} & set(sys.modules)))"
    answer = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.split() == []


# The activities as workflows see them, and as they are


def defined_activities() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for party in (Books, Payments, Launcher, clocks.TestClocks, Messages, Reconciler):
        for name, method in inspect.getmembers(party, inspect.isfunction):
            definition = getattr(method, "__temporal_activity_definition", None)
            if definition is not None:
                assert definition.name == name, "an activity is called as its method is"
                found[name] = method
    return found


ACTIVITIES = defined_activities()
DOORS = {
    name: function
    for name, function in inspect.getmembers(calls, inspect.iscoroutinefunction)
    if function.__module__ == calls.__name__ and name not in {"sql_step", "_payment"}
}
"""The functions through which workflows call activities."""

Asked = tuple[str, list[type], type | None]


def some(kind: object) -> Any:  # noqa: ANN401 - a value of any type
    """A value of this type; what is in it does not matter."""
    if not isinstance(kind, type):
        return MagicMock()
    if issubclass(kind, BaseModel):
        fields = {name: some(field.annotation) for name, field in kind.model_fields.items()}
        return kind.model_construct(**fields)
    if issubclass(kind, StrEnum):
        return next(iter(kind))
    return {str: "something", datetime: datetime(2041, 1, 31, 9, tzinfo=UTC), int: 1}.get(kind)


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """What was asked of Temporal: the activity's name, the types that were sent, the type that is expected."""
    asked: list[Asked] = []

    async def execute(name: str, *sent: object, result_type: type | None = None, **_: object) -> None:
        asked.append((name, [type(value) for value in sent], result_type))

    monkeypatch.setattr(workflow, "execute_activity", execute)
    monkeypatch.setattr(workflow, "execute_local_activity", execute)
    return asked


@pytest.mark.parametrize("name", DOORS)
async def test_a_call_sends_and_expects_what_its_activity_takes_and_gives(
    name: str, executed: list[Asked]
) -> None:
    door = DOORS[name]
    wanted = get_type_hints(door)
    promised = wanted.pop("return")
    await door(**{parameter: some(kind) for parameter, kind in wanted.items()})
    ((activity_name, sent, expected),) = executed
    takes = get_type_hints(inspect.unwrap(ACTIVITIES[activity_name]))
    gives = takes.pop("return")
    assert sent == list(takes.values())
    if expected is not None:  # an answer that nobody reads may be anything
        assert expected is gives
    assert promised in (expected, type(None))


def test_every_activity_has_a_door_and_only_doors_name_activities() -> None:
    named = {
        path.name: {
            node.value
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Constant) and node.value in ACTIVITIES
        }
        for path in sources("workflows")
    }
    assert named.pop("calls.py") == set(ACTIVITIES)
    executing = {
        path.name
        for path in sources("workflows")
        for call in calls_in(path)
        if call.startswith(("workflow.execute_", "workflow.start_"))
    }
    assert executing == {"calls.py"}


# What people find in the Temporal UI


def handlers_of(kind: type) -> Iterator[tuple[str, str | None]]:
    definition = workflow._Definition.must_from_class(kind)  # noqa: SLF001 - there is no public list of handlers
    for group in (definition.queries, definition.signals, definition.updates):
        for name, handler in group.items():
            yield f"{definition.name}.{name}", handler.description


def test_every_handler_says_what_to_type() -> None:
    described = dict(pair for kind in WORKFLOWS for pair in handlers_of(kind))
    assert {"subscription.cancel", "collection.pay_now", "clock.advance"} <= set(described)
    assert [name for name, description in described.items() if not description] == []


def test_a_file_holds_one_idea() -> None:
    """A migration is as long as its tables, and settings are one list: those two may be longer."""
    read = [path for path in sources() if part_of(path) != "settings" and path.parent.name != "versions"]
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in read}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
