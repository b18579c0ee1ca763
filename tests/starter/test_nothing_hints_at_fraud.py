"""A payer is never told that a bank suspects fraud: whatever the code, in no mail and on no page (design 6.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import cast

import httpx
import pytest
from pydantic import SecretStr
from sqlmodel import select
from support import factories
from support.factories import NEW_YEAR, Someone
from support.mailroom import KEY, LINKS, RULES
from support.suspicion import hint_in
from temporalio.client import Client

from activities.books.chase_steps import look_at_case, take_case_step
from activities.books.config import BookRules
from activities.books.issuing import write_invoice
from activities.books.mail_context import build_context
from activities.books.outcomes import record_outcome
from activities.books.paying import Standing
from activities.gateway import Charge, PreparedRequest
from activities.links import LinkPurpose
from activities.stripe_reading import declined
from activities.stripe_requests import prepare
from billing.asking import Refused, may_ask
from billing.case import Case
from billing.declines import CODES, DeclineEvidence, read_decline
from billing.dunning import MONTHLY
from billing.payment import AttemptState, DeclineClass, Trigger
from mails.context import MailContext
from mails.formats import Language
from mails.kinds import MailKind
from mails.render import render
from mails.samples import samples
from models.boundary import CaseStepOrder, LookOrder
from models.database import Database
from models.tables import Customer, Invoice, Message
from settings import Settings
from starter.api import create_app

ROOT = Path(__file__).parents[2]
OF_A_CHASE = (
    MailKind.PAYMENT_FAILED,
    MailKind.PAYMENT_REMINDER,
    MailKind.LAST_NOTICE,
    MailKind.AUTHENTICATION_REQUIRED,
    MailKind.COMPLETE_PAYMENT,
    MailKind.SUBSCRIPTION_SUSPENDED,
    MailKind.SUBSCRIPTION_CANCELED,
    MailKind.INVOICE_REOPENED,
)
HIDDEN = sorted(code for code, row in CODES.items() if row.hides_reason)
NETWORKS_SAY = [
    DeclineEvidence(decline_code="do_not_honor", network_decline_code="41", network="visa"),
    DeclineEvidence(decline_code="do_not_honor", network_decline_code="43", network="visa"),
    DeclineEvidence(decline_code="do_not_honor", network_advice_code="42", network="mastercard"),
    DeclineEvidence(decline_code="fraudulent", outcome_type="blocked", outcome_reason="highest_risk_level"),
]


class Preparing:
    """The part of the gateway that needs no network."""

    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


@pytest.mark.parametrize(
    "word",
    ["fraud", "a stolen card", "a lost card", "pickup_card", "fraude", "déclarée volée", "un vol", "perdue"],
)
def test_the_words_are_looked_for(word: str) -> None:
    assert hint_in(f"Your card: {word}.")


def test_ordinary_words_are_none_of_them() -> None:
    assert hint_in("Almost: the volume that you chose, a votre demande, picked up by your bank") is None


# Mails, for every code


@pytest.mark.parametrize("code", sorted(CODES))
def test_no_mail_says_more_of_a_decline_than_its_class(code: str) -> None:
    """The class is all that a mail is told."""
    reading = read_decline(DeclineEvidence(code="card_declined", decline_code=code))
    for text in _mails_of(reading.decline_class):
        assert hint_in(text) is None
        assert code not in text


@cache
def _mails_of(decline: DeclineClass) -> tuple[str, ...]:
    return tuple(
        text
        for language in Language
        for kind in OF_A_CHASE
        for name in samples(kind, language)
        for next_try in (True, False)
        for text in _texts(
            kind,
            samples(kind, language)[name].model_copy(
                update={"decline_class": decline, **({} if next_try else {"next_try_on": None})}
            ),
        )
    )


def _texts(kind: MailKind, context: MailContext) -> Iterator[str]:
    rendered = render(kind, context)
    yield from (rendered.subject, rendered.text, _without_tags(rendered.html))


def _without_tags(html: str) -> str:
    """What a reader sees, and what a mail program shows before the mail is opened."""
    return re.sub(r"<style.*?</style>|<[^>]*>", " ", html, flags=re.DOTALL)


def _is_shown(path: Path) -> bool:
    return path.suffix in (".txt", ".html", ".mjml", ".po")


SHOWN = [
    path
    for folder in ("mails/templates", "starter/http/pages", "portal")
    for path in sorted((ROOT / folder).rglob("*"))
    if _is_shown(path)
]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_has_such_a_word_on_any_branch(path: Path) -> None:
    words = re.sub(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]*>", " ", path.read_text(), flags=re.DOTALL)
    assert hint_in(words) is None


def test_no_refusal_of_a_wish_has_such_a_word() -> None:
    """They are safe to show to the customer."""
    case = Case(invoice_id="in_1", due_minor=1, policy=MONTHLY, day0=NEW_YEAR.date(), timezone="Europe/Paris")
    changes: list[dict[str, object]] = [
        {"is_open": False},
        {"frozen": True},
        {"minimum_minor": 50},
        {},
        {"method": "pm_1", "method_stopped": True},
        {"role": "gated", "deadline_at": NEW_YEAR},
    ]
    refusals = [may_ask(case.model_copy(update=change), Trigger.CUSTOMER, NEW_YEAR) for change in changes]
    assert Refused.METHOD_STOPPED in {refusal.reason for refusal in refusals if refusal}
    for refusal in refusals:
        assert refusal is not None
        assert hint_in(refusal.message) is None


# The whole way, from the bank's answer to what is read


async def _until_the_end(
    database: Database, error: dict[str, str], charge: dict[str, object]
) -> tuple[Someone, str]:
    """A renewal that is declined like this, chased to its end, with every mail that is due on the way."""
    async with database.write() as session:
        anna = await factories.someone(session)
        invoice = await write_invoice(session, anna.subscription, factories.issue(), NEW_YEAR, BookRules())
        attempt = factories.attempt(anna, invoice)
        session.add(attempt)
        outcome = declined(error, payment_intent="pi_1", charge=charge, as_of=NEW_YEAR)
        await session.flush()
        await record_outcome(
            session, Preparing(), BookRules(), attempt_id=attempt.id, outcome=outcome, at=NEW_YEAR
        )
    for day in (0, 3, 7, 14):
        at = datetime(2027, 1, 1, 8, 0, tzinfo=UTC) + timedelta(days=day)
        async with database.write() as session:
            await look_at_case(session, Preparing(), BookRules(), LookOrder(id=invoice.id, as_of=at))
    async with database.write() as session:
        end = datetime(2027, 1, 22, 8, 0, tzinfo=UTC)
        order = CaseStepOrder(invoice_id=invoice.id, kind="end", key="", as_of=end)
        report = await take_case_step(session, Preparing(), BookRules(), order)
        assert report.step.why.because == "ended"
    return anna, invoice.id


async def _read_by_the_payer(database: Database) -> list[tuple[str, str]]:
    """Every mail in both languages, whichever the payer reads; the kind stands with it."""
    read = []
    async with database.read() as session:
        for message in (await session.exec(select(Message))).all():
            said = await build_context(session, message, links=LINKS, rules=RULES.books, now=NEW_YEAR)
            if isinstance(said, MailContext):
                for locale in ("fr", "en"):
                    context = said.model_copy(update={"locale": locale})
                    read += [(message.kind, text) for text in _texts(MailKind(message.kind), context)]
    return read


def _as_stripe_says(evidence: DeclineEvidence) -> tuple[dict[str, str], dict[str, object]]:
    """The error of the PaymentIntent, and the charge that failed."""
    error = {
        "code": "card_declined",
        "decline_code": evidence.decline_code or "",
        "network_advice_code": evidence.network_advice_code or "",
        "network_decline_code": evidence.network_decline_code or "",
    }
    card = {"card": {"network": evidence.network or "visa"}}
    outcome = {"type": evidence.outcome_type or "issuer_declined", "reason": evidence.outcome_reason}
    return error, {"outcome": outcome, "payment_method_details": card}


EVIDENCE = [*(DeclineEvidence(decline_code=code) for code in HIDDEN), *NETWORKS_SAY]


@pytest.mark.parametrize(
    "evidence", EVIDENCE, ids=lambda evidence: "-".join(filter(None, evidence.model_dump().values()))
)
async def test_a_payer_reads_nothing_of_it_from_the_first_mail_to_the_last_page(
    sqlite_database: Database, evidence: DeclineEvidence
) -> None:
    error, charge = _as_stripe_says(evidence)
    anna, invoice_id = await _until_the_end(sqlite_database, error, charge)
    mails = await _read_by_the_payer(sqlite_database)
    assert {kind for kind, _ in mails} >= {
        "payment_failed",
        "payment_reminder",
        "last_notice",
        "subscription_suspended",
    }
    pages = [
        page for locale in ("fr", "en") for page in await _pages(sqlite_database, anna, invoice_id, locale)
    ]
    assert len(pages) == 4
    for text in [*(text for _, text in mails), *pages]:
        assert hint_in(text) is None
        assert (evidence.decline_code or "") not in text


async def _pages(database: Database, anna: Someone, invoice_id: str, locale: str) -> list[str]:
    """What stands behind the pay link: before a try, and after one that was declined the same way."""
    async with database.write() as session:
        (await session.get_one(Customer, anna.customer.id)).locale = locale
    settings = Settings(
        database_url=str(database.engine.url),
        secret_key=SecretStr(KEY),
        stripe_webhook_secret=(SecretStr("whsec_none"),),
        public_url="https://pay.example.com",
    )
    app = create_app(settings, temporal=cast("Client", object()))
    path = f"/pay/{LINKS.token(LinkPurpose.PAY, invoice_id, datetime.now(UTC) + timedelta(days=1))}"
    now = datetime.now(UTC)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://pay.example.com") as client,
    ):
        before = await client.get(path)
        async with database.write() as session:
            invoice = await session.get_one(Invoice, invoice_id)
            number = 2 if locale == "fr" else 3
            session.add(
                factories.attempt(
                    anna,
                    invoice,
                    number,
                    trigger=Trigger.CUSTOMER,
                    state=AttemptState.DECLINED,
                    decline_class=DeclineClass.FRAUD_STOP,
                    decline_code="stolen_card",
                    begun_at=now,
                    sent_at=now,
                )
            )
        after = await client.get(f"{path}?asked={int(now.timestamp()) - 1}")
    assert f'<html lang="{locale}">' in before.text
    return [_without_tags(page.text) for page in (before, after)]


def test_the_page_has_words_for_every_standing() -> None:
    """Those that are scanned above as templates: none is left out by a branch that nobody takes."""
    for language in ("fr", "en"):
        source = (ROOT / f"starter/http/pages/{language}/pay.html").read_text()
        for standing in Standing:
            assert f'"{standing.value}"' in source or standing is Standing.PAYABLE
