"""SendGrid's event webhook: is it really SendGrid who speaks, and what became of which mail?"""

from __future__ import annotations

import binascii
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from sendgrid.helpers.eventwebhook import EventWebhook

from activities.mailer import MailerMisconfigured
from activities.stripe_events import BadSignature, UnreadableEvent
from billing.values import Value

SIGNATURE_HEADER: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER: Final = "x-twilio-email-event-webhook-timestamp"
TOLERANCE_SECONDS: Final = 25 * 3600
"""Wall-clock age past which a signature is refused. SendGrid tries again for 24 hours, and a repeat changes nothing."""
LONGEST_DETAIL: Final = 300


class Delivery(IntEnum):
    """What became of a mail, in the order in which one follows the other at the same second."""

    TAKEN = 1
    """SendGrid has it."""
    DEFERRED = 2
    """The reader's server wants it later."""
    DELIVERED = 3
    BLOCKED = 4
    """Refused for now: a full mailbox, a server that does not want us."""
    BOUNCED = 5
    """Refused for good: no such mailbox."""
    DROPPED = 6
    """SendGrid did not even try: the address bounced before, or the reader called us spam."""
    CALLED_SPAM = 7

    @property
    def word(self) -> str:
        """For people and rows: `bounced`."""
        return self.name.lower().replace("_", " ")

    @property
    def arrives(self) -> bool | None:
        """Whether the reader gets mails there; None where it says nothing."""
        return {Delivery.TAKEN: None, Delivery.DEFERRED: None, Delivery.DELIVERED: True}.get(self, False)


class DeliveryEvent(Value):
    """One piece of news about one mail."""

    message_id: str
    """Our own id, which travelled with the mail (rules 29)."""
    address: str
    delivery: Delivery
    at: datetime
    detail: str = ""
    """What the reader's server said."""


_KINDS: Final = {
    "processed": Delivery.TAKEN,
    "deferred": Delivery.DEFERRED,
    "delivered": Delivery.DELIVERED,
    "bounce": Delivery.BOUNCED,
    "dropped": Delivery.DROPPED,
    "spamreport": Delivery.CALLED_SPAM,
}


def read_delivery_events(
    raw_body: bytes,
    signature: str | None,
    timestamp: str | None,
    keys: Sequence[str],
    *,
    now: datetime,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> list[DeliveryEvent]:
    """The events in a webhook about mails of ours, once its signature was checked on the raw bytes.

    Args:
        raw_body: exactly as it arrived.
        signature: the header `X-Twilio-Email-Event-Webhook-Signature`.
        timestamp: the header `X-Twilio-Email-Event-Webhook-Timestamp`, seconds.
        keys: SendGrid's public verification keys, any of which may fit.
        now: real time.
        tolerance_seconds: how old a signature may be.

    Raises:
        MailerMisconfigured: there is no usable key.
        BadSignature: none of the keys fits, or it is too old.
        UnreadableEvent: the body is no list of events.
    """
    if not keys:
        raise MailerMisconfigured(
            "There is no key to verify SendGrid's webhook with. Set RELANCE_SENDGRID_WEBHOOK_KEYS to the verification "
            "key of the signed event webhook.",
            field="RELANCE_SENDGRID_WEBHOOK_KEYS",
        )
    if not _is_fresh(timestamp, now, tolerance_seconds) or not any(
        _is_signed(raw_body, signature, timestamp, key) for key in keys
    ):
        raise BadSignature(
            f"The webhook was not signed with a key in RELANCE_SENDGRID_WEBHOOK_KEYS within {tolerance_seconds} "
            "seconds. Check the signed event webhook's verification key and this machine's clock.",
            field="X-Twilio-Email-Event-Webhook-Signature",
        )
    try:
        events = json.loads(raw_body)
    except ValueError as error:
        raise UnreadableEvent("The webhook's body is no JSON.") from error
    if not isinstance(events, list):
        raise UnreadableEvent("The webhook carries no list of events.")
    return [read for event in events if (read := _read(event)) is not None]


def _is_fresh(timestamp: str | None, now: datetime, tolerance_seconds: int) -> bool:
    if timestamp is None or not timestamp.isdecimal() or not timestamp.isascii():
        return False
    return abs(now.timestamp() - int(timestamp)) <= tolerance_seconds


def _is_signed(raw_body: bytes, signature: str | None, timestamp: str | None, key: str) -> bool:
    if signature is None or timestamp is None:
        return False
    try:
        verifier = EventWebhook(key)
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise MailerMisconfigured(
            "A key in RELANCE_SENDGRID_WEBHOOK_KEYS is no public key. Copy the verification key of the signed event "
            "webhook, without its first and last line.",
            field="RELANCE_SENDGRID_WEBHOOK_KEYS",
        ) from problem
    try:
        return bool(verifier.verify_signature(raw_body.decode(), signature, timestamp))
    except (binascii.Error, ValueError):
        return False  # neither base64 nor UTF-8: the SDK fails on it instead of refusing it


def _read(event: Any) -> DeliveryEvent | None:  # noqa: ANN401 - JSON
    """An event about a mail of ours; None for anything else."""
    if not isinstance(event, dict) or event.get("event") not in _KINDS:
        return None
    message_id, address, at = event.get("message_id"), event.get("email"), event.get("timestamp")
    if not (isinstance(message_id, str) and isinstance(address, str) and isinstance(at, int)):
        return None
    delivery = _KINDS[event["event"]]
    if delivery is Delivery.BOUNCED and event.get("type") == "blocked":
        delivery = Delivery.BLOCKED
    detail = str(event.get("reason") or event.get("response") or "")
    return DeliveryEvent(
        message_id=message_id,
        address=address.strip().lower(),
        delivery=delivery,
        at=datetime.fromtimestamp(at, UTC),
        detail=" ".join(detail.split())[:LONGEST_DETAIL],
    )
