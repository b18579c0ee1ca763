"""`relance schedule`: the periods of a schedule, without any subscription."""

from __future__ import annotations

import sys
from datetime import date
from typing import Annotated

import typer
from pydantic import ValidationInfo, field_validator

from billing.calendar import Alignment, Interval, OutsideCalendar, Period, Schedule, starts_at
from billing.errors import InvalidInput, RelanceError
from billing.values import Value
from starter.cli import output
from starter.cli.batch import answer_all
from starter.cli.inputs import read_date

app = typer.Typer(no_args_is_help=True)

MOST_PERIODS = 10_000
_EXAMPLE = '{"anchor": "2027-01-31", "every": "1month"}'


class PreviewRequest(Value):
    """One schedule to preview.

    Raises:
        InvalidInput: a value is malformed; `field` is its key.
        ValidationError: a key is missing or unknown.
    """

    anchor: date
    every: Interval
    timezone: str = "UTC"
    alignment: Alignment = Alignment.ANNIVERSARY
    periods: int = 12

    @field_validator("anchor", mode="before")
    @classmethod
    def _read_anchor(cls, value: object, info: ValidationInfo) -> date:
        text = _text(value, info)
        return read_date(text, field="anchor")

    @field_validator("every", mode="before")
    @classmethod
    def _read_every(cls, value: object, info: ValidationInfo) -> Interval:
        return Interval.parse(_text(value, info))

    @field_validator("timezone", mode="before")
    @classmethod
    def _read_timezone(cls, value: object, info: ValidationInfo) -> str:
        return _text(value, info)

    @field_validator("alignment", mode="before")
    @classmethod
    def _read_alignment(cls, value: object, info: ValidationInfo) -> Alignment:
        text = _text(value, info)
        if text not in set(Alignment):
            raise InvalidInput(
                f"{text!r} is not an alignment. Give one of {', '.join(Alignment)}.", field="alignment"
            )
        return Alignment(text)

    @field_validator("periods", mode="before")
    @classmethod
    def _read_periods(cls, value: object) -> int:
        if type(value) is not int or not 1 <= value <= MOST_PERIODS:
            raise InvalidInput(f"periods must be a whole number from 1 to {MOST_PERIODS}.", field="periods")
        return value


def _text(value: object, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{info.field_name} must be a string.", field=info.field_name)
    return value


@app.callback()
def schedule() -> None:
    """Billing periods on the calendar."""


@app.command()
def preview(
    *,
    anchor: Annotated[str | None, typer.Option(help="First day of the first period, as 2024-01-31.")] = None,
    every: Annotated[
        str | None,
        typer.Option(
            help="1month, 2month, 1year, 2week ..., or monthly, bimonthly, quarterly, semiannual, annual."
        ),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="IANA zone in which days begin.", show_default="UTC")
    ] = None,
    alignment: Annotated[
        str | None,
        typer.Option(
            help="anniversary: periods start on the anchor's day. calendar: on the first of the month, "
            "on 1 January or on Monday; a part period comes first where it must.",
            show_default="anniversary",
        ),
    ] = None,
    periods: Annotated[
        int | None, typer.Option(help=f"How many to show, 1 to {MOST_PERIODS}.", show_default="12")
    ] = None,
    batch: Annotated[
        bool,
        typer.Option(
            "--batch",
            help="Read requests from standard input, one JSON object a line, answer each in one line.",
        ),
    ] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Show the first periods of a schedule: local dates, the end exclusive, and the UTC instant of each start.

    With --batch each line of standard input is a JSON object with the keys
    anchor and every and, where the default will not do, timezone, alignment
    and periods. Each line, an empty one too, is answered by one line: a list
    as with --json, or {"error": {"field", "message"}}, where field is null if
    the line is no JSON object. The status is 1 if any line was bad.
    """
    options = {
        "anchor": anchor,
        "every": every,
        "timezone": timezone,
        "alignment": alignment,
        "periods": periods,
    }
    given = {key: value for key, value in options.items() if value is not None}
    if batch:
        if given:
            key = min(given)
            raise output.WrongUsage(f"--batch reads {key} from each line. Leave out --{key}.", field=key)
        raise typer.Exit(answer_all(sys.stdin.buffer, _answer, example=_EXAMPLE, in_words=_batch_error))
    for key in ("anchor", "every"):
        if key not in given:
            raise output.WrongUsage(f"--{key} is missing. Only --batch does without it.", field=key)
    request = PreviewRequest.model_validate(given)
    rows = _periods_of(request)
    if as_json:
        output.show_json([_row(period, request.timezone) for period in rows])
    else:
        output.show_table([_line(period, request.timezone) for period in rows])


def _answer(given: dict[str, object]) -> list[dict[str, int | str]]:
    request = PreviewRequest.model_validate(given)
    return [_row(period, request.timezone) for period in _periods_of(request)]


def _batch_error(error: RelanceError) -> dict[str, dict[str, str | None]]:
    return {"error": {"field": error.field, "message": error.message}}


def _periods_of(request: PreviewRequest) -> list[Period]:
    schedule = Schedule(
        anchor=request.anchor,
        interval=request.every,
        timezone=request.timezone,
        alignment=request.alignment,
    )
    return schedule.periods(request.periods)


def _starts_at(period: Period, timezone: str) -> str:
    try:
        return starts_at(period.start, timezone).isoformat().replace("+00:00", "Z")
    except OutsideCalendar as error:
        raise OutsideCalendar(error.message, field="anchor") from None


def _row(period: Period, timezone: str) -> dict[str, int | str]:
    return {
        "index": period.index,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "starts_at": _starts_at(period, timezone),
    }


def _line(period: Period, timezone: str) -> dict[str, int | str]:
    return {
        "#": period.index,
        "Start": period.start.isoformat(),
        "End (not included)": period.end.isoformat(),
        "Days": period.days,
        "Starts at (UTC)": _starts_at(period, timezone),
        "": f"part of {period.whole_days} days" if period.is_part else "",
    }
