"""A bounce, from the mailbox over HTTP to the customer's page: signed, verified, written down."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr
from support import factories
from support.mailroom import KEY, RULES, queued, rows_of
from support.serving import serving

from activities.messages import Messages
from activities.sendgrid_mailer import SendGridMailer
from models.database import Database
from sandbox.mailbox.app import create_app as create_mailbox
from sandbox.mailbox.news import News, public_key
from settings import Settings
from starter.api import create_app
from starter.client import RelanceClient


async def test_a_bounce_reaches_the_customers_page(database: Database, database_url: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    given: dict[str, Any] = {
        "database_url": database_url,
        "secret_key": SecretStr(KEY),
        "stripe_webhook_secret": (SecretStr("whsec_x"),),
        "sendgrid_webhook_keys": (public_key(key),),
    }
    settings = Settings(**given)
    async with database.write() as session:
        anna = await factories.someone(session)
        session.add(queued(anna, "resumed", occurrence="2027-03-01"))
    with (
        serving(create_app(settings)) as door,
        serving(create_mailbox(news=News(f"{door}/webhooks/sendgrid", key))) as address,
    ):
        bounce = {
            "email": anna.customer.contacts[0]["email"],
            "type": "blocked",
            "reason": "552 mailbox full",
        }
        async with httpx.AsyncClient() as http:
            (await http.post(f"{address}/_fake/bounces", json=bounce)).raise_for_status()
        mailer = SendGridMailer(api_key="SG.sandbox", api_base=address)
        assert await Messages(database, mailer, RULES).drain() == 1
        deadline = time.monotonic() + 60
        while (row := (await rows_of(database))[0]).delivery != "BLOCKED":
            assert time.monotonic() < deadline, row.delivery
            await asyncio.sleep(0.02)
        async with httpx.AsyncClient() as http:
            forged = await http.post(f"{door}/webhooks/sendgrid", content=b"[]")
    assert forged.status_code == 400
    assert forged.json()["code"] == "bad_signature"
    client = RelanceClient(database, None, settings)
    (problem,) = await client.mail_problems(anna.customer.id)
    assert (problem.reason, problem.detail) == ("blocked", "552 mailbox full")
    view = await client.show(anna.subscription.id)
    assert view.mail_problems == (
        f"{problem.address}: blocked since {problem.since:%Y-%m-%d}, 552 mailbox full",
    )
    await client.close()
