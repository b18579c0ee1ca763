"""Reading a folder of CSV files as spreadsheets write them, and saying of every problem where it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from billing.errors import InvalidInput
from billing.values import Value
from models.tables import ImportKind

FILES: Final[Mapping[ImportKind, str]] = {
    ImportKind.PLAN: "plans.csv",
    ImportKind.COUPON: "coupons.csv",
    ImportKind.CUSTOMER: "customers.csv",
    ImportKind.PAYMENT_METHOD: "payment_methods.csv",
    ImportKind.SEPA_MANDATE: "sepa_mandates.csv",
    ImportKind.SUBSCRIPTION: "subscriptions.csv",
    ImportKind.BALANCE: "balances.csv",
    ImportKind.DEBT: "debts.csv",
}
"""The file of each kind of row; a folder has those that it needs."""
LARGEST_BYTES: Final = 50_000_000


class Problem(Value):
    """Something that is wrong with a row, where it is, and what to do about it."""

    file: str
    line: int
    """As an editor counts them: the header is line 1."""
    field: str | None = None
    message: str


class SourceRow(NamedTuple):
    """One row as it stands in its file; cells that are empty are left out."""

    kind: ImportKind
    file: str
    line: int
    cells: Mapping[str, str]

    def problem(self, message: str, *, field: str | None = None) -> Problem:
        """What is wrong with it."""
        return Problem(file=self.file, line=self.line, field=field, message=message)


class Columns(NamedTuple):
    """What a file may have."""

    required: frozenset[str]
    known: frozenset[str]
    ignores_others: bool = False
    """An export has many columns that nobody needs; in a file written by hand one that is not known is a slip."""


def read_folder(folder: Path, columns: Mapping[ImportKind, Columns]) -> tuple[list[SourceRow], list[Problem]]:
    """Every row of the files in a folder, and what makes a file unreadable.

    Raises:
        InvalidInput: there is no such folder, or nothing to import in it; field `folder`.
    """
    if not folder.is_dir():
        raise InvalidInput(f"There is no folder {folder}.", field="folder")
    there = {kind: folder / name for kind, name in FILES.items() if (folder / name).is_file()}
    if not there:
        raise InvalidInput(
            f"There is nothing to import in {folder}. It takes files named {', '.join(FILES.values())}.",
            field="folder",
        )
    rows: list[SourceRow] = []
    problems: list[Problem] = []
    for kind, path in there.items():
        try:
            rows += _read_file(kind, path, columns[kind], problems)
        except _Unreadable as unreadable:
            problems.append(Problem(file=path.name, line=unreadable.line, message=unreadable.message))
    return rows, problems


class _Unreadable(InvalidInput):
    """Nothing of a file can be believed."""

    def __init__(self, message: str, *, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def _read_file(kind: ImportKind, path: Path, columns: Columns, problems: list[Problem]) -> list[SourceRow]:
    records = _records(path)
    _, header = next(records, (1, []))
    names = [name.strip() for name in header]
    _check_header(names, columns)
    rows = []
    for line, record in records:
        if not any(cell.strip() for cell in record):
            continue
        if len(record) != len(names):
            says = f"This line has {len(record)} cells, the header {len(names)}. Quote a cell that holds the separator."
            problems.append(Problem(file=path.name, line=line, message=says))
            continue
        cells = {name: cell.strip() for name, cell in zip(names, record, strict=True)}
        rows.append(SourceRow(kind, path.name, line, {name: cell for name, cell in cells.items() if cell}))
    return rows


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each record with the line on which it begins; a quoted cell may go over several."""
    if path.stat().st_size > LARGEST_BYTES:
        raise _Unreadable(
            f"The file is larger than {LARGEST_BYTES // 1_000_000} MB. Split it into several imports."
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Unreadable(
            "The file is not in UTF-8. Save it as CSV UTF-8.",
            line=path.read_bytes()[: error.start].count(b"\n") + 1,
        ) from None
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(header), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _Unreadable(f"From here on this is no CSV: {error}.", line=line) from None
        if record is None:
            return
        yield line, record


def _delimiter(header: str) -> str:
    """A semicolon is what spreadsheets write where the comma is the decimal sign."""
    return max(",;\t", key=header.count)


def _check_header(names: Sequence[str], columns: Columns) -> None:
    twice = {name for name in names if names.count(name) > 1 and not columns.ignores_others}
    if twice:
        raise _Unreadable(f"The column {min(twice)} is there twice.")
    missing = sorted(columns.required - set(names))
    if missing:
        raise _Unreadable(f"The header lacks {', '.join(missing)}. The first line names the columns.")
    unknown = [name for name in names if name not in columns.known]
    if unknown and not columns.ignores_others:
        known = ", ".join(sorted(columns.known))
        raise _Unreadable(f"There is no column {unknown[0]!r}. There are: {known}.")
