"""Telling what happens while it happens: a line for each fact of interest, and a bar with the date."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from types import TracebackType
from typing import Final, Self
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from sandbox.demo.people import Person
from starter.client import RelanceClient
from starter.diary import Fact, FactKind

LOOK_EVERY_SECONDS: Final = 0.7
REST_FACTOR: Final = 12
"""Reading all diaries takes longer as the year goes by: it gets this small a part of a core at most."""
NAME_WIDTH: Final = 20
EVERYDAY: Final = ("mail receipt", "mail invoice_issued", "access begins")
"""Left out of the lines."""
UNANSWERED: Final = "charge under way"
"""Told once it is answered: until then its line in the diary has another date."""
_GOOD: Final = ("charge paid", "status active", "status trialing")
_BAD: Final = ("charge declined", "charge waits", "status past_due", "status unpaid", "dunning ended")


class Telling:
    """Reads the diaries of everybody while the clock runs, and tells what is new in the order of time."""

    def __init__(self, relance: RelanceClient, console: Console, *, begins: datetime, ends: datetime) -> None:
        self._relance = relance
        self._console = console
        self._begins = begins
        self._now = begins
        self._people: dict[str, Person] = {}
        self._told: Counter[str] = Counter()
        self._said: list[Fact] = []
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task(f"{begins:%d %b %Y}", total=(ends - begins).total_seconds())
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begins to read along."""
        self._bar.start()
        self._reader = asyncio.create_task(self._read_along())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Tells the rest, unless something went wrong."""
        try:
            if self._reader is not None:
                self._reader.cancel()
                await asyncio.wait([self._reader])
            if error is None:
                await self._tell_new(before=None)
        finally:
            self._bar.stop()

    def introduce(self, subscription_id: str, person: Person) -> None:
        """Somebody has signed up: what happens to them is told from now on."""
        self._people[subscription_id] = person

    def moved(self, now: datetime) -> None:
        """The clock has moved; everything before `now` has happened."""
        self._now = max(self._now, now)
        self._bar.update(
            self._task,
            completed=(self._now - self._begins).total_seconds(),
            description=f"{self._now:%d %b %Y}",
        )

    def say(self, at: datetime, subscription_id: str, sentence: str) -> None:
        """Tells, in its place, what is in no diary."""
        on = at.astimezone(ZoneInfo(self._people[subscription_id].timezone)).date()
        fact = Fact(at=at, on=on, kind=FactKind.ASKED, sentence=sentence, subscription_id=subscription_id)
        self._said.append(fact)

    async def _read_along(self) -> None:
        took = 0.0
        while True:
            await asyncio.sleep(max(LOOK_EVERY_SECONDS, REST_FACTOR * took))
            began = time.monotonic()
            await self._tell_new(before=self._now)
            took = time.monotonic() - began

    async def _tell_new(self, *, before: datetime | None) -> None:
        """Tells what was not told yet; `before` the clock's minute only, since that one may not be over."""
        new = [fact for fact in self._said if _is_over(fact, before)]
        self._said = [fact for fact in self._said if not _is_over(fact, before)]
        for subscription_id in list(self._people):
            diary = await self._relance.diary(subscription_id)
            over = [f for f in diary if _is_over(f, before) and not f.sentence.startswith(UNANSWERED)]
            new += over[self._told[subscription_id] :]
            self._told[subscription_id] = len(over)
        new.sort(key=lambda fact: _minute(fact.at))
        for (subscription_id, _), facts in groupby(new, key=lambda f: (f.subscription_id, f.on)):
            self._tell(self._people[subscription_id], [f for f in facts if f.sentence not in EVERYDAY])

    def _tell(self, person: Person, facts: Sequence[Fact]) -> None:
        if not any(_is_of_interest(fact) for fact in facts):
            return
        words = Text(", ").join(Text(_briefly(f.sentence), style=_style(f.sentence)) for f in facts)
        name = Text(f"{person.name[:NAME_WIDTH]:<{NAME_WIDTH}}  ", style="bold")
        self._console.print(Text.assemble(f"{facts[0].on}  ", name, words), soft_wrap=True, highlight=False)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _is_over(fact: Fact, before: datetime | None) -> bool:
    return before is None or fact.at < _minute(before)


def _is_of_interest(fact: Fact) -> bool:
    if fact.kind is FactKind.CHARGE:
        return not fact.sentence.startswith("charge paid")
    return fact.kind is not FactKind.INVOICE


def _briefly(sentence: str) -> str:
    """The sentence without what goes without saying: `declined: insufficient funds`."""
    sentence = sentence.removeprefix("charge ").removeprefix("status ").removesuffix(" issued")
    what, colon, why = sentence.partition(": ")
    return f"{what}{colon}{why.replace('_', ' ')}"


def _style(sentence: str) -> str:
    if sentence.startswith(_GOOD):
        return "green"
    if sentence.startswith(_BAD):
        return "red"
    return "dim" if sentence.startswith("mail ") else ""
