"""How content files are read: their loader, the filters they may use, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, FunctionLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from mails.content import MailContentError, clean, prepare
from mails.context import MissingMailField
from mails.formats import Language, format_amount, format_date, format_instant, format_month

TEMPLATES = Path(__file__).parent / "templates"

T = TypeVar("T")

_AND = {Language.FR: " et ", Language.EN: " and "}


@cache
def content_environment() -> Environment:
    """The Jinja environment of content files, made once per process."""
    environment = Environment(
        loader=FunctionLoader(_load),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - plain words; the layout escapes them when it sets them as HTML
        finalize=_printed,
    )
    environment.filters |= {
        "money": _money,
        "amounts": _amounts,
        "date": _date,
        "last_day": _last_day,
        "month": _month,
        "instant": _instant,
    }
    return environment


def _load(name: str) -> tuple[str, str, Callable[[], bool]]:
    path = TEMPLATES / name
    source = prepare(path.read_text(encoding="utf-8"), Language(path.parent.name))
    return source, str(path), lambda: True


def _printed(value: object) -> str:
    if value is None:
        raise MailContentError("A content file prints a value that may be missing. Put it inside an if.")
    return clean(str(value))


@pass_context
def _money(context: Context, amount_minor: int | None, currency: str | None = None) -> str:
    currency = currency or context["currency"]
    if currency is None:
        raise MissingMailField(context["kind"], "currency")
    return format_amount(_given(amount_minor), currency, context["language"])


@pass_context
def _amounts(context: Context, totals: Sequence[tuple[str, int]]) -> str:
    """Totals per currency as one phrase: `58,80 € et 10,00 $US`."""
    language: Language = context["language"]
    return _AND[language].join(format_amount(amount, currency, language) for currency, amount in totals)


@pass_context
def _date(context: Context, on: date | None) -> str:
    return format_date(_given(on), context["language"])


@pass_context
def _last_day(context: Context, end_on: date | None) -> str:
    """The last day of a period whose end is exclusive."""
    return format_date(_given(end_on) - timedelta(days=1), context["language"])


@pass_context
def _month(context: Context, on: date | None) -> str:
    return format_month(_given(on), context["language"])


@pass_context
def _instant(context: Context, at: datetime | None) -> str:
    return format_instant(_given(at), _given(context["timezone"]), context["language"])


def _given(value: T | None) -> T:
    if value is None:
        raise MailContentError("A content file formats a value that may be missing. Put it inside an if.")
    return value
