"""What came of a rehearsal, in numbers: of one population, and of several with the range that they span."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cache, partial
from typing import Final

from billing.calendar import at_local_time
from billing.dunning import DunningPolicy
from billing.payment import Trigger
from billing.values import Value
from rehearsal.chase import METHOD, Story, Try
from rehearsal.payers import TIMEZONE
from rehearsal.population import Cause, Population

SOON_DAYS: Final = 10
"""Recoveries within so many days are shown apart: Recurly publishes their share."""
_NINE_TENTHS: Final = 0.9
REPEAT: Final = "repeat"


class Route(StrEnum):
    """What brought the money."""

    RETRY = "retry"
    """An automatic charge of the policy."""
    RENEWED = "renewed"
    """The network renewed the card, which was then charged."""
    CUSTOMER = "customer"
    """The customer gave another method after a mail."""


def route_of(charge: Try) -> Route:
    """What brought this charge about."""
    if charge.trigger.is_automatic:
        return Route.RETRY
    return Route.RENEWED if charge.method == METHOD else Route.CUSTOMER


class Band(Value):
    """A measure over several populations: their mean, the least and the most."""

    middle: float
    low: float
    high: float


class Attempted(Value):
    """The retries of one policy day, or the repeats of technical declines. Shares from 0 to 1."""

    name: str
    """`repeat`, or the policy day."""
    made: Band
    """Of all failed payments, those on which it was tried."""
    succeeded: Band
    """Of those tried."""
    of_unpaid: Band
    """Of the payments that were still unpaid then, tried or not, those that it brought."""


class Rehearsed(Value):
    """One policy, rehearsed. Shares from 0 to 1, of failed payments unless they say otherwise."""

    policy: str
    """Its title: `monthly v1`."""
    retry_days: tuple[int, ...]
    mail_days: tuple[int, ...]
    end_day: int

    recovered: Band
    routes: dict[Route, Band]
    recovered_soon: Band
    """Of the recovered, those within ten days."""
    collected: Band
    """Of all invoices, also those whose first charge succeeded."""
    days_to_cash: Band
    """Median of the recovered, from the first failure to the known payment."""
    days_to_cash_90: Band
    """Nine in ten of the recovered need no longer."""
    mails: Band
    """For each failed payment, that of the end included."""
    retries: Band
    """Automatic charges after the first, for each failed payment."""
    lost: Band
    """Unpaid at the end, and without the service from then on."""
    left: Band
    """Who ends the subscription of their own accord: told of the failure, or cut off. The unpaid and the paid."""
    taken_back: Band
    """Paid, and claimed back within eight weeks."""
    next_try: Band
    """Of the payments that neither a mail nor a renewed card had brought by the first retry of the policy: those that
    it brought, or the repeat before it."""
    attempts: tuple[Attempted, ...]
    causes: dict[Cause, Band]
    """Recovered, by the hidden cause."""
    by_day: tuple[float, ...]
    """Recovered by the end of each day, from day 0 on."""


@dataclass
class Tally:
    """The counts of one population under one policy."""

    population: Population
    policy: DunningPolicy
    failed: int = 0
    days: list[float] = field(default_factory=list)
    """From failure to payment, of the recovered."""
    routes: Counter[Route] = field(default_factory=Counter)
    mails: int = 0
    lost: int = 0
    left: int = 0
    taken_back: int = 0
    failed_by: Counter[Cause] = field(default_factory=Counter)
    recovered_by: Counter[Cause] = field(default_factory=Counter)
    made: Counter[str] = field(default_factory=Counter)
    paid: Counter[str] = field(default_factory=Counter)
    unpaid: Counter[str] = field(default_factory=Counter)

    def add(self, story: Story) -> None:
        """Count one story."""
        payer, paying = story.payer, story.paying
        self.failed += 1
        self.failed_by[payer.cause] += 1
        self.mails += len(story.mails)
        self.lost += story.service_ended and paying is None
        self.left += payer.leaves < self._share_that_leaves(story)
        self._add_tries(story)
        if paying is not None:
            self.days.append(payer.days_since_failure(paying.known_at))
            self.routes[route_of(paying)] += 1
            self.recovered_by[payer.cause] += 1
            self.taken_back += payer.claims_refund

    def _share_that_leaves(self, story: Story) -> float:
        if story.service_ended:
            return self.population.leaves_if_cut
        return self.population.leaves_if_notified if story.mails else 0.0

    def _add_tries(self, story: Story) -> None:
        for charge in story.tries[1:]:
            if charge.trigger.is_automatic:
                name = REPEAT if charge.trigger is Trigger.REPEAT else str(charge.policy_day)
                self.made[name] += 1
                self.paid[name] += charge.paid
        paying = story.paying
        for day in self.policy.retry_days:
            at = _retry_at(story.payer.day0, day, self.policy.hour)
            self.unpaid[str(day)] += paying is None or paying.begun_at >= at
        self.unpaid[REPEAT] += 1

    @property
    def next_try(self) -> float:
        """The share that the first retry or the repeat before it brought, of what nothing else had brought by then."""
        first = str(next(iter(self.policy.retry_days), REPEAT))
        repeated = self.paid[REPEAT] if first != REPEAT else 0
        return _share(self.paid[first] + repeated, self.unpaid[first] + repeated)

    def of_failed(self, part: int) -> float:
        """A count as a share of the failed payments, or so many for each."""
        return _share(part, self.failed)

    @property
    def recovered(self) -> int:
        """Failed payments that were paid in the end."""
        return len(self.days)

    def quantile(self, share: float) -> float:
        """The days within which this share of the recovered was paid; 0 where nothing was."""
        ordered = sorted(self.days)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@cache
def _retry_at(day0: date, day: int, hour: int) -> datetime:
    return at_local_time(day0 + timedelta(days=day), hour, 0, TIMEZONE)


def tally(population: Population, policy: DunningPolicy, stories: Iterable[Story]) -> Tally:
    """Count the stories of one population."""
    counts = Tally(population, policy)
    for story in stories:
        counts.add(story)
    return counts


def summed_up(tallies: Sequence[Tally]) -> Rehearsed:
    """The measures of one policy over several populations, each counted apart."""

    def band(measure: Callable[[Tally], float]) -> Band:
        values = [measure(counts) for counts in tallies]
        return Band(middle=sum(values) / len(values), low=min(values), high=max(values))

    policy = tallies[0].policy
    return Rehearsed(
        policy=policy.title,
        retry_days=policy.retry_days,
        mail_days=policy.mail_days,
        end_day=policy.end_day,
        recovered=band(lambda t: t.of_failed(t.recovered)),
        routes={route: band(partial(_by_route, route)) for route in Route},
        recovered_soon=band(lambda t: _share(sum(day <= SOON_DAYS for day in t.days), t.recovered)),
        collected=band(lambda t: 1 - t.population.first_failure_rate * t.of_failed(t.failed - t.recovered)),
        days_to_cash=band(lambda t: t.quantile(1 / 2)),
        days_to_cash_90=band(lambda t: t.quantile(_NINE_TENTHS)),
        mails=band(lambda t: t.of_failed(t.mails)),
        retries=band(lambda t: t.of_failed(t.made.total())),
        lost=band(lambda t: t.of_failed(t.lost)),
        left=band(lambda t: t.of_failed(t.left)),
        taken_back=band(lambda t: t.of_failed(t.taken_back)),
        next_try=band(lambda t: t.next_try),
        attempts=tuple(
            Attempted(
                name=name,
                made=band(partial(_made, name)),
                succeeded=band(partial(_succeeded, name)),
                of_unpaid=band(partial(_of_unpaid, name)),
            )
            for name in (REPEAT, *map(str, policy.retry_days))
            if any(counts.made[name] for counts in tallies)
        ),
        causes={
            cause: band(partial(_by_cause, cause))
            for cause in Cause
            if any(counts.failed_by[cause] for counts in tallies)
        },
        by_day=_by_day(tallies),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _by_route(route: Route, counts: Tally) -> float:
    return counts.of_failed(counts.routes[route])


def _by_cause(cause: Cause, counts: Tally) -> float:
    return _share(counts.recovered_by[cause], counts.failed_by[cause])


def _made(name: str, counts: Tally) -> float:
    return counts.of_failed(counts.made[name])


def _succeeded(name: str, counts: Tally) -> float:
    return _share(counts.paid[name], counts.made[name])


def _of_unpaid(name: str, counts: Tally) -> float:
    return _share(counts.paid[name], counts.unpaid[name])


def _by_day(tallies: Sequence[Tally]) -> tuple[float, ...]:
    """Recovered by the end of each day, of all populations together; whole days since the failure."""
    failed = sum(counts.failed for counts in tallies)
    within = Counter(int(day) for counts in tallies for day in counts.days)
    shares: list[float] = []
    paid = 0
    for day in range(tallies[0].policy.end_day + 1):
        paid += within[day]
        shares.append(_share(paid, failed))
    return tuple(shares)
