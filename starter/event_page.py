"""Writes the catalogue into `docs/events.md` from the code: `make catalogue`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from billing.events import CATALOGUE, example, group_of

PAGE: Final = Path(__file__).parents[1] / "docs" / "events.md"
BEGIN: Final = "<!-- The catalogue: written by `make catalogue` -->"
TITLES: Final = {
    "access.*": "The right to the service",
    "subscription.*": "A subscription's life",
    "invoice.*": "Invoices",
    "credit_note.*": "Credit notes",
    "correction.*": "Corrections",
    "payment.*": "Money in",
    "payment_method.*": "Payment methods",
    "dunning.*": "The chase",
    "late_claim.*": "What late payment costs",
    "refund.*": "Money out",
    "balance.*": "Balances",
    "dispute.*": "Disputes",
}
"""Of each group, in the order of the catalogue."""


def written(page: str) -> str:
    """The page with the catalogue as the code has it."""
    catalogue = "\n".join(_lines())
    return f"{page.partition(BEGIN)[0]}{BEGIN}\n\n{catalogue}"


def _lines() -> Iterator[str]:
    yield "## What is sent"
    yield ""
    yield "`relance event example invoice.paid` prints the same for any type; only `type` and `data` differ."
    yield ""
    yield from _json(example("invoice.paid").model_dump(mode="json"))
    for group, names in groupby(CATALOGUE, key=group_of):
        yield f"## {TITLES[group]}: `{group}`"
        yield ""
        for name in names:
            kind = CATALOGUE[name]
            yield f"### {name}"
            yield ""
            yield f"{kind.says} Version {kind.version}."
            yield ""
            yield from _json(kind.data) if kind.data else ()


def _json(value: object) -> Iterator[str]:
    yield "```json"
    yield json.dumps(value, indent=2, ensure_ascii=False)
    yield "```"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
