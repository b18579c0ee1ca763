"""Scripts: how one payment method's bank will answer, now and later.

A script is a list of outcomes to consume in order, then a default; and rules by date. In text (also in the
metadata key `fake_script` of a payment method), steps are separated by commas:

    insufficient_funds, insufficient_funds, ok      twice declined, then as the rest says
    insufficient_funds until 2027-05-01             declined before that date
    stolen_card from 2027-05-01                     declined from that date on
    then ok                                         the default at the end

As JSON: a list of outcomes, or {"outcomes": [...], "timeline": [{"from", "until", "outcome"}], "then"}.
Dates are read on the customer's clock, in UTC; `until` is exclusive. Outcomes are consumed first, then the
first rule that fits the date speaks, then the default, then the card itself.
"""

import json
import re
from datetime import UTC, date, datetime
from typing import Any

from sandbox.stripe.errors import Document
from sandbox.stripe.outcomes import UnknownOutcome, verdict
from sandbox.stripe.store import Books

METADATA_KEY = "fake_script"

_DATED = re.compile(r"^(?P<outcome>.+?)(?: from (?P<from>\S+))?(?: until (?P<until>\S+))?$")
_PARTS = frozenset({"outcomes", "timeline", "then"})


def parse(source: Any) -> Document:  # noqa: ANN401 - JSON from a person
    """Read a script in any of its forms.

    Returns:
        `outcomes`, `timeline` and `then`, every outcome known to be readable.

    Raises:
        UnknownOutcome: a part cannot be read; the message says which.
    """
    if isinstance(source, str) and source.lstrip().startswith(("[", "{")):
        source = _json(source)
    if isinstance(source, str):
        source = [part.strip() for part in source.split(",") if part.strip()]
    if isinstance(source, list):
        source = _from_steps(source)
    if not isinstance(source, dict) or source.keys() - _PARTS:
        raise UnknownOutcome(
            "A script is a text, a list of outcomes, or an object of outcomes, timeline, then."
        )
    script: Document = {
        "outcomes": list(source.get("outcomes", [])),
        "timeline": list(source.get("timeline", [])),
        "then": source.get("then"),
    }
    _check(script)
    return script


def write(books: Books, method: str, source: Any) -> Document:  # noqa: ANN401
    """Give a payment method a script, in place of any earlier one."""
    return books.put("script", {"id": method, **parse(source)})


def next_outcome(books: Books, method: str, now: int) -> str | Document | None:
    """Take the next outcome; None when the script has nothing to say at `now` (epoch seconds)."""
    script = books.get("script", method)
    if script is None:
        return None
    if script["outcomes"]:
        outcome: str | Document = script["outcomes"].pop(0)
        books.put("script", script)
        return outcome
    today = datetime.fromtimestamp(now, UTC).date()
    for rule in script["timeline"]:
        if _fits(rule, today):
            dated: str | Document = rule["outcome"]
            return dated
    default: str | Document | None = script["then"]
    return default


def _json(source: str) -> Any:  # noqa: ANN401
    try:
        return json.loads(source)
    except ValueError as error:
        raise UnknownOutcome(f"The script is not valid JSON: {error}") from error


def _from_steps(steps: list[Any]) -> Document:
    script: Document = {"outcomes": [], "timeline": [], "then": None}
    for step in steps:
        if not isinstance(step, str):
            script["outcomes"].append(step)
        elif step.startswith("then "):
            script["then"] = step.removeprefix("then ").strip()
        elif (match := _DATED.match(step)) and (match["from"] or match["until"]):
            script["timeline"].append({name: value for name, value in match.groupdict().items() if value})
        else:
            script["outcomes"].append(step)
    return script


def _check(script: Document) -> None:
    for outcome in [*script["outcomes"], *([script["then"]] if script["then"] is not None else [])]:
        verdict(outcome)
    for rule in script["timeline"]:
        if not isinstance(rule, dict) or rule.keys() - {"from", "until", "outcome"} or "outcome" not in rule:
            raise UnknownOutcome("A rule of a timeline is {from, until, outcome}, from and until optional.")
        verdict(rule["outcome"])
        for end in ("from", "until"):
            if end in rule:
                _date(rule[end])


def _fits(rule: Document, today: date) -> bool:
    begun = "from" not in rule or today >= _date(rule["from"])
    return begun and ("until" not in rule or today < _date(rule["until"]))


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UnknownOutcome(f"{text!r} is not a date. Write it as 2027-05-01.") from error
