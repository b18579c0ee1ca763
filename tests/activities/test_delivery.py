"""What SendGrid says became of mails: genuine or refused, the same in any order, and a lost answer that is found."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from support import factories
from support.factories import Someone
from support.mailroom import Mailbox, Watch, queued, rows_of

from activities.books.delivery import customers_who_read_nothing, take_delivery_events, undeliverable
from activities.mailer import MailerMisconfigured
from activities.messages import Messages
from activities.sendgrid_events import Delivery, DeliveryEvent, read_delivery_events
from activities.stripe_events import BadSignature, UnreadableEvent
from models.database import Database
from models.tables import Customer, MessageState
from sandbox.mailbox.news import public_key
from starter.symptoms import Trouble, other_symptoms

NOW = datetime(2027, 2, 1, 9, 0, tzinfo=UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
async def anna(database: Database) -> Someone:
    async with database.write() as session:
        return await factories.someone(session)


def bounced(message_id: str = "msg_1", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "email": "Anna@Example.com",
        "event": "bounce",
        "type": "bounce",
        "reason": "550 no such\n mailbox",
        "timestamp": int(NOW.timestamp()),
        "sg_event_id": "abc",
        "message_id": message_id,
        **changes,
    }


def read(
    body: bytes,
    *,
    key: ec.EllipticCurvePrivateKey = KEY,
    at: datetime = NOW,
    signed_body: bytes | None = None,
    keys: tuple[str, ...] = (),
) -> list[DeliveryEvent]:
    stamp = str(int(at.timestamp()))
    signature = key.sign(stamp.encode() + (signed_body or body), ec.ECDSA(hashes.SHA256()))
    return read_delivery_events(
        body, base64.b64encode(signature).decode(), stamp, keys or (public_key(KEY),), now=NOW
    )


def test_a_genuine_batch_is_read_and_what_is_not_ours_left_out() -> None:
    stranger = {k: v for k, v in bounced().items() if k != "message_id"}
    body = json.dumps([bounced(), stranger, bounced(event="open"), "nonsense"]).encode()
    assert read(body) == [
        DeliveryEvent(
            message_id="msg_1",
            address="anna@example.com",
            delivery=Delivery.BOUNCED,
            at=NOW,
            detail="550 no such mailbox",
        )
    ]
    (blocked,) = read(json.dumps([bounced(type="blocked")]).encode())
    assert blocked.delivery is Delivery.BLOCKED


def test_one_of_two_keys_fits_while_one_is_replaced() -> None:
    body = json.dumps([bounced()]).encode()
    assert len(read(body, keys=(public_key(OTHER_KEY), public_key(KEY)))) == 1


@pytest.mark.parametrize(
    "forged",
    [{"key": OTHER_KEY}, {"at": NOW - timedelta(hours=26)}, {"signed_body": b"[]"}],
    ids=["another key", "too old", "another body"],
)
def test_what_is_not_genuine_is_refused(forged: dict[str, Any]) -> None:
    with pytest.raises(BadSignature, match="RELANCE_SENDGRID_WEBHOOK_KEYS"):
        read(json.dumps([bounced()]).encode(), **forged)


@pytest.mark.parametrize(
    ("signature", "stamp"), [(None, "1"), ("AAAA", None), ("%%%", "1801472400"), ("AAAA", "1801472400x")]
)
def test_headers_that_are_none(signature: str | None, stamp: str | None) -> None:
    with pytest.raises(BadSignature):
        read_delivery_events(b"[]", signature, stamp, (public_key(KEY),), now=NOW)


def test_without_a_key_nothing_is_believed() -> None:
    for keys in ((), ("not a key",)):
        with pytest.raises(MailerMisconfigured, match="RELANCE_SENDGRID_WEBHOOK_KEYS"):
            read_delivery_events(b"[]", "AAAA", str(int(NOW.timestamp())), keys, now=NOW)


@pytest.mark.parametrize("body", [b"{}", b"nonsense", b"\xff"])
def test_signed_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises((UnreadableEvent, BadSignature)):
        read(body)


def event(delivery: Delivery, minute: int, message_id: str, detail: str = "") -> DeliveryEvent:
    return DeliveryEvent(
        message_id=message_id,
        address="anna@example.com",
        delivery=delivery,
        at=NOW + timedelta(minutes=minute),
        detail=detail,
    )


async def test_in_any_order_and_as_often_as_sent_the_latest_word_counts(
    database: Database, anna: Someone
) -> None:
    message = queued(anna, "receipt", state=MessageState.SENT, tries=1, recipients=["Anna@example.com"])
    async with database.write() as session:
        session.add(message)
    news = [
        event(Delivery.TAKEN, 0, message.id),
        event(Delivery.DELIVERED, 1, message.id),
        event(Delivery.BOUNCED, 9, message.id, "550 gone"),
    ]
    for order in permutations(news):
        for one in (*order, order[0]):
            async with database.write() as session:
                assert await take_delivery_events(session, [one]) == 1
        (row,) = await rows_of(database)
        assert (row.delivery, row.delivery_detail) == ("BOUNCED", "550 gone")
        async with database.read() as session:
            (address,) = await undeliverable(session, ["anna@example.com"])
        assert (address.reason, address.detail) == ("bounced", "550 gone")
        assert address.since == NOW + timedelta(minutes=9)


async def test_an_address_that_takes_mails_again_is_forgiven(database: Database, anna: Someone) -> None:
    message = queued(anna, "receipt", state=MessageState.SENT, recipients=["anna@example.com"])
    async with database.write() as session:
        session.add(message)
        await take_delivery_events(session, [event(Delivery.BLOCKED, 0, message.id, "mailbox full")])
        assert len(await undeliverable(session, ["anna@example.com"])) == 1
        await take_delivery_events(session, [event(Delivery.DELIVERED, 60, message.id)])
        assert await undeliverable(session, ["anna@example.com"]) == []


async def test_a_stranger_or_an_unknown_mail_changes_nothing(database: Database, anna: Someone) -> None:
    message = queued(anna, "receipt", state=MessageState.SENT, recipients=["somebody@else.example"])
    async with database.write() as session:
        session.add(message)
        news = [event(Delivery.BOUNCED, 0, message.id), event(Delivery.BOUNCED, 0, "msg_unknown")]
        assert await take_delivery_events(session, news) == 0
        assert await undeliverable(session, ["anna@example.com"]) == []


@pytest.mark.parametrize("kind", ["resumed", "cancel_scheduled"])
async def test_word_from_the_provider_stands_for_the_answer_that_was_lost(
    database: Database, outbox: Messages, mailbox: Mailbox, watch: Watch, anna: Someone, kind: str
) -> None:
    """Neither a mail of unknown delivery nor a legal notice that would go out again (rules 29)."""
    async with database.write() as session:
        session.add(queued(anna, kind, occurrence="2027-03-01"))
    mailbox.will(drop_response=True)
    await outbox.drain(10)
    (row,) = await rows_of(database)
    assert row.state is not MessageState.SENT
    taken = DeliveryEvent(message_id=row.id, address=row.recipients[0], delivery=Delivery.TAKEN, at=watch.at)
    async with database.write() as session:
        assert await take_delivery_events(session, [taken]) == 1
    watch.passes(hours=1)
    assert await outbox.drain(10) == 0
    (row,) = await rows_of(database)
    assert (row.state, row.last_error, row.sent_at) == (MessageState.SENT, "", taken.at)
    assert len(mailbox.letters()) == 1


async def test_the_doctor_names_who_is_chased_and_reads_nothing(database: Database, anna: Someone) -> None:
    message = queued(anna, "receipt", state=MessageState.SENT, recipients=["anna@example.com"])
    async with database.write() as session:
        customer = await session.get_one(Customer, anna.customer.id)
        customer.contacts = [
            {"email": "anna@example.com", "name": ""},
            {"email": "cfo@example.com", "name": ""},
        ]
        session.add(message)
        await take_delivery_events(session, [event(Delivery.BOUNCED, 0, message.id)])
        # The other contact still reads.
        assert await customers_who_read_nothing(session, [customer]) == []
        customer.contacts = customer.contacts[:1]
        await session.flush()
        assert [found.id for found, _ in await customers_who_read_nothing(session, [customer])] == [
            customer.id
        ]
        # Nothing is chased: there is nothing that this customer has to know.
        mails = [f async for f in other_symptoms(session, NOW) if f.trouble is Trouble.MAIL]
        assert mails == []
