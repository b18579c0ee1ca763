"""Recorded histories: files of JSON as the Temporal UI and command line give it, compressed.

A history downloaded from the UI of a running system can be put beside them (compressed) as it is.
"""

from __future__ import annotations

import gzip
from pathlib import Path

from temporalio.client import Client, WorkflowHistory

FOLDER = Path(__file__).parents[1] / "histories"
STATES = FOLDER / "states"
"""What rows held when the pictures were taken: one file for each number of the state's schema, never rewritten
once another number is in force."""
ENDING = ".json.gz"


def files() -> list[Path]:
    """Every recorded history."""
    return sorted(FOLDER.glob(f"*{ENDING}"))


def name_of(path: Path) -> str:
    """`retries-2-collection-1`: the life, the picture, what it is of, the run."""
    return path.name.removesuffix(ENDING)


def text_of(path: Path) -> str:
    """The file's JSON."""
    return gzip.decompress(path.read_bytes()).decode()


def read(path: Path) -> WorkflowHistory:
    """The history in a file."""
    return WorkflowHistory.from_json(name_of(path), text_of(path))


def write(name: str, text: str) -> None:
    """Keep a history; the same text gives the same file."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}{ENDING}").write_bytes(gzip.compress(text.encode(), mtime=0))


async def runs_of(client: Client, workflow_id: str) -> list[WorkflowHistory]:
    """Every run of an execution, first to last."""
    found: list[WorkflowHistory] = []
    run_id: str | None = None
    while run_id != "":
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        found.append(history)
        started = history.events[0].workflow_execution_started_event_attributes
        run_id = started.continued_execution_run_id
    return found[::-1]
