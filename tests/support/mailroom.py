"""A mailbox over HTTP, a clock that tests move, and queued rows: what tests of the outbox share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select

from activities.books.config import BookRules
from activities.links import Links
from activities.messages import Messages, OutboxRules
from activities.sendgrid_mailer import SendGridMailer
from activities.tls import trusted
from models.database import Database
from models.ids import derived_id
from models.tables import Message
from sandbox.mailbox.app import create_app
from support.factories import Someone
from support.serving import serving

KEY = "0123456789abcdef0123456789abcdef"
LINKS = Links(public_url="https://pay.example.com", secret=KEY)
RULES = OutboxRules(links=LINKS, books=BookRules(), mail_from="Relance <billing@example.com>")
NINE = datetime(2027, 2, 1, 8, 0, tzinfo=UTC)
"""09:00 on 1 February 2027 in Paris."""


class Watch:
    """Real time, as far as the outbox can tell."""

    def __init__(self) -> None:
        self.at = datetime(2027, 2, 1, 8, 0, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def passes(self, **by: float) -> None:
        self.at += timedelta(**by)


class Mailbox:
    """The sandbox's mailbox, and how it misbehaves next."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._http = httpx.Client(base_url=address, verify=trusted())

    def letters(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = self._http.get("/api/messages").json()["messages"]
        return kept

    def will(self, **mischief: Any) -> None:
        self._http.post("/_fake/faults", json=mischief).raise_for_status()

    def clear(self) -> None:
        self._http.delete("/api/messages")
        self._http.delete("/_fake/faults")

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="session")
def _mailbox_address() -> Iterator[str]:
    with serving(create_app()) as address:
        yield address


@pytest.fixture
def mailbox(_mailbox_address: str) -> Iterator[Mailbox]:
    mailbox = Mailbox(_mailbox_address)
    mailbox.clear()
    yield mailbox
    mailbox.close()


@pytest.fixture
def watch() -> Watch:
    return Watch()


def mailer_of(mailbox: Mailbox, *, timeout_seconds: float = 5) -> SendGridMailer:
    return SendGridMailer(api_key="SG.sandbox", api_base=mailbox.address, timeout_seconds=timeout_seconds)


@pytest.fixture
def outbox(database: Database, mailbox: Mailbox, watch: Watch) -> Messages:
    return Messages(database, mailer_of(mailbox), RULES, now=watch)


def queued(someone: Someone, kind: str, *, occurrence: str = "2027-02-01", **changes: Any) -> Message:
    """A row as the books write it."""
    invoice_id = changes.get("invoice_id")
    scope = invoice_id or someone.subscription.id
    step = changes.pop("step", kind)
    given: dict[str, Any] = {
        "id": derived_id("msg", scope, step, occurrence),
        "scope": scope,
        "step": step,
        "occurrence": occurrence,
        "kind": kind,
        "customer_id": someone.customer.id,
        "subscription_id": someone.subscription.id,
        "clock_id": someone.subscription.clock_id,
        "locale": someone.customer.locale,
        "recipients": [contact["email"] for contact in someone.customer.contacts],
        "at": NINE,
    }
    return Message(**given | changes)


async def rows_of(database: Database) -> list[Message]:
    async with database.read() as session:
        return list((await session.exec(select(Message).order_by(Message.at, Message.id))).all())  # type: ignore[arg-type]
