import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from scripted_server import Answer, Drop, Garble, Hang, ScriptedServer, Step
from support.serving import serving

from activities.mailer import (
    Accepted,
    Address,
    LostAnswer,
    MailerMisconfigured,
    MailerUnavailable,
    OutgoingMail,
    Refused,
)
from activities.sendgrid_mailer import SendGridMailer
from sandbox.mailbox.app import create_app

TAKEN = Answer(202, headers={"X-Message-Id": "sg-17"})


def a_mail() -> OutgoingMail:
    return OutgoingMail(
        message_id="msg_1",
        kind="payment_failed",
        sender=Address(address="billing@example.com", name="Example Billing"),
        reply_to=Address(address="help@example.com"),
        recipients=(Address(address="anna@example.org", name="Anna"), Address(address="books@example.org")),
        subject="Votre paiement a échoué",
        text="Bonjour,\n12,34 €\n",
        html="<p>Bonjour,<br>12,34 €</p>",
    )


def mailer(base: str, *, timeout_seconds: float = 5) -> SendGridMailer:
    return SendGridMailer(api_key="SG.test", api_base=base, timeout_seconds=timeout_seconds)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is ours, on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def test_a_mail_is_handed_over_as_written() -> None:
    async with ScriptedServer(TAKEN) as server:
        outcome = await mailer(server.base).send(a_mail())
    assert outcome == Accepted(provider_message_id="sg-17")
    (request,) = server.seen
    assert (request.method, request.path) == ("POST", "/v3/mail/send")
    assert request.headers["authorization"] == "Bearer SG.test"
    assert json.loads(request.body) == {
        "personalizations": [
            {"to": [{"email": "anna@example.org", "name": "Anna"}, {"email": "books@example.org"}]}
        ],
        "from": {"email": "billing@example.com", "name": "Example Billing"},
        "reply_to": {"email": "help@example.com"},
        "subject": "Votre paiement a échoué",
        "content": [
            {"type": "text/plain", "value": "Bonjour,\n12,34 €\n"},
            {"type": "text/html", "value": "<p>Bonjour,<br>12,34 €</p>"},
        ],
        "categories": ["payment_failed"],
        "custom_args": {"message_id": "msg_1", "kind": "payment_failed"},
        "mail_settings": {"sandbox_mode": {"enable": False}},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        },
    }


async def test_a_refused_connection_is_certainly_not_sent(closed_port: int) -> None:
    with pytest.raises(MailerUnavailable, match="not reached"):
        await mailer(f"http://127.0.0.1:{closed_port}").send(a_mail())


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_provider_without_time_is_asked_again_later(status: int) -> None:
    async with ScriptedServer(Answer(status, {"errors": [{"message": "slow down"}]})) as server:
        with pytest.raises(MailerUnavailable, match="slow down"):
            await mailer(server.base).send(a_mail())
    assert len(server.seen) == 1


@pytest.mark.parametrize("step", [Drop(), Garble(), Answer(502), Answer(504)], ids=lambda s: type(s).__name__)
async def test_an_answer_lost_after_the_mail_was_handed_over(step: Step) -> None:
    async with ScriptedServer(step) as server:
        outcome = await mailer(server.base).send(a_mail())
    assert isinstance(outcome, LostAnswer)
    assert json.loads(server.seen[0].body)["custom_args"]["message_id"] == "msg_1"
    assert len(server.seen) == 1


async def test_no_answer_in_time_is_a_lost_answer() -> None:
    async with ScriptedServer(Hang()) as server:
        outcome = await mailer(server.base, timeout_seconds=0.3).send(a_mail())
    assert isinstance(outcome, LostAnswer)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "permanent"), [(400, True), (413, True), (401, False), (403, False), (404, False)]
)
async def test_a_refusal_says_whose_fault_it_is(status: int, permanent: bool) -> None:  # noqa: FBT001
    async with ScriptedServer(Answer(status, {"errors": [{"message": "no such address"}]})) as server:
        outcome = await mailer(server.base).send(a_mail())
    assert isinstance(outcome, Refused)
    assert outcome.permanent is permanent
    assert "no such address" in outcome.reason


async def test_a_refusal_without_a_readable_body() -> None:
    async with ScriptedServer(Answer(400, "<html>")) as server:
        outcome = await mailer(server.base).send(a_mail())
    assert outcome == Refused(
        reason="SendGrid refused the mail (status 400): no reason given.", permanent=True
    )


@pytest.mark.parametrize("key", [None, ""])
def test_a_missing_key_is_named(key: str | None) -> None:
    with pytest.raises(MailerMisconfigured, match="Set SENDGRID_API_KEY"):
        SendGridMailer(api_key=key, api_base="http://127.0.0.1:1")


@pytest.fixture(scope="module")
def mailbox_address() -> Iterator[str]:
    with serving(create_app()) as address:
        yield address


@pytest.fixture
async def mailbox(mailbox_address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=mailbox_address) as client:
        await client.delete("/api/messages")
        yield client


async def letters(mailbox: httpx.AsyncClient) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = (await mailbox.get("/api/messages")).json()["messages"]
    return kept


async def test_the_mailbox_takes_it_as_sendgrid_would(
    mailbox: httpx.AsyncClient, mailbox_address: str
) -> None:
    outcome = await mailer(mailbox_address).send(a_mail())
    (letter,) = await letters(mailbox)
    assert outcome == Accepted(provider_message_id=letter["message_id"])
    assert letter["custom_args"] == {"message_id": "msg_1", "kind": "payment_failed"}
    assert letter["text"] == "Bonjour,\n12,34 €\n"
    assert [to["email"] for to in letter["to"]] == ["anna@example.org", "books@example.org"]


async def test_an_answer_lost_on_the_way_back_leaves_a_mail_behind(
    mailbox: httpx.AsyncClient, mailbox_address: str
) -> None:
    (await mailbox.post("/_fake/faults", json={"drop_response": True})).raise_for_status()
    assert isinstance(await mailer(mailbox_address).send(a_mail()), LostAnswer)
    assert len(await letters(mailbox)) == 1


async def test_a_mail_turned_away_is_not_in_the_mailbox(
    mailbox: httpx.AsyncClient, mailbox_address: str
) -> None:
    (await mailbox.post("/_fake/faults", json={"status": 503})).raise_for_status()
    with pytest.raises(MailerUnavailable):
        await mailer(mailbox_address).send(a_mail())
    assert await letters(mailbox) == []


async def test_a_key_of_another_kind_is_refused_and_can_be_set_right(mailbox_address: str) -> None:
    outcome = await SendGridMailer(api_key="not-a-key", api_base=mailbox_address).send(a_mail())
    assert isinstance(outcome, Refused)
    assert not outcome.permanent
    assert "Check SENDGRID_API_KEY" in outcome.reason
