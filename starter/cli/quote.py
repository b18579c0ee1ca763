"""`relance quote`: what a change or a cancel costs, without any subscription or database."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import typer
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from billing.calendar import Alignment, Interval, Schedule
from billing.errors import InvalidInput
from billing.money import exponent, plain_number
from billing.prices import Price, PricingModel
from billing.quote import Quote, quote_cancel, quote_change
from billing.tax import TaxRate
from billing.terms import Terms
from billing.values import Value
from starter.cli import output
from starter.cli.batch import answer_all, object_in
from starter.cli.inputs import read_date

app = typer.Typer(invoke_without_command=True)

MOST_TAX_PERCENT = 100
MOST_TAX_PLACES = 6
_EXAMPLE = (
    '{"currency": "EUR", "every": "1month", "anchor": "2027-04-01", "tax_percent": 20, '
    '"old": {"unit_amount": 2900}, "new": {"unit_amount": 7900}, "change_on": "2027-04-16"}'
)


class Side(Value):
    """What one plan costs.

    Raises:
        InvalidInput: a value is malformed; `field` is its key.
    """

    unit_amount: int | None = None
    """Whole minor units."""
    unit_amount_decimal: Decimal | None = None
    """Minor units, with decimals."""
    quantity: int = 1
    every: Interval | None = None
    """Of the new plan, where the rhythm changes."""

    @field_validator("unit_amount", "quantity", mode="before")
    @classmethod
    def _read_whole(cls, value: object, info: ValidationInfo) -> object:
        if value is not None and type(value) is not int:
            raise InvalidInput(f"{info.field_name} must be a whole number.", field=info.field_name)
        return value

    @field_validator("unit_amount_decimal", mode="before")
    @classmethod
    def _read_decimal(cls, value: object) -> object:
        return None if value is None else _decimal(value, field="unit_amount_decimal", kinds=(str,))

    @field_validator("every", mode="before")
    @classmethod
    def _read_every(cls, value: object) -> Interval | None:
        return None if value is None else _interval(value)

    @model_validator(mode="after")
    def _has_one_amount(self) -> Side:
        if (self.unit_amount is None) == (self.unit_amount_decimal is None):
            raise InvalidInput(
                "Give either unit_amount, whole minor units, or unit_amount_decimal, a string.",
                field="unit_amount",
            )
        return self

    def terms(self, role: str, request: QuoteRequest) -> Terms:
        """Terms with this one price; an error names the key that is wrong."""
        minor = self.unit_amount_decimal if self.unit_amount_decimal is not None else self.unit_amount or 0
        try:
            return Terms(
                plan_id=role,
                plan_name=role,
                currency=request.currency,
                interval=self.every or request.every,
                alignment=request.alignment,
                prices=(
                    Price(
                        id=role,
                        model=PricingModel.PER_UNIT,
                        unit_amount=_exact_major(Decimal(minor), request.currency),
                    ),
                ),
                quantity=self.quantity,
            )
        except InvalidInput as refused:
            refused.field = self._key_of(refused.field, role)
            raise

    def _key_of(self, field: str | None, role: str) -> str | None:
        """The key of the request that gave a field of the terms its value."""
        if field == "unit_amount" and self.unit_amount_decimal is not None:
            return f"{role}.unit_amount_decimal"
        if field == "every" and self.every is None:
            return field
        return f"{role}.{field}" if field in Side.model_fields else field


class QuoteRequest(Value):
    """One question: a change or a cancel inside a period that the old plan was billed for in advance.

    Raises:
        InvalidInput: a value is malformed; `field` is its key, in dotted form.
        ValidationError: a key is missing or unknown.
    """

    currency: str
    every: Interval
    anchor: date
    timezone: str = "UTC"
    alignment: Alignment = Alignment.ANNIVERSARY
    tax_percent: Decimal = Field(default=Decimal(0))
    old: Side
    new: Side | None = None
    change_on: date | None = None
    cancel_on: date | None = None

    @field_validator("currency", "timezone", "alignment", mode="before")
    @classmethod
    def _read_text(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, str):
            raise InvalidInput(f"{info.field_name} must be a string.", field=info.field_name)
        if info.field_name == "currency":
            exponent(value)
        if info.field_name == "alignment" and value not in set(Alignment):
            raise InvalidInput(
                f"{value!r} is not an alignment. Give one of {', '.join(Alignment)}.", field="alignment"
            )
        return value

    @field_validator("every", mode="before")
    @classmethod
    def _read_every(cls, value: object) -> Interval:
        return _interval(value)

    @field_validator("anchor", "change_on", "cancel_on", mode="before")
    @classmethod
    def _read_date(cls, value: object, info: ValidationInfo) -> date | None:
        if value is None and info.field_name != "anchor":
            return None
        field = str(info.field_name)
        if not isinstance(value, str):
            raise InvalidInput(f"{field} must be a date such as 2027-01-31.", field=field)
        return read_date(value, field=field)

    @field_validator("tax_percent", mode="before")
    @classmethod
    def _read_percent(cls, value: object) -> Decimal:
        percent = _decimal(value, field="tax_percent", kinds=(str, int, Decimal))
        if not 0 <= percent <= MOST_TAX_PERCENT:
            raise InvalidInput(f"{percent} % is no tax. Give 0 to {MOST_TAX_PERCENT}.", field="tax_percent")
        if -int(percent.as_tuple().exponent) > MOST_TAX_PLACES:
            raise InvalidInput(
                f"{percent} % has too many decimals. Give at most {MOST_TAX_PLACES}.", field="tax_percent"
            )
        return percent

    @field_validator("old", "new", mode="before")
    @classmethod
    def _read_side(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.field_name == "new":
            return None
        if not isinstance(value, Mapping):
            raise InvalidInput(
                f'{info.field_name} must be an object such as {{"unit_amount": 2900}}.',
                field=info.field_name,
            )
        return _side(str(info.field_name), value)

    @model_validator(mode="after")
    def _asks_one_thing(self) -> QuoteRequest:
        if (self.change_on is None) == (self.cancel_on is None):
            raise InvalidInput("Give either change_on or cancel_on.", field="change_on")
        if self.change_on is not None and self.new is None:
            raise InvalidInput("A change needs the new plan: new.", field="new")
        if self.cancel_on is not None and self.new is not None:
            raise InvalidInput("A cancel has no new plan. Leave new out.", field="new")
        if self.old.every is not None:
            raise InvalidInput("The old plan's rhythm is every. Leave old.every out.", field="old.every")
        return self

    def answer(self) -> Quote:
        """The lines and their sums."""
        old, rate = self.old.terms("old", self), TaxRate(percent=self.tax_percent)
        schedule = Schedule(
            anchor=self.anchor, interval=self.every, timezone=self.timezone, alignment=self.alignment
        )
        if self.change_on is not None and self.new is not None:
            return quote_change(old, self.new.terms("new", self), schedule, self.change_on, rate)
        return quote_cancel(old, schedule, self.cancel_on or self.anchor, rate)


def _side(role: str, given: Mapping[Any, Any]) -> Side:
    try:
        return Side.model_validate(given)
    except ValidationError as error:
        refused = output.invalid_input(error)
    except InvalidInput as error:
        refused = error
    raise InvalidInput(refused.message, field=f"{role}.{refused.field}" if refused.field else role)


def _interval(value: object) -> Interval:
    if not isinstance(value, str):
        raise InvalidInput("every must be a string such as 1month.", field="every")
    return Interval.parse(value)


def _decimal(value: object, *, field: str, kinds: tuple[type, ...]) -> Decimal:
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise InvalidInput(f'{field} must be a number, as a string such as "5.5".', field=field)
    number = plain_number(value) if isinstance(value, str) else Decimal(str(value))
    if number is None:
        raise InvalidInput(f'{value!r} is no number. Give one such as "5.5".', field=field)
    return number


def _exact_major(minor: Decimal, currency: str) -> Decimal:
    """Minor units in major ones, with every digit: whether there are too many is looked at afterwards."""
    sign, digits, power = minor.as_tuple()
    return Decimal((sign, digits, int(power) - exponent(currency)))


def _answer(given: dict[str, object]) -> Quote:
    return QuoteRequest.model_validate(given).answer()


@app.callback()
def quote(
    *,
    batch: Annotated[
        bool, typer.Option("--batch", help="Read one JSON object a line, answer each in one line.")
    ] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Price a change or a cancel: one JSON request on standard input, no database.

    The old plan was billed in advance for the period that holds change_on or
    cancel_on. The change day belongs to the new plan, the cancel day is used.
    docs/quote.md lists the keys.
    """
    if batch:
        raise typer.Exit(answer_all(sys.stdin.buffer, _answer, example=_EXAMPLE))
    answer = _answer(object_in(sys.stdin.buffer.read(), example=_EXAMPLE))
    if as_json:
        output.show_json(answer)
        return
    output.show_table([line.model_dump() for line in answer.lines], empty="Nothing is billed or given back.")
    output.show_fields({"Subtotal": answer.subtotal, "Tax": answer.tax, "Total": answer.total})
