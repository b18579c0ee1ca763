"""Tables of rates that a seller may replace: CSV files, read row by row, with the line named where one is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError

from billing.errors import InvalidInput
from billing.values import Value

Row = TypeVar("Row", bound=Value)
Table = TypeVar("Table", bound=Value)


@dataclass(frozen=True)
class RateFile(Generic[Row, Table]):
    """How one kind of table is read.

    Attributes:
        name: as errors name it: `VAT rates`.
        field: as errors name the setting: `vat_rates`.
        columns: those that it must have.
        row: the value of a line.
        table: that of the whole, made of its `rates`.
        unusable: what is raised.
    """

    name: str
    field: str
    columns: tuple[str, ...]
    row: type[Row]
    table: type[Table]
    unusable: type[InvalidInput]

    def read(self, lines: Iterable[str]) -> Table:
        """The table in the lines of a file.

        Raises:
            InvalidInput: of the kind `unusable`: a column is missing, a row is wrong, or rows contradict each other.
        """
        reader = csv.DictReader(lines)
        missing = [name for name in self.columns if name not in (reader.fieldnames or ())]
        if missing:
            raise self._unusable(f"The table of {self.name} has no column {', '.join(missing)}.")
        rows = []
        for row in reader:
            try:
                rows.append(self.row.model_validate(row))
            except ValidationError as problem:
                where = f"Line {reader.line_num} of the table of {self.name}"
                raise self._unusable(f"{where} is wrong: {_said(problem)}.") from None
        try:
            return self.table.model_validate({"rates": tuple(rows)})
        except ValidationError as problem:
            raise self._unusable(f"The table of {self.name} is wrong: {_said(problem)}.") from None

    def _unusable(self, message: str) -> InvalidInput:
        return self.unusable(message, field=self.field)


def _said(problem: ValidationError) -> str:
    first = problem.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
