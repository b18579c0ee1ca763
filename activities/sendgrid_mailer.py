"""Mails through SendGrid, on the official SDK. The one real `Mailer`.

What matters here is the moment at which a connection breaks: before the request was wholly written the mail was
not sent; after it, nobody knows. `urllib`, on which the SDK rests, tells the two apart: it wraps what goes wrong
while it connects and writes as `URLError`, and lets through what goes wrong while it waits for the answer.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
from typing import Any, Final
from urllib.error import URLError

from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from activities.mailer import (
    Accepted,
    Address,
    LostAnswer,
    MailerMisconfigured,
    MailerUnavailable,
    MailOutcome,
    OutgoingMail,
    Refused,
)

TIMEOUT_SECONDS = 10.0

_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_ANSWER_LOST_ON_THE_WAY: Final = (502, 504)
"""A gateway in between had no answer from behind it: what stood behind may have taken the mail."""
_NO_ACCESS: Final = (401, 403)
_THIS_MAIL_IS_WRONG: Final = (400, 413)


class SendGridMailer:
    """`Mailer` over SendGrid's Mail Send. Its calls block, so each runs in a thread."""

    def __init__(
        self, *, api_key: str | None, api_base: str, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Connect to nothing yet.

        Args:
            api_key: SendGrid's key, with the permission Mail Send.
            api_base: where SendGrid's API is, without a slash at the end.
            timeout_seconds: for connecting, and for the answer.

        Raises:
            MailerMisconfigured: there is no key.
        """
        if not api_key:
            raise MailerMisconfigured(
                "There is no SendGrid key. Set SENDGRID_API_KEY to a key with the permission Mail Send.",
                field="SENDGRID_API_KEY",
            )
        # At level DEBUG the SDK writes bodies and the key into the log.
        logging.getLogger("python_http_client").setLevel(logging.INFO)
        self._sendgrid = SendGridAPIClient(api_key=api_key, host=api_base.rstrip("/"))
        self._sendgrid.client.timeout = timeout_seconds

    async def send(self, mail: OutgoingMail) -> MailOutcome:
        """Hand a mail to SendGrid, once; see `Mailer.send`."""
        return await asyncio.to_thread(self._send, request_body(mail))

    def _send(self, body: dict[str, Any]) -> MailOutcome:
        try:
            answer = self._sendgrid.send(body)
        except HTTPError as refusal:
            return _refusal(int(refusal.status_code), refusal.body)
        except URLError as error:
            raise MailerUnavailable(f"SendGrid was not reached: {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            return LostAnswer(reason=f"SendGrid did not answer: {type(error).__name__}")
        return Accepted(provider_message_id=answer.headers.get("X-Message-Id"))


def request_body(mail: OutgoingMail) -> dict[str, Any]:
    """The mail in the words of SendGrid's Mail Send. Nothing is tracked."""
    body: dict[str, Any] = {
        "personalizations": [{"to": [_address(to) for to in mail.recipients]}],
        "from": _address(mail.sender),
        "subject": mail.subject,
        "content": [
            {"type": "text/plain", "value": mail.text},
            {"type": "text/html", "value": mail.html},
        ],
        "categories": [mail.kind],
        "custom_args": _custom_arguments(mail),
        "mail_settings": {"sandbox_mode": {"enable": False}},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }
    if mail.reply_to is not None:
        body["reply_to"] = _address(mail.reply_to)
    return body


def _custom_arguments(mail: OutgoingMail) -> dict[str, str]:
    about = {"as_of": mail.as_of.isoformat()} if mail.as_of is not None else {}
    return {"message_id": mail.message_id, "kind": mail.kind, **about}


def _address(address: Address) -> dict[str, str]:
    return {"email": address.address, **({"name": address.name} if address.name else {})}


def _refusal(status: int, raw_body: bytes) -> MailOutcome:
    said = _said(raw_body)
    if status in _ANSWER_LOST_ON_THE_WAY:
        return LostAnswer(reason=f"A gateway before SendGrid lost the answer (status {status})")
    if status == _TOO_MANY or status >= _SERVER_ERROR:
        raise MailerUnavailable(f"SendGrid takes no mail for the moment (status {status}): {said}")
    if status in _NO_ACCESS:
        remedy = "Check SENDGRID_API_KEY and that the sender is verified."
        return Refused(reason=f"SendGrid gives no access (status {status}): {said} {remedy}", permanent=False)
    reason = f"SendGrid refused the mail (status {status}): {said}"
    return Refused(reason=reason, permanent=status in _THIS_MAIL_IS_WRONG)


def _said(raw_body: bytes) -> str:
    try:
        errors = json.loads(raw_body)["errors"]
        return "; ".join(str(error["message"]) for error in errors)
    except (ValueError, KeyError, TypeError):
        return "no reason given."
