"""`relance schedule preview`, for people, for programs, and as a stream."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from starter.cli import main

RELANCE = Path(sys.executable).with_name("relance")


class Run(NamedTuple):
    status: int
    out: str
    err: str


class Terminal:
    """The command line, run in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, *arguments: str, typed: bytes = b"") -> Run:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
        status = main(arguments)
        printed = self._capsys.readouterr()
        return Run(status, printed.out, printed.err)

    def preview(self, *arguments: str) -> Run:
        return self.run("schedule", "preview", *arguments)

    def batch(self, *lines: str | bytes) -> Run:
        typed = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
        return self.run("schedule", "preview", "--batch", typed=typed)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


def test_prints_dates_and_instants_as_json(terminal: Terminal) -> None:
    run = terminal.preview(
        *("--anchor", "2024-01-31", "--every", "1month", "--timezone", "Europe/Paris"),
        *("--alignment", "anniversary", "--periods", "3", "--json"),
    )
    assert (run.status, run.err) == (0, "")
    assert json.loads(run.out) == [
        {"index": 0, "start": "2024-01-31", "end": "2024-02-29", "starts_at": "2024-01-30T23:00:00Z"},
        {"index": 1, "start": "2024-02-29", "end": "2024-03-31", "starts_at": "2024-02-28T23:00:00Z"},
        {"index": 2, "start": "2024-03-31", "end": "2024-04-30", "starts_at": "2024-03-30T23:00:00Z"},
    ]


def test_a_part_period_is_index_zero(terminal: Terminal) -> None:
    run = terminal.preview(
        "--anchor",
        "2027-02-15",
        "--every",
        "bimonthly",
        "--alignment",
        "calendar",
        "--periods",
        "2",
        "--json",
    )
    assert json.loads(run.out) == [
        {"index": 0, "start": "2027-02-15", "end": "2027-03-01", "starts_at": "2027-02-15T00:00:00Z"},
        {"index": 1, "start": "2027-03-01", "end": "2027-05-01", "starts_at": "2027-03-01T00:00:00Z"},
    ]


def test_twelve_periods_in_utc_unless_told_otherwise(terminal: Terminal) -> None:
    rows = json.loads(terminal.preview("--anchor", "2027-01-31", "--every", "monthly", "--json").out)
    assert len(rows) == 12
    assert rows[-1] == {
        "index": 11,
        "start": "2027-12-31",
        "end": "2028-01-31",
        "starts_at": "2027-12-31T00:00:00Z",
    }


def test_a_person_reads_a_table(terminal: Terminal) -> None:
    run = terminal.preview(
        "--anchor", "2027-02-15", "--every", "2month", "--alignment", "calendar", "--periods", "2"
    )
    assert run.status == 0
    lines = [line.split() for line in run.out.splitlines() if line[1:2].isdigit()]
    assert lines == [
        ["0", "2027-02-15", "2027-03-01", "14", "2027-02-15T00:00:00Z", "part", "of", "59", "days"],
        ["1", "2027-03-01", "2027-05-01", "61", "2027-03-01T00:00:00Z"],
    ]


GOOD = {"--anchor": "2027-01-31", "--every": "1month", "--timezone": "UTC", "--periods": "2"}


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("--anchor", "31/01/2027", "anchor"),
        ("--anchor", "2027-02-30", "anchor"),
        ("--every", "1day", "every"),
        ("--timezone", "Mars/Olympus", "timezone"),
        ("--alignment", "lunar", "alignment"),
        ("--periods", "0", "periods"),
        ("--periods", "10001", "periods"),
    ],
)
def test_a_bad_value_is_refused_by_name(terminal: Terminal, option: str, value: str, field: str) -> None:
    arguments = [part for pair in (GOOD | {option: value}).items() for part in pair]

    for_people = terminal.preview(*arguments)
    assert (for_people.status, for_people.out) == (1, "")
    assert for_people.err.startswith("Error: ")
    assert for_people.err.count("\n") == 1

    for_programs = terminal.preview(*arguments, "--json")
    assert (for_programs.status, for_programs.out) == (1, "")
    error = json.loads(for_programs.err)["error"]
    assert (error["code"], error["field"]) == ("invalid_input", field)
    assert error["message"] in for_people.err


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--every", "1month"], "anchor"),
        (["--anchor", "2027-01-31"], "every"),
        (["--anchor", "2027-01-31", "--every", "1month", "--periods", "many"], "periods"),
        (["--frob"], "frob"),
        (["--batch", "--every", "1month"], "every"),
    ],
)
def test_wrong_usage_has_status_two(terminal: Terminal, arguments: list[str], field: str) -> None:
    for_people = terminal.preview(*arguments)
    assert (for_people.status, for_people.out) == (2, "")
    assert for_people.err.startswith("Error: ")

    for_programs = terminal.preview(*arguments, "--json")
    assert (for_programs.status, for_programs.out) == (2, "")
    error = json.loads(for_programs.err)["error"]
    assert (error["code"], error["field"]) == ("wrong_usage", field)


def test_the_command_tree_helps_and_corrects(terminal: Terminal) -> None:
    assert terminal.run().out == terminal.run("--help").out
    assert "schedule" in terminal.run("--help").out
    assert "preview" in terminal.run("schedule").out
    slip = terminal.run("shedule")
    assert slip.status == 2
    assert "Did you mean 'schedule'?" in slip.err


class TestBatch:
    def test_each_line_is_answered_by_one_line(self, terminal: Terminal) -> None:
        run = terminal.batch(
            '{"anchor": "2011-11-30", "every": "1month", "timezone": "Pacific/Apia", "periods": 2}',
            '{"anchor": "2027-01-04", "every": "1week", "alignment": "calendar", "periods": 1}',
        )
        assert (run.status, run.err) == (0, "")
        assert [json.loads(line) for line in run.out.splitlines()] == [
            [
                {"index": 0, "start": "2011-11-30", "end": "2011-12-30", "starts_at": "2011-11-30T10:00:00Z"},
                {"index": 1, "start": "2011-12-30", "end": "2012-01-30", "starts_at": "2011-12-30T10:00:00Z"},
            ],
            [{"index": 0, "start": "2027-01-04", "end": "2027-01-11", "starts_at": "2027-01-04T00:00:00Z"}],
        ]

    def test_no_line_is_no_answer(self, terminal: Terminal) -> None:
        assert terminal.batch() == Run(0, "", "")

    @pytest.mark.parametrize(
        ("line", "field"),
        [
            ("not json", None),
            ("", None),
            ("[1]", None),
            ("null", None),
            ("[" * 100_000, None),
            (b"\xff\xfe{}", None),
            ('{"anchor": "2027-01-31"}', "every"),
            ('{"every": "1month"}', "anchor"),
            ('{"anchor": "2027-01-31", "every": "1month", "colour": "red"}', "colour"),
            ('{"anchor": 20270131, "every": "1month"}', "anchor"),
            ('{"anchor": "20270131", "every": "1month"}', "anchor"),
            ('{"anchor": "2027-01-31T00:00:00", "every": "1month"}', "anchor"),
            ('{"anchor": "2027-01-31", "every": 1}', "every"),
            ('{"anchor": "2027-01-31", "every": "0month"}', "every"),
            ('{"anchor": "2027-01-31", "every": "5month", "alignment": "calendar"}', "every"),
            ('{"anchor": "2027-01-31", "every": "1month", "timezone": null}', "timezone"),
            ('{"anchor": "2027-01-31", "every": "1month", "timezone": "\\ud800"}', "timezone"),
            ('{"anchor": "2027-01-31", "every": "1month", "alignment": ""}', "alignment"),
            ('{"anchor": "2027-01-31", "every": "1month", "periods": true}', "periods"),
            ('{"anchor": "2027-01-31", "every": "1month", "periods": 2.0}', "periods"),
            ('{"anchor": "2027-01-31", "every": "1month", "periods": "2"}', "periods"),
            ('{"anchor": "2027-01-31", "every": "1month", "periods": 10001}', "periods"),
            ('{"anchor": "9999-12-31", "every": "1month"}', "anchor"),
            ('{"anchor": "9999-06-30", "every": "1month"}', "periods"),
            ('{"anchor": "0001-01-01", "every": "1month", "timezone": "Asia/Tokyo"}', "anchor"),
        ],
    )
    def test_a_bad_line_is_answered_and_the_next_one_too(
        self, terminal: Terminal, line: str | bytes, field: str | None
    ) -> None:
        run = terminal.batch(line, '{"anchor": "2027-01-31", "every": "1month", "periods": 1}')
        assert (run.status, run.err) == (1, "")
        bad, good = (json.loads(answer) for answer in run.out.splitlines())
        assert bad.keys() == {"error"}
        assert bad["error"].keys() == {"field", "message"}
        assert bad["error"]["field"] == field
        assert bad["error"]["message"]
        assert good == [
            {"index": 0, "start": "2027-01-31", "end": "2027-02-28", "starts_at": "2027-01-31T00:00:00Z"}
        ]

    def test_the_last_line_needs_no_line_end(self, terminal: Terminal) -> None:
        request = b'{"anchor": "2027-01-31", "every": "1year", "periods": 1}'
        run = terminal.run("schedule", "preview", "--batch", typed=request)
        assert (run.status, run.out.count("\n")) == (0, 1)

    def test_streams_from_a_process_of_its_own(self) -> None:
        command = [str(RELANCE), "schedule", "preview", "--batch"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603
            assert process.stdin is not None
            assert process.stdout is not None
            for request, answer in (
                (b'{"anchor": "2027-01-31", "every": "1year", "periods": 1}\n', b'[{"index": 0, '),
                (b"nonsense\n", b'{"error": {"field": null, '),
            ):
                process.stdin.write(request)
                process.stdin.flush()
                assert process.stdout.readline().startswith(answer)
            process.stdin.close()
            assert process.wait(timeout=30) == 1


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from starter.cli import main; main(['--help']);"
        "sys.exit(bool({'temporalio', 'sqlalchemy', 'stripe', 'pydantic', 'fastapi'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0  # noqa: S603
