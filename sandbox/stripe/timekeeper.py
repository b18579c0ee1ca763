"""What happens by itself: bank debits that settle, webhooks and their retries, on real time and test clocks."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Iterator

import httpx

from sandbox.stripe import disputes, payment, refunds
from sandbox.stripe.errors import Document
from sandbox.stripe.store import Books
from sandbox.stripe.world import Call, World

_ANSWER_WITHIN_SECONDS = 10
_LONGEST_NAP_SECONDS = 60.0
_AT_ONCE = 20

_log = logging.getLogger(__name__)


def signature(payload: str, secret: str, at: int) -> str:
    """The `Stripe-Signature` header: `t` and the HMAC-SHA256 of `t.payload` as `v1`."""
    mac = hmac.new(secret.encode(), f"{at}.{payload}".encode(), hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


class Timekeeper:
    """Does what is due. One task runs in the background; test clocks are advanced from outside."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._woken = asyncio.Event()
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(_ANSWER_WITHIN_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=_AT_ONCE),
            trust_env=False,
        )
        self._sending: dict[str, asyncio.Task[None]] = {}
        self._advancing: set[asyncio.Task[None]] = set()
        self._clocks: dict[str, asyncio.Lock] = {}
        world.wake = self._woken.set

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._woken.clear()
            self._begin_advances()
            try:
                nap = self._do_what_is_due()
            except Exception:  # noqa: BLE001 - one bad document must not stop the fake's time
                _log.exception("What was due could not be done")
                nap = _LONGEST_NAP_SECONDS
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), nap)

    async def close(self) -> None:
        """Drop what is still under way; retries that are waiting stay in the store."""
        tasks = [*self._sending.values(), *self._advancing]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    def next_due(self, books: Books, clock: Document) -> int | None:
        """The next instant at which something happens on a test clock, in epoch seconds; None for nothing."""
        due = [document["due_at"] for _, document in _waiting(books, clock["id"])]
        return max(min(due), clock["frozen_time"]) if due else None

    async def advance(self, books: Books, clock: Document, to: int) -> None:
        """Move a test clock to `to`, stopping at each instant at which something is due, and do it all."""
        async with self._clocks.setdefault(clock["id"], asyncio.Lock()):
            await self._deliver(books, clock)
            while (due := self.next_due(books, clock)) is not None and due <= to:
                self._move(books, clock, due)
                self._settle(books, clock["id"], clock["frozen_time"])
                await self._deliver(books, clock)
            self._move(books, clock, to)
            clock["status"] = "ready"
            self._world.store.flush()

    def settle_now(self) -> None:
        """Do what is due off test clocks, but for the webhooks about it, which are sent in the background."""
        now = self._world.instant()
        for books in self._world.store:
            self._settle(books, None, now)
        self._world.store.flush()

    def _begin_advances(self) -> None:
        while self._world.advances:
            books, identifier, to = self._world.advances.pop(0)
            clock = books.get("test_clock", identifier)
            if clock is not None:
                task = asyncio.create_task(self.advance(books, clock, to))
                self._advancing.add(task)
                task.add_done_callback(self._advancing.discard)

    def _do_what_is_due(self) -> float:
        """Settle and send what is due; answers the seconds until something else is."""
        now = self._world.instant()
        for books in self._world.store:
            self._settle(books, None, now)
            for clock in books.all("test_clock"):
                self._send_due(books, clock["id"], clock["frozen_time"])
            self._send_due(books, None, now)
        self._world.store.flush()
        waiting: list[float] = [
            document["due_at"]
            for books in self._world.store
            for identifier, document in _waiting(books, None)
            if identifier not in self._sending
        ]
        return min([max(0.01, due - self._world.instant()) for due in waiting] + [_LONGEST_NAP_SECONDS])

    def _move(self, books: Books, clock: Document, to: int) -> None:
        clock["frozen_time"] = max(clock["frozen_time"], to)
        books.put("test_clock", clock)

    def _settle(self, books: Books, clock: str | None, now: float) -> None:
        due = [one for one in books.all("settlement") if one["test_clock"] == clock and one["due_at"] <= now]
        for settlement in sorted(due, key=lambda one: int(one["due_at"])):
            _late_word(settlement)(Call(self._world, books), settlement)

    async def _deliver(self, books: Books, clock: Document) -> None:
        """Send all deliveries of a clock that are due and wait for their answers."""
        self._world.store.flush()
        while tasks := self._send_due(books, clock["id"], clock["frozen_time"]):
            await asyncio.wait(tasks)

    def _send_due(self, books: Books, clock: str | None, now: float) -> list[asyncio.Task[None]]:
        tasks = []
        for delivery in books.all("delivery"):
            if (
                delivery["state"] == "pending"
                and delivery["test_clock"] == clock
                and delivery["due_at"] <= now
            ):
                if delivery["id"] not in self._sending:
                    self._sending[delivery["id"]] = asyncio.create_task(self._send(books, delivery))
                tasks.append(self._sending[delivery["id"]])
        return tasks

    async def _send(self, books: Books, delivery: Document) -> None:
        event = books.get("event", delivery["event"])
        payload = json.dumps(event)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(payload, delivery["secret"], int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            answer = await self._client.post(delivery["url"], content=payload, headers=headers)
            taken = answer.is_success
        except (httpx.HTTPError, httpx.InvalidURL):
            taken = False
        finally:
            self._sending.pop(delivery["id"], None)
        if event is None or books.get("delivery", delivery["id"]) is None:
            return
        if taken:
            event["pending_webhooks"] -= 1
            books.put("event", event)
            books.remove("delivery", delivery["id"])
        else:
            self._try_later(books, delivery)
        self._world.store.flush()
        self._woken.set()

    def _try_later(self, books: Books, delivery: Document) -> None:
        options = self._world.options
        clock = books.get("test_clock", delivery["test_clock"]) if delivery["test_clock"] else None
        delays = options.clock_retry_delays if clock else options.retry_delays
        now = clock["frozen_time"] if clock else self._world.instant()
        delivery["tries"] += 1
        if delivery["tries"] > len(delays):
            delivery["state"] = "failed"
        else:
            delivery["due_at"] = now + delays[delivery["tries"] - 1]
        books.put("delivery", delivery)


def _late_word(settlement: Document) -> Callable[[Call, Document], None]:
    """Who deals with what has become due."""
    if "refund" in settlement:
        return refunds.settle
    return disputes.settle if "dispute" in settlement else payment.settle


def _waiting(books: Books, clock: str | None) -> Iterator[tuple[str, Document]]:
    for document in [*books.all("settlement"), *books.all("delivery")]:
        if document["test_clock"] == clock and document.get("state", "pending") == "pending":
            yield document["id"], document
