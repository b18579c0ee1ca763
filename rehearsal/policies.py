"""Schedules that exist for comparison only, and how policies are cut so that they can be compared at all."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Final

from pydantic import ValidationError, model_validator
from typing_extensions import override

from billing.dunning import DunningPolicy
from billing.errors import InvalidInput

MOST_TRIES_OF_NETWORKS: Final = 20
"""Retries of one charge within 30 days that Visa bears, the strictest network (Core Rules, April 2026)."""
CUT_NOTICE_DAYS: Final = 7
"""From the end of the span to that of the policy, of policies that are cut to be compared."""


class ComparedPolicy(DunningPolicy):
    """A schedule to compare with. Never collected by: it may retry more often than Relance allows (rules 23)."""

    retries_allowed: ClassVar[int] = MOST_TRIES_OF_NETWORKS

    mails_on: tuple[int, ...] | None = None
    """Days with a mail, where they do not follow from the retries; the last notice is always one."""

    @property
    @override
    def mail_days(self) -> tuple[int, ...]:
        """Days after day 0 on which the customer hears, the last notice included, the end not."""
        if self.mails_on is None:
            return super().mail_days
        return tuple(sorted({*self.mails_on, self.last_notice_day}))

    @property
    @override
    def most_retries(self) -> int:
        """The repeat of a technical decline is one of them, as it is of ours."""
        return len(self.retry_days)

    @model_validator(mode="after")
    def _mails_are_in_order(self) -> ComparedPolicy:
        days = self.mails_on or ()
        in_order = all(earlier < later for earlier, later in pairwise(days))
        if not in_order or any(not 1 <= day <= self.last_notice_day for day in days):
            raise InvalidInput(
                f"Policy {self.name}: mails_on must increase, from 1 to last_notice_day.", field="mails_on"
            )
        return self


def compared_policies() -> dict[str, ComparedPolicy]:
    """The schedules of other products that come along, by name."""
    file = Path(__file__).with_name("policies.toml")
    return {policy.name: policy for policy in read_compared(file.read_text(encoding="utf-8"), file.name)}


def is_for_comparison(text: str) -> bool:
    """Whether a file has `[[compared]]` schedules, and so none to collect by."""
    try:
        return "compared" in tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False


def read_compared(text: str, source: str) -> tuple[ComparedPolicy, ...]:
    """The `[[compared]]` schedules of a TOML file, in its order.

    Raises:
        InvalidInput: one contradicts itself, or the file has policies to collect by as well.
    """
    content = tomllib.loads(text)
    entries = content.pop("compared")
    if content or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InvalidInput(
            f"{source} has something other than [[compared]]. Put what is compared into a file of its own.",
            field="file",
        )
    return tuple(_compared(entry, source) for entry in entries)


def _compared(entry: dict[str, Any], source: str) -> ComparedPolicy:
    named = f"{source}, {entry.get('name', 'a schedule without name')}"
    try:
        return ComparedPolicy.model_validate(entry)
    except InvalidInput as error:
        raise InvalidInput(f"{named}: {error.message}", field=error.field) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{named}: {field}: {first['msg']}.", field=field) from None


@dataclass(frozen=True)
class Cut:
    """Policies that were made comparable.

    Attributes:
        retries: how many each has.
        span_days: no retry is later.
        policies: as they are cut, in the order given.
    """

    retries: int
    span_days: int
    policies: tuple[ComparedPolicy, ...]


def cut_to_equal(policies: Sequence[DunningPolicy]) -> Cut | None:
    """The same number of retries within the same span for all, as many mails, and the same end.

    The span is that of the shortest policy. A policy with more retries within it keeps its first and its last, and of
    those between every so many. More tries and a longer wait recover more by themselves: what is left after the cut is
    the days. None where a policy never retries.
    """
    if not all(policy.retry_days for policy in policies):
        return None
    span = min(policy.retry_days[-1] for policy in policies)
    within = [[day for day in policy.retry_days if day <= span] for policy in policies]
    most = min(len(days) for days in within)
    if most == 0:
        return None
    cut = (_cut(policy, _thinned(days, most), span) for policy, days in zip(policies, within, strict=True))
    return Cut(most, span, tuple(cut))


def _thinned(days: Sequence[int], count: int) -> tuple[int, ...]:
    if count == 1:
        return (days[-1],)
    return tuple(days[round(nth * (len(days) - 1) / (count - 1))] for nth in range(count))


def _cut(policy: DunningPolicy, retry_days: tuple[int, ...], span: int) -> ComparedPolicy:
    return ComparedPolicy(
        name=policy.name,
        version=policy.version,
        retry_days=retry_days,
        last_notice_day=retry_days[-1],
        end_day=span + CUT_NOTICE_DAYS,
        repeat_after_hours=policy.repeat_after_hours,
        hour=policy.hour,
    )
