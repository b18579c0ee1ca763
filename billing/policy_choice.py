"""Which dunning policy an invoice is chased with: the most specific saved one that fits, else a default (rules 24).

A saved policy may say what it applies to; one that does not is used only where terms name it. What would leave two
policies equally right for one invoice is refused when they are saved, so that the choice needs no order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainSerializer

from billing.calendar import Interval, Unit, add_months
from billing.dunning import GATED, DunningPolicy, default_policy
from billing.errors import InvalidInput
from billing.terms import CollectionMethod
from billing.values import Value

NOTICE_DAYS: Final = 7
"""Least time between the last notice and the end."""
SHORT_NOTICE_DAYS: Final = 3
"""The same for periods under 15 days and for first payments."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_MONTHS_PER_YEAR: Final = 12
_MONTHS_TO_A_LEAP_DAY: Final = 48


class MethodKind(StrEnum):
    """What the invoice is paid with."""

    CARD = "card"
    SEPA_DEBIT = "sepa_debit"
    TRANSFER = "transfer"
    """The customer sends the money; nothing is charged."""


def _several(given: object) -> object:
    """One value where a list is meant."""
    return (given,) if isinstance(given, str) else given


def _interval(given: object) -> object:
    return Interval.parse(given) if isinstance(given, str) else given


Several = BeforeValidator(_several)
Country = Annotated[str, Field(pattern="^[A-Z]{2}$")]
Segment = Annotated[str, Field(min_length=1, max_length=60)]
Every = Annotated[Interval, BeforeValidator(_interval), PlainSerializer(str)]


class AppliesTo(Value):
    """The invoices that a policy is chosen for. Each of the four lists may be empty, which leaves it open."""

    interval: Annotated[tuple[Every, ...], Several] = ()
    """Empty: each interval whose shortest period is longer than the policy; for transfers any."""
    method: Annotated[tuple[MethodKind, ...], Several] = ()
    country: Annotated[tuple[Country, ...], Several] = ()
    """Of the customer's billing address."""
    segment: Annotated[tuple[Segment, ...], Several] = ()
    """As the customers' rows have it."""
    first_payment: bool = False
    """First payments after a trial or of a scheduled start, and nothing else; otherwise everything but those."""

    @property
    def specificity(self) -> int:
        """How many of the four lists are given. The larger one wins."""
        return sum(bool(given) for given in (self.interval, self.method, self.country, self.segment))

    @property
    def notice_days(self) -> int:
        """The least time between last notice and end that these invoices ask for."""
        is_short = bool(self.interval) and all(each.is_under_fifteen_days for each in self.interval)
        return SHORT_NOTICE_DAYS if is_short or self.first_payment else NOTICE_DAYS


class Chased(Value):
    """What the choice looks at, as a chase begins."""

    interval: Interval
    method: MethodKind | None = None
    """Of what would be charged; None where there is nothing."""
    country: str | None = None
    segment: str | None = None
    is_first_payment: bool = False
    """After a trial or of a scheduled start."""

    @property
    def by_transfer(self) -> bool:
        """Whether the customer sends the money."""
        return self.method is MethodKind.TRANSFER


class SavedPolicy(Value):
    """A policy, and what it applies to; None is what terms name."""

    policy: DunningPolicy
    applies_to: AppliesTo | None = None

    def fits(self, invoice: Chased) -> bool:
        """Whether it may be chosen for this invoice."""
        to = self.applies_to
        if to is None or self.policy.charges == invoice.by_transfer:
            return False
        return (
            (invoice.by_transfer or to.first_payment == invoice.is_first_payment)
            and self.takes(invoice.interval)
            and (not to.method or invoice.method in to.method)
            and (not to.country or invoice.country in to.country)
            and (not to.segment or invoice.segment in to.segment)
        )

    def takes(self, interval: Interval) -> bool:
        """Whether invoices of this interval may be chased with it."""
        to = self.applies_to or AppliesTo()
        if to.interval:
            return _rhythm(interval) in map(_rhythm, to.interval)
        return self.least_days < shortest_days(interval)

    @property
    def least_days(self) -> int:
        """Periods must be longer than this, in days, where no interval is named."""
        return self.policy.end_day if self.policy.charges else 0


def suits_terms(policy: DunningPolicy, method: CollectionMethod) -> bool:
    """Whether terms may name the policy: it charges where they do, and is not that of gated drafts (rules 13, 22)."""
    return policy.name != GATED.name and policy.charges == (method is CollectionMethod.CHARGE)


def choose_policy(saved: Iterable[SavedPolicy], invoice: Chased) -> DunningPolicy:
    """The policy of an invoice whose terms name none: the most specific saved one that fits, else the default."""
    fitting = [each for each in saved if each.fits(invoice)]
    if not fitting:
        return default_policy(
            invoice.interval,
            is_first_payment=invoice.is_first_payment,
            by_transfer=invoice.by_transfer,
            by_direct_debit=invoice.method is MethodKind.SEPA_DEBIT,
        )
    return min(fitting, key=lambda each: (-_specificity(each), each.policy.name)).policy


def _specificity(saved: SavedPolicy) -> int:
    return saved.applies_to.specificity if saved.applies_to is not None else 0


def shortest_days(interval: Interval) -> int:
    """Days of the shortest whole period of an interval: 28 for a month, 59 for two, 365 for a year."""
    if interval.unit is Unit.WEEK:
        return 7 * interval.count
    months = _rhythm(interval).count
    firsts = (add_months(date(2025, 1, 1), n) for n in range(_MONTHS_TO_A_LEAP_DAY))
    return min((add_months(first, months) - first).days for first in firsts)


def _rhythm(interval: Interval) -> Interval:
    """The interval with its years as months: a year and 12 months are one rhythm."""
    if interval.unit is not Unit.YEAR:
        return interval
    return Interval(unit=Unit.MONTH, count=interval.count * _MONTHS_PER_YEAR)


# What is refused when a policy is saved


def check_suits(saved: SavedPolicy) -> None:
    """Refuse a policy that does not suit what it applies to.

    Raises:
        InvalidInput: it is not over before the next period begins, gives too short a notice, charges what is paid by
            transfer, or cannot be called by its name; `field` names what to change.
    """
    policy, to = saved.policy, saved.applies_to or AppliesTo()
    if not _NAME.fullmatch(policy.name):
        raise InvalidInput(
            f"name is {policy.name!r}. Give it letters, digits and - _ . without spaces.", field="name"
        )
    _check_method(policy, to)
    if policy.charges:
        _check_window(policy, to)
    least = to.notice_days
    if policy.notice_days < least:
        raise InvalidInput(
            f"end_day is {policy.end_day}, {policy.notice_days} days after the last notice. Set it to "
            f"{policy.last_notice_day + least} or later: {least} days must lie between, "
            f"{SHORT_NOTICE_DAYS} where applies_to names only intervals under 15 days or first payments.",
            field="end_day",
        )


def _check_method(policy: DunningPolicy, to: AppliesTo) -> None:
    wrong = [kind for kind in to.method if (kind is MethodKind.TRANSFER) == policy.charges]
    if wrong:
        does = "charges" if policy.charges else "charges nothing"
        raise InvalidInput(
            f"applies_to.method names {wrong[0]}, and the policy {does}. Set charges to "
            f"{str(not policy.charges).lower()}, or leave {wrong[0]} out.",
            field="applies_to.method",
        )
    if to.first_payment and not policy.charges:
        raise InvalidInput(
            "applies_to.first_payment is for what is charged: a first transfer is chased as every other. Leave it out.",
            field="applies_to.first_payment",
        )


def _check_window(policy: DunningPolicy, to: AppliesTo) -> None:
    shortest = min(to.interval, key=shortest_days, default=None)
    if shortest is not None and policy.end_day >= shortest_days(shortest):
        raise InvalidInput(
            f"end_day is {policy.end_day}, and a period of {shortest} can have {shortest_days(shortest)} days: the "
            f"next invoice would come before the end. Set it to {shortest_days(shortest) - 1} or earlier, or "
            f"leave {shortest} out of applies_to.interval.",
            field="end_day",
        )


def check_no_ties(saved: Sequence[SavedPolicy]) -> None:
    """Refuse policies of which two would be equally right for one invoice.

    A third, more specific one that applies to whatever both apply to decides between them.

    Raises:
        InvalidInput: two are; `field` is `applies_to`.
    """
    for one, other in combinations(saved, 2):
        both = _both(one, other)
        if both is not None and not any(_decides(third, both, over=one) for third in saved):
            raise InvalidInput(
                f"The policies {one.policy.name} and {other.policy.name} apply to the same invoices "
                f"({in_words(both)}), and neither is more specific. Change applies_to of one of them, or save a "
                "third policy for what both apply to.",
                field="applies_to",
            )


def in_words(saved: SavedPolicy) -> str:
    """What a policy applies to, for people: `1month, card, FR`; `where terms name it`."""
    to = saved.applies_to
    if to is None:
        return "where terms name it"
    lists = (
        [str(each) for each in to.interval],
        list(to.method) or ([] if saved.policy.charges else [MethodKind.TRANSFER]),
        list(to.country),
        [f"segment {each}" for each in to.segment],
        ["first payments"] if to.first_payment else [],
    )
    return ", ".join(" or ".join(each) for each in lists if each) or "all"


def _both(one: SavedPolicy, other: SavedPolicy) -> SavedPolicy | None:
    """What two policies both apply to, where they are equally specific; None where nothing."""
    a, b = one.applies_to, other.applies_to
    if a is None or b is None or a.specificity != b.specificity:
        return None
    if (one.policy.charges, a.first_payment) != (other.policy.charges, b.first_payment):
        return None
    shared: dict[str, object] = {"first_payment": a.first_payment}
    for name in ("method", "country", "segment"):
        first, second = getattr(a, name), getattr(b, name)
        shared[name] = tuple(each for each in first or second if each in (second or first))
        if (first or second) and not shared[name]:
            return None
    named = dict.fromkeys((*a.interval, *b.interval))
    shared["interval"] = tuple(each for each in named if one.takes(each) and other.takes(each))
    if (a.interval or b.interval) and not shared["interval"]:
        return None
    wider = max(one, other, key=lambda each: each.least_days)
    return SavedPolicy(policy=wider.policy, applies_to=AppliesTo.model_validate(shared))


def _decides(third: SavedPolicy, both: SavedPolicy, *, over: SavedPolicy) -> bool:
    """Whether a more specific policy applies to everything that two others both apply to."""
    to, shared = third.applies_to, both.applies_to
    if to is None or shared is None or to.specificity <= _specificity(over):
        return False
    if (third.policy.charges, to.first_payment) != (both.policy.charges, shared.first_payment):
        return False
    if shared.interval:
        takes_intervals = all(map(third.takes, shared.interval))
    else:
        takes_intervals = not to.interval and third.least_days <= both.least_days
    lists = ((to.method, shared.method), (to.country, shared.country), (to.segment, shared.segment))
    return takes_intervals and all(not own or (theirs and {*theirs} <= {*own}) for own, theirs in lists)
