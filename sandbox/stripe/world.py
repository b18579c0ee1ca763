"""The fake as a whole: its books, its time, and what is known about the request being answered."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from stripe import api_version

from sandbox.stripe.errors import Document
from sandbox.stripe.store import Books, Store, new_id


@dataclass
class Options:
    """Knobs of the fake.

    Attributes:
        webhook_url: an endpoint that every account sends all its events to, beside those it makes itself.
        webhook_secret: the signing secret of that endpoint.
        retry_delays: seconds until a failed delivery is tried again, off test clocks.
        clock_retry_delays: the same on a test clock, in seconds of that clock.
        sepa_seconds: how long a bank debit is processing when its customer is on no test clock.
        sepa_delayed_seconds: the same for the test accounts that are slow.
        dispute_fee: what Stripe keeps of each dispute, in minor units of its currency.
        failure_fee: what it keeps of each bank debit that fails, likewise.
        rate_limit: requests a second to one endpoint before it answers 429; None for no limit.
        allow_remote: deliver webhooks to other machines than this one.
    """

    webhook_url: str | None = None
    webhook_secret: str = "whsec_sandbox"  # noqa: S105 - the sandbox guards nothing
    retry_delays: tuple[float, ...] = (1, 5, 30, 300, 3600)
    clock_retry_delays: tuple[float, ...] = (3600, 7200, 14400)
    sepa_seconds: float = 2
    sepa_delayed_seconds: float = 180
    dispute_fee: int = 2000
    failure_fee: int = 350
    rate_limit: int | None = None
    allow_remote: bool = False


@dataclass
class World:
    """Everything that lasts longer than a request.

    Attributes:
        wake: called when something has become due, so that the timekeeper looks.
        advances: test clocks that were told to advance: books, id, epoch seconds.
    """

    store: Store
    options: Options = field(default_factory=Options)
    offset: int = 0
    wake: Callable[[], None] = lambda: None
    advances: list[tuple[Books, str, int]] = field(default_factory=list)

    def wall(self) -> int:
        """The fake's own time in epoch seconds: real time, moved by what the control plane added."""
        return int(self.instant())

    def instant(self) -> float:
        """The same to the fraction of a second."""
        return time.time() + self.offset


def clock_of(books: Books, customer: str | None) -> Document | None:
    """The test clock that a customer lives on, if any."""
    owner = books.get("customer", customer) if customer else None
    clock = owner.get("test_clock") if owner else None
    return books.get("test_clock", clock) if clock else None


@dataclass
class Call:
    """One piece of work: a request being answered, or something that came due by itself.

    Attributes:
        request_id: None when nobody asked.
        idempotency_key: the key of the request, also shown in the events it causes.
        answer_lost: set when the bank's script says that the caller never hears of it.
    """

    world: World
    books: Books
    request_id: str | None = None
    idempotency_key: str | None = None
    base_url: str = ""
    answer_lost: bool = False

    def now(self, customer: str | None = None) -> int:
        """Epoch seconds on the customer's test clock, else the fake's own time."""
        clock = clock_of(self.books, customer)
        return int(clock["frozen_time"]) if clock else self.world.wall()

    def emit(
        self, kind: str, subject: Document, previous: Document | None = None, *, customer: str | None = None
    ) -> None:
        """Record an event about `subject` as it is now and send it to every endpoint that wants it.

        Args:
            kind: Stripe's name for it.
            subject: what it is about.
            previous: the fields that changed, as they were.
            customer: whose clock it lives on, where the object does not name one itself.
        """
        customer = customer or (subject["id"] if subject["object"] == "customer" else subject.get("customer"))
        clock = clock_of(self.books, customer)
        data: Document = {"object": snapshot(subject)}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Document = {
            "id": new_id("evt"),
            "object": "event",
            "account": None,
            "api_version": api_version,
            "created": self.now(customer),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": kind,
        }
        for endpoint in self._endpoints(kind):
            event["pending_webhooks"] += 1
            self.books.put(
                "delivery",
                {
                    "id": new_id("dlv"),
                    "event": event["id"],
                    "url": endpoint["url"],
                    "secret": endpoint["secret"],
                    "test_clock": clock["id"] if clock else None,
                    "due_at": event["created"],
                    "tries": 0,
                    "state": "pending",
                },
            )
        self.books.put("event", event)
        self.world.wake()

    def _endpoints(self, kind: str) -> list[Document]:
        options = self.world.options
        endpoints = [
            {"url": endpoint["url"], "secret": endpoint["secret"]}
            for endpoint in self.books.all("webhook_endpoint")
            if endpoint["status"] == "enabled" and {"*", kind} & set(endpoint["enabled_events"])
        ]
        if options.webhook_url is not None:
            endpoints.append({"url": options.webhook_url, "secret": options.webhook_secret})
        return endpoints


def snapshot(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """A deep copy of a JSON value, so that what was sent does not change afterwards."""
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if isinstance(value, list):
        return [snapshot(item) for item in value]
    return value
