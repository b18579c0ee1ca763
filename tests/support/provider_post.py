"""Events of the fake Stripe on their way to the books: pulled from its list, stored, handed on as the worker does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fakes import FakeStripe

from activities.books.config import BookRules
from activities.books.inbox import store_event
from activities.gateway import PaymentGateway
from activities.incoming import Incoming, Signals, TemporalSignals
from activities.launching import Launcher
from activities.money_news import MoneyNews, StartsCollections
from models.boundary import CaseReport, CollectionRun
from models.database import Database
from support.life import Life

MONEY = ("refund.", "charge.refunded", "charge.dispute.", "radar.")


@dataclass
class Told:
    """Temporal, as far as hints go: everybody runs, and what they were told."""

    told: list[tuple[str, str]] = field(default_factory=list)

    async def tell(self, workflow_id: str, signal: str, fact: dict[str, str]) -> bool:  # noqa: ARG002 - Temporal's
        self.told.append((workflow_id, signal))
        return True


@dataclass
class Started:
    """Temporal, as far as chases are started."""

    runs: list[CollectionRun] = field(default_factory=list)

    async def start_collection(self, run: CollectionRun) -> CaseReport:
        self.runs.append(run)
        return None  # type: ignore[return-value] # nobody here reads it


@dataclass
class Post:
    """The way from the fake Stripe to the books; events that were brought are not brought again by themselves."""

    fake: FakeStripe
    database: Database
    gateway: PaymentGateway
    rules: BookRules = field(default_factory=BookRules)
    signals: Signals = field(default_factory=Told)
    launcher: StartsCollections = field(default_factory=Started)
    payments_queue: str = "relance-payments"
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    seen: set[str] = field(default_factory=set)

    def letters(self, *prefixes: str) -> list[dict[str, Any]]:
        """Events that were not brought yet, oldest first; of these kinds only, where any are named."""
        listed = self.fake.client().v1.events.list({"limit": 100}).auto_paging_iter()
        events = [event.to_dict() for event in listed]
        new = [event for event in reversed(events) if event["id"] not in self.seen]
        return [event for event in new if event["type"].startswith(prefixes or ("",))]

    async def bring(self, events: Iterable[dict[str, Any]] | None = None) -> list[str | None]:
        """Store events and hand them on, in the order given; by default all new ones about money that moves back.

        Returns:
            What was done about each; None for one that stays in the inbox.
        """
        chosen: Sequence[dict[str, Any]] = list(self.letters(*MONEY) if events is None else events)
        incoming = Incoming(self.database, self.signals, money=self.news(), now=self.now)
        notes = []
        for event in chosen:
            self.seen.add(event["id"])
            await store_event(self.database, event, received_at=datetime.now(UTC))
            notes.append(await incoming.hand_on(event["id"]))
        return notes

    def news(self) -> MoneyNews:
        """Who looks at the provider."""
        return MoneyNews(
            self.database,
            self.gateway,
            self.rules,
            self.launcher,
            payments_queue=self.payments_queue,
            now=self.now,
        )


async def news_reaches(world: Life, *kinds: str) -> list[str | None]:
    """Bring events of these kinds, by default about money that moves back, into a living world; let it come to rest."""
    post = _POSTS.setdefault(world.fake.base, Post(world.fake, world.database, world.gateway))
    present, settings = await world.present(), world.settings
    post.database, post.gateway, post.rules = world.database, world.gateway, BookRules.of(settings)
    post.signals, post.payments_queue = TemporalSignals(world.client), settings.payments_task_queue
    post.launcher = Launcher(
        world.database, world.gateway, post.rules, world.client, task_queue=settings.task_queue
    )
    post.now = lambda: present
    notes = await post.bring(post.letters(*(kinds or MONEY)))
    await world.settle()
    return notes


_POSTS: dict[str, Post] = {}
"""By the fake's address: events have ids that never repeat, so that worlds can share one."""
