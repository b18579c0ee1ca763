"""`relance quote`: worked P1, P4, P7, and what it refuses."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from starter.cli import main

Ask = Callable[..., tuple[int, list[Any], str]]

P1: dict[str, Any] = {
    "currency": "EUR",
    "every": "1month",
    "anchor": "2027-04-01",
    "timezone": "Europe/Paris",
    "alignment": "anniversary",
    "tax_percent": 20,
    "old": {"unit_amount": 2900},
    "new": {"unit_amount": 7900},
    "change_on": "2027-04-16",
}


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def asked(*requests: object, batch: bool = True) -> tuple[int, list[Any], str]:
        lines = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in requests)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines.encode())))
        status = main(["quote", "--json", *(["--batch"] if batch else [])])
        printed = capsys.readouterr()
        return status, [json.loads(line) for line in printed.out.splitlines()], printed.err

    return asked


def test_p1_a_change_in_the_middle_of_a_month(ask: Ask) -> None:
    status, answers, _ = ask(P1, batch=False)
    days = {"days": 15, "period_days": 30, "start": "2027-04-16", "end": "2027-05-01"}
    assert (status, answers) == (
        0,
        [
            {
                "lines": [
                    {"kind": "credit", "amount": -1450, **days},
                    {"kind": "charge", "amount": 3950, **days},
                ],
                "subtotal": 2500,
                "tax": 500,
                "total": 3000,
            }
        ],
    )


def test_p4_a_new_rhythm_and_p7_a_cancel(ask: Ask) -> None:
    yearly = P1 | {
        "anchor": "2028-01-01",
        "tax_percent": "20",
        "old": {"unit_amount": 4900},
        "new": {"unit_amount_decimal": "49000.0", "every": "1year"},
        "change_on": "2028-02-15",
    }
    cancel = {key: value for key, value in P1.items() if key not in {"new", "change_on"}} | {
        "anchor": "2027-06-01",
        "old": {"unit_amount": 6000, "quantity": 1},
        "cancel_on": "2027-06-10",
    }
    status, (changed, cancelled), _ = ask(yearly, cancel)
    assert status == 0
    assert [(line["amount"], line["days"], line["period_days"]) for line in changed["lines"]] == [
        (-2534, 15, 29),
        (49000, 366, 366),
    ]
    assert (changed["subtotal"], changed["tax"], changed["total"]) == (46466, 9293, 55759)
    assert cancelled == {
        "lines": [
            {
                "kind": "credit",
                "amount": -4000,
                "days": 20,
                "period_days": 30,
                "start": "2027-06-11",
                "end": "2027-07-01",
            }
        ],
        "subtotal": -4000,
        "tax": -800,
        "total": -4800,
    }


def test_what_is_the_same_on_both_sides_is_shown_and_nets_to_nothing(ask: Ask) -> None:
    _, (answer,), _ = ask(P1 | {"new": {"unit_amount": 2900}})
    assert [line["amount"] for line in answer["lines"]] == [-1450, 1450]
    assert (answer["subtotal"], answer["tax"], answer["total"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"old": {"unit_amount": -1}}, "old.unit_amount"),
        ({"old": {"unit_amount": 29.5}}, "old.unit_amount"),
        ({"old": {"unit_amount_decimal": 0.15}}, "old.unit_amount_decimal"),
        ({"old": {"unit_amount_decimal": "-0.15"}}, "old.unit_amount_decimal"),
        ({"old": {"unit_amount": 1, "unit_amount_decimal": "1"}}, "old.unit_amount"),
        ({"old": {"unit_amount": 1, "price": 2}}, "old.price"),
        ({"old": {"unit_amount": 1, "every": "1year"}}, "old.every"),
        ({"old": 2900}, "old"),
        ({"new": {"unit_amount": 1, "quantity": -1}}, "new.quantity"),
        ({"new": {"unit_amount": 1, "quantity": 10**12}}, "new.quantity"),
        ({"new": {"unit_amount": 1, "every": "sometimes"}}, "new.every"),
        ({"new": None}, "new"),
        ({"currency": "EURO"}, "currency"),
        ({"every": "0month"}, "every"),
        ({"every": 1}, "every"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"alignment": "moon"}, "alignment"),
        ({"anchor": "2027-02-30"}, "anchor"),
        ({"change_on": "2027-03-31"}, "change_on"),
        ({"change_on": None}, "change_on"),
        ({"cancel_on": "2027-04-16"}, "change_on"),
        ({"tax_percent": 130}, "tax_percent"),
        ({"tax_percent": "much"}, "tax_percent"),
        ({"tax_percent": True}, "tax_percent"),
        ({"tax_percent": "1_0"}, "tax_percent"),
        ({"tax_percent": "5.5000001"}, "tax_percent"),
        ({"old": {"unit_amount_decimal": "1_000"}}, "old.unit_amount_decimal"),
        ({"old": {"unit_amount_decimal": "\uff11\uff12"}}, "old.unit_amount_decimal"),
        ({"old": {"unit_amount_decimal": " 1000 "}}, "old.unit_amount_decimal"),
        ({"old": {"unit_amount_decimal": "1e3"}}, "old.unit_amount_decimal"),
        ({"old": {"unit_amount_decimal": f"2900.{'0' * 31}1"}}, "old.unit_amount_decimal"),
        ({"every": "5month", "alignment": "calendar"}, "every"),
        ({"alignment": "calendar", "new": {"unit_amount": 1, "every": "5month"}}, "new.every"),
    ],
)
def test_bad_input_names_its_field_and_the_next_line_is_answered(
    ask: Ask,
    change: dict[str, Any],
    field: str,
) -> None:
    status, (bad, good), _ = ask(P1 | change, P1)
    assert status == 1
    assert set(bad) == {"error"}
    assert bad["error"]["field"] == field
    assert good["total"] == 3000


def test_what_is_no_object_is_refused(ask: Ask) -> None:
    status, answers, _ = ask("[]", "", "{", "17", P1)
    assert status == 1
    assert [set(answer) for answer in answers[:4]] == [{"error"}] * 4
    assert answers[4]["total"] == 3000


def test_a_number_that_no_decimal_holds_does_not_end_the_batch(ask: Ask) -> None:
    huge = json.dumps(P1).replace('"tax_percent": 20', '"tax_percent": 1e99999999999999999999')
    status, (bad, good), _ = ask(huge, P1)
    assert (status, bad["error"]["field"]) == (1, None)
    assert bad["error"]["message"] == "A number in the line is too large or too small to be read."
    assert good["total"] == 3000


def test_decimals_are_counted_to_the_last_figure(ask: Ask) -> None:
    """Of EUR, ten places of a minor unit: 0.0000000001 cents of 2,900.0000000001."""
    _, (answer,), _ = ask(P1 | {"old": {"unit_amount_decimal": "2900.0000000001"}})
    assert [line["amount"] for line in answer["lines"]] == [-1450, 3950]


def test_one_bad_request_is_an_error_on_standard_error(ask: Ask) -> None:
    status, answers, err = ask({"currency": "EUR"}, batch=False)
    assert (status, answers) == (1, [])
    assert json.loads(err)["error"]["field"] == "every"
