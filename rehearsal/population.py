"""The population that a rehearsal is played over: its parameters, each with what it rests on. Read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from billing.declines import CODES
from billing.errors import InvalidInput
from billing.values import Value

Share = Annotated[float, Field(ge=0, le=1)]
Days = Annotated[float, Field(gt=0)]
Effect = Annotated[float, Field(ge=-0.03, le=0.03)]
"""What an hour or a day adds to a charge's chance, as a part of it."""

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: Final[tuple[Weekday, ...]] = get_args(Weekday)

_SUM_TOLERANCE: Final = 1e-6


class Cause(StrEnum):
    """Why a charge fails. The payer's bank knows; the engine sees a code only."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    GENERIC = "generic"
    """No reason given: a block that passes, or one that stays."""
    EXPIRED = "expired"
    CLOSED = "closed"
    """The card or account is gone, or the mandate cancelled."""
    TECHNICAL = "technical"
    AUTHENTICATION = "authentication"
    """The payer must confirm; no charge without them ever succeeds."""

    @property
    def is_soft(self) -> bool:
        """Whether the payment method itself is good, so that a payer feels less urged to act."""
        return self in (Cause.INSUFFICIENT_FUNDS, Cause.GENERIC, Cause.TECHNICAL)


class Basis(StrEnum):
    """What a parameter rests on."""

    PUBLISHED = "published"
    WEAK = "weak"
    """A figure that circulates and could not be traced."""
    FITTED = "fitted"
    """Set so that the outcome meets published recoveries: calibration, not knowledge."""
    ASSUMED = "assumed"


class Evidence(Value):
    """What one parameter rests on, and where that can be read."""

    basis: Basis
    source: str = ""

    @model_validator(mode="after")
    def _published_names_its_source(self) -> Evidence:
        if self.basis in (Basis.PUBLISHED, Basis.WEAK) and not self.source:
            raise InvalidInput(
                f"A parameter whose basis is {self.basis} needs a source. Name one, or call it assumed.",
                field="source",
            )
        return self


class Population(Value):
    """One preset. What each parameter means is said in `population.toml`."""

    name: str
    title: str
    evidence: dict[str, Evidence]
    """By parameter."""

    first_failure_rate: Share
    causes: dict[Cause, Share]
    codes: dict[Cause, str]
    hidden_share: Share
    hidden_code: str

    payday_at_end: Share
    payday_at_start: Share
    topup_days: Days
    window_days: Days
    chronic: Share
    funds_ok: Share
    funds_missing_ok: Share
    chronic_ok: Share

    generic_permanent: Share
    generic_clears_days: Days
    generic_ok: Share
    generic_before_ok: Share

    technical_clears_days: Days
    technical_ok: Share
    technical_before_ok: Share

    renewed: Share
    renewed_within_days: Days
    renewed_ok: Share

    acts_on_mail: dict[int, Share]
    """By the days that the invoice has been unpaid when the mail is written."""
    acts_if_soft: Share
    acts_after_days: Days
    acts_after_spread: Annotated[float, Field(ge=0)]
    mail_full_effect_days: Days
    new_method_ok: Share

    leaves_if_notified: Share
    leaves_if_cut: Share

    result_business_days: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
    claims_refund: Share

    hour_effects: dict[int, Effect]
    weekday_effects: dict[Weekday, Effect]
    holiday_effects: dict[date, Effect]

    @property
    def is_answered_later(self) -> bool:
        """Whether a charge is under way for days before its outcome is known."""
        return self.result_business_days[1] > 0

    @field_validator("causes")
    @classmethod
    def _causes_are_shares_of_one(cls, causes: dict[Cause, float]) -> dict[Cause, float]:
        total = sum(causes.values())
        if abs(total - 1) > _SUM_TOLERANCE:
            raise InvalidInput(f"causes add up to {total:g}. Let them add up to 1.", field="causes")
        return causes

    @model_validator(mode="after")
    def _codes_are_in_the_table(self) -> Population:
        missing = [cause for cause in self.causes if cause not in self.codes]
        if missing:
            raise InvalidInput(f"codes has no code for {missing[0]}. Name one.", field="codes")
        unknown = [code for code in (*self.codes.values(), self.hidden_code) if code not in CODES]
        if unknown:
            raise InvalidInput(
                f"{unknown[0]} is not in the table of declines. Take a code of billing/decline_codes.json.",
                field="codes",
            )
        return self

    @field_validator("acts_on_mail")
    @classmethod
    def _mails_begin_somewhere(cls, acts: dict[int, float]) -> dict[int, float]:
        if not acts or min(acts) < 0:
            raise InvalidInput("acts_on_mail needs a share by day, from 0 on.", field="acts_on_mail")
        return dict(sorted(acts.items()))

    @model_validator(mode="after")
    def _ranges_are_in_order(self) -> Population:
        if self.payday_at_end + self.payday_at_start > 1:
            raise InvalidInput("payday_at_end and payday_at_start pass 1 together.", field="payday_at_end")
        if self.result_business_days[0] > self.result_business_days[1]:
            raise InvalidInput(
                "result_business_days is the least and the most.", field="result_business_days"
            )
        return self


def presets() -> dict[str, Population]:
    """The presets that come along, by name."""
    file = Path(__file__).with_name("population.toml")
    return read_populations(file.read_text(encoding="utf-8"), source=file.name)


def read_populations(text: str, *, source: str) -> dict[str, Population]:
    """The presets of a file, by name.

    Args:
        text: TOML, in the form of `population.toml`.
        source: the file's name, for errors.

    Raises:
        InvalidInput: it is no such file; the message names the preset and the parameter.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise InvalidInput(f"{source} is no TOML: {problem}", field="population") from None
    tables = content.get("preset")
    if not isinstance(tables, dict) or not tables:
        raise InvalidInput(f"{source} has no [preset.NAME].", field="population")
    return {name: _population(name, tables, source) for name in tables}


def _population(name: str, tables: Mapping[str, Any], source: str) -> Population:
    try:
        return Population.model_validate(_flat(name, tables))
    except InvalidInput as error:
        raise InvalidInput(f"{source}, preset {name}: {error.message}", field=error.field) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        words = "is missing" if first["type"] == "missing" else f"is wrong: {first['msg']}"
        raise InvalidInput(f"{source}, preset {name}: {field} {words}.", field=field) from None


def _flat(name: str, tables: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's table as the fields of its value: those that it names over those of the one it is like."""
    given: dict[str, Any] = {}
    evidence: dict[str, Any] = {}
    for table in reversed(list(_lineage(name, tables))):
        given |= {"title": table["title"]} if "title" in table else {}
        for parameter, entry in table.get("parameters", {}).items():
            if not isinstance(entry, dict) or "value" not in entry:
                raise InvalidInput(
                    f"{parameter} has no value. Write {parameter} = {{ value = ..., basis = ... }}.",
                    field=parameter,
                )
            given[parameter] = entry["value"]
            evidence[parameter] = {key: word for key, word in entry.items() if key != "value"}
    return {"name": name, "evidence": evidence, **given}


def _lineage(name: str, tables: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The table of a preset, and of those that it is like, nearest first."""
    seen: set[str] = set()
    like: str | None = name
    while like is not None:
        if like not in tables or like in seen:
            raise InvalidInput(f"like names {like}, which is no other preset of the file.", field="like")
        if not isinstance(tables[like], dict) or not isinstance(tables[like].get("parameters", {}), dict):
            raise InvalidInput("Write it as [preset.NAME] and [preset.NAME.parameters].", field="preset")
        seen.add(like)
        yield tables[like]
        like = tables[like].get("like")
