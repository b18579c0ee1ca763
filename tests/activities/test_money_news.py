"""What starts at the fake Stripe, over HTTP, and how it comes into the books: once, in any order (rules 33)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from fakes import TEST_KEY, FakeStripe
from sqlmodel import col, select
from support import factories
from support.disputed import Preparing
from support.factories import NEW_YEAR, Someone
from support.ledgers import assert_accounts_agree
from support.provider_post import Post, Started, Told
from typing_extensions import override

from activities.books.config import BookRules
from activities.books.correcting import begin_correction
from activities.books.issuing import write_invoice
from activities.books.journal import balances
from activities.books.matters import open_matters
from activities.books.outcomes import record_outcome
from activities.gateway import Charge, MethodFacts
from activities.refunds import Refunds
from activities.stripe_gateway import StripeGateway
from billing.corrections import Credit, PayBackAs
from billing.dispute import DisputeState
from billing.payment import AttemptState, Paid
from billing.refund import MoneySource, RefundState
from billing.subscription import Status
from models.boundary import CaseReport, CollectionRun
from models.database import Database
from models.tables import (
    Dispute,
    IncomingEvent,
    Invoice,
    InvoiceStatus,
    Matter,
    MatterKind,
    Message,
    OutgoingEvent,
    PaymentAttempt,
    Refund,
)
from starter.money_symptoms import money_symptoms
from starter.symptoms import Trouble


@pytest.fixture
async def gateway(fake_stripe: FakeStripe) -> AsyncIterator[StripeGateway]:
    gateway = StripeGateway(api_key=TEST_KEY, api_base=fake_stripe.base)
    yield gateway
    await gateway.close()


class Shop:
    """One customer who paid 34.80 for January with a real charge at the fake, and the post from there."""

    def __init__(self, database: Database, fake: FakeStripe, gateway: StripeGateway) -> None:
        self.database = database
        self.fake = fake
        self.gateway = gateway
        self.post = Post(fake, database, gateway)
        self.anna: Someone
        self.invoice: Invoice
        self.attempt: PaymentAttempt
        self.charge = ""
        self.outcome: Paid

    async def sells(
        self, *, card: str = "visa", books_it: bool = True, status: Status = Status.ACTIVE
    ) -> None:
        """Charge the invoice; without `books_it` the answer has not reached the books yet."""
        customer = await self.gateway.create_customer(
            reference="anna", name="Anna", email=None, test_clock=None, idempotency_key="anna"
        )
        saved = await self.gateway.attach(f"pm_card_{card}", customer=customer, idempotency_key="card")
        assert isinstance(saved, MethodFacts)
        async with self.database.write() as session:
            self.anna = await factories.someone(session, status=status)
            row = self.anna.subscription
            self.invoice = await write_invoice(session, row, factories.issue(), NEW_YEAR, BookRules())
            self.invoice.owner = "collection"
            self.attempt = factories.attempt(self.anna, self.invoice, fingerprint=saved.fingerprint)
            session.add(self.attempt)
        prepared = self.gateway.prepare(
            Charge(
                invoice_id=self.invoice.id,
                generation=1,
                attempt_number=1,
                amount_minor=3480,
                currency="EUR",
                customer=customer,
                payment_method=saved.id,
                on_session=False,
                description="F-1",
            )
        )
        outcome = await self.gateway.send(prepared, as_of=NEW_YEAR)
        assert isinstance(outcome, Paid)
        self.outcome, self.charge = outcome, outcome.charge or ""
        if books_it:
            await self.hears_the_answer()

    async def hears_the_answer(self) -> None:
        async with self.database.write() as session:
            await record_outcome(
                session,
                Preparing(),
                BookRules(),
                attempt_id=self.attempt.id,
                outcome=self.outcome,
                at=NEW_YEAR,
            )

    async def credits(self, amount_minor: int = 1200) -> Refund:
        """Credit a part and let it go back: written, not sent."""
        asked = Credit(
            command_id="credit",
            invoice_id=self.invoice.id,
            reason="a bad week",
            amount_minor=amount_minor,
            then=PayBackAs.REFUND,
        )
        async with self.database.write() as session:
            await begin_correction(session, Preparing(), BookRules(), asked, at=NEW_YEAR)
        (refund,) = await self.refunds()
        return refund

    async def sends(self) -> int:
        return await Refunds(self.database, self.gateway, BookRules()).send_waiting()

    async def refunds(self) -> list[Refund]:
        async with self.database.read() as session:
            return list((await session.exec(select(Refund).order_by(col(Refund.at), col(Refund.id)))).all())

    async def booked(self) -> dict[str, int]:
        async with self.database.read() as session:
            found = await balances(session, self.anna.customer.id)
        await assert_accounts_agree(self.database)
        return {account: amount for (account, _), amount in found.items() if amount}

    async def events(self) -> list[str]:
        async with self.database.read() as session:
            query = select(OutgoingEvent.name).order_by(col(OutgoingEvent.sequence))
            return [name for name in (await session.exec(query)).all() if name.startswith("refund.")]

    async def found(self, now: datetime | None = None) -> list[tuple[Trouble, str, str]]:
        """What the doctor says about money."""
        async with self.database.read() as session:
            found = [one async for one in money_symptoms(session, now or datetime.now(UTC))]
        return [(finding.trouble, finding.about, finding.remedy) for finding in found]


@pytest.fixture
async def shop(database: Database, fake_stripe: FakeStripe, gateway: StripeGateway) -> Shop:
    return Shop(database, fake_stripe, gateway)


@pytest.fixture
async def lone_shop(sqlite_database: Database, fake_stripe: FakeStripe, gateway: StripeGateway) -> Shop:
    return Shop(sqlite_database, fake_stripe, gateway)


PAID = {"revenue": -2900, "vat": -580, "cash": 3480}


# Refunds of ours


async def test_our_refund_is_known_by_its_id_before_the_answer_comes(shop: Shop) -> None:
    """Stripe took it, the answer was lost, the event tells: the row is settled, and the next pass sends nothing."""
    await shop.sells()
    refund = await shop.credits()
    shop.fake.post("faults", {"match": {"path": "/v1/refunds"}, "drop_response": True})
    assert await shop.sends() == 0
    assert await shop.post.bring() == [
        f"refund {refund.id} is succeeded",
        f"known: the books have the refunds of {shop.charge}",
    ]
    (settled,) = await shop.refunds()
    assert (settled.state, settled.last_error) == (RefundState.SUCCEEDED, "")
    assert settled.provider_id is not None
    later = Refunds(
        shop.database, shop.gateway, BookRules(), now=lambda: datetime.now(UTC) + timedelta(hours=2)
    )
    assert await later.send_waiting() == 0
    assert len(shop.fake.get("ledger")["refunds"]) == 1
    assert (await shop.booked())["cash"] == 2280
    assert await shop.events() == ["refund.requested", "refund.succeeded"]


async def test_what_the_books_know_already_is_not_looked_at(lone_shop: Shop) -> None:
    await lone_shop.sells()
    refund = await lone_shop.credits()
    assert await lone_shop.sends() == 1
    events = lone_shop.post.letters("refund.", "charge.refunded")
    lone_shop.fake.post("faults", {"match": {"path": "/v1/refunds"}, "times": 5, "status": 500})
    assert await lone_shop.post.bring(events) == [
        f"known: the books have refund {refund.id}",
        f"known: the books have the refunds of {lone_shop.charge}",
    ]
    lone_shop.fake.faults_are_over()


LATE = ("refund.created", "refund.updated", "refund.failed")


@pytest.mark.parametrize("order", list(permutations(LATE)), ids=" ".join)
async def test_a_late_failure_brings_the_money_back_once_in_any_order(
    lone_shop: Shop, order: tuple[str, ...]
) -> None:
    await lone_shop.sells()
    await lone_shop.credits()
    await lone_shop.sends()
    (refund,) = await lone_shop.refunds()
    lone_shop.fake.post(f"refund/{refund.provider_id}", {"status": "failed", "failure_reason": "expired"})
    letters = {event["type"]: event for event in lone_shop.post.letters("refund.")}
    assert set(letters) == set(LATE)
    await lone_shop.post.bring([letters[name] for name in order])
    await lone_shop.post.bring([letters[name] for name in reversed(order)])
    (failed,) = await lone_shop.refunds()
    assert (failed.state, failed.failure) == (RefundState.FAILED, "expired")
    # 10.00 and 2.00 of VAT were credited; the 12.00 are the customer's balance again.
    assert await lone_shop.booked() == {"revenue": -1900, "vat": -380, "cash": 3480, "balance": -1200}


async def test_a_pending_refund_is_settled_by_its_event(lone_shop: Shop) -> None:
    await lone_shop.sells(card="pendingRefund")
    await lone_shop.credits()
    await lone_shop.sends()
    (pending,) = await lone_shop.refunds()
    assert pending.state is RefundState.PENDING
    lone_shop.fake.post(f"refund/{pending.provider_id}", {"status": "succeeded"})
    await lone_shop.post.bring()
    (settled,) = await lone_shop.refunds()
    assert settled.state is RefundState.SUCCEEDED


# Refunds that nobody here asked for


async def test_a_refund_made_in_the_dashboard_is_booked_once_and_shown(shop: Shop) -> None:
    await shop.sells()
    made = shop.fake.post(f"charge/{shop.charge}/refund", {"amount": 1200})
    letters = shop.post.letters("refund.", "charge.refunded")
    await asyncio.gather(*(shop.post.bring([letter]) for letter in letters))
    await shop.post.bring(letters)
    (refund,) = await shop.refunds()
    assert (refund.provider_id, refund.amount_minor, refund.state) == (
        made["id"],
        1200,
        RefundState.SUCCEEDED,
    )
    assert (refund.source, refund.attempt_id, refund.command_id) == (
        MoneySource.UNAPPLIED,
        shop.attempt.id,
        "",
    )
    assert await shop.booked() == {**PAID, "cash": 2280, "unapplied_cash": 1200}
    assert await shop.events() == ["refund.not_asked_for", "refund.succeeded"]
    assert [(trouble, about) for trouble, about, _ in await shop.found()] == [
        (Trouble.MONEY, shop.anna.customer.id)
    ]
    # The credit note that a person then writes gives nothing back a second time.
    credited = Credit(command_id="c", invoice_id=shop.invoice.id, reason="as refunded", amount_minor=1200)
    async with shop.database.write() as session:
        done = await begin_correction(session, Preparing(), BookRules(), credited, at=NEW_YEAR)
    assert (done.model_dump()["made_good_minor"], done.model_dump()["balance_minor"]) == (1200, 0)
    assert await shop.found() == []


async def test_an_unasked_refund_that_fails_leaves_nothing_behind(lone_shop: Shop) -> None:
    await lone_shop.sells()
    made = lone_shop.fake.post(f"charge/{lone_shop.charge}/refund")
    await lone_shop.post.bring()
    lone_shop.fake.post(f"refund/{made['id']}", {"status": "failed"})
    await lone_shop.post.bring()
    assert await lone_shop.booked() == PAID


async def test_a_refund_of_a_payment_without_an_answer_waits_for_it(lone_shop: Shop) -> None:
    """The charge went through and was refunded by hand before its answer reached the books."""
    await lone_shop.sells(books_it=False)
    async with lone_shop.database.write() as session:
        live = await session.get_one(PaymentAttempt, lone_shop.attempt.id)
        live.state, live.payment_intent = AttemptState.UNKNOWN, lone_shop.outcome.payment_intent
    lone_shop.fake.post(f"charge/{lone_shop.charge}/refund")
    letters = lone_shop.post.letters("refund.created")
    assert await lone_shop.post.bring(letters) == [None]
    await lone_shop.hears_the_answer()
    (note,) = await lone_shop.post.bring(letters)
    assert note is not None
    assert "which nobody here asked for" in note
    assert (await lone_shop.booked())["unapplied_cash"] == 3480


async def test_a_refund_of_somebody_elses_payment_is_parked_for_a_person(shop: Shop) -> None:
    client = shop.fake.client()
    customer = client.v1.customers.create({}).id
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer}).id
    intent = client.v1.payment_intents.create(
        {
            "amount": 990,
            "currency": "eur",
            "customer": customer,
            "payment_method": card,
            "off_session": True,
            "confirm": True,
        }
    )
    made = shop.fake.post(f"charge/{intent.id}/refund")
    letters = shop.post.letters("refund.", "charge.refunded")
    assert await shop.post.bring(letters + letters) == [
        f"unmatched: parked refund {made['id']} for a person"
    ] * len(letters + letters)
    async with shop.database.read() as session:
        (matter,) = await open_matters(session)
    assert (matter.kind, matter.provider_id, matter.amount_minor, matter.currency) == (
        MatterKind.REFUND,
        made["id"],
        990,
        "EUR",
    )
    ((trouble, about, remedy),) = await shop.found()
    assert (trouble, about) == (Trouble.MONEY, made["id"])
    assert f"relance payment link {matter.id}" in remedy


async def test_what_stripe_does_not_know_any_more_is_only_noted(lone_shop: Shop) -> None:
    gone = {"id": "evt_x", "object": "event", "type": "refund.updated", "data": {"object": {"id": "re_gone"}}}
    assert await lone_shop.post.bring([gone]) == ["noted: the provider does not know re_gone"]


async def test_while_stripe_is_away_the_event_stays_in_the_inbox(lone_shop: Shop) -> None:
    await lone_shop.sells()
    lone_shop.fake.post(f"charge/{lone_shop.charge}/refund")
    (letter,) = lone_shop.post.letters("refund.created")
    lone_shop.fake.post("faults", {"match": {"path": "/v1/refunds"}, "status": 500})
    with pytest.raises(Exception, match="Stripe failed"):
        await lone_shop.post.bring([letter])
    async with lone_shop.database.read() as session:
        assert (await session.get_one(IncomingEvent, letter["id"])).handed_on_at is None
    await lone_shop.post.bring([letter])
    assert len(await lone_shop.refunds()) == 1


# Disputes


async def test_a_dispute_from_stripe_wakes_whoever_has_to_act_and_starts_the_new_chase(shop: Shop) -> None:
    await shop.sells()
    made = shop.fake.post(f"charge/{shop.charge}/dispute", {"reason": "product_not_received"})
    assert await shop.post.bring() == [f"dispute {(await _dispute(shop)).id} is open"] * 2
    assert isinstance(shop.post.signals, Told)
    assert isinstance(shop.post.launcher, Started)
    assert set(shop.post.signals.told) == {(f"subscription/{shop.anna.subscription.id}", "look")}
    assert shop.post.launcher.runs == []
    ((trouble, about, remedy),) = await shop.found()
    assert (trouble, about) == (Trouble.DISPUTE, shop.invoice.id)
    assert made["id"] in remedy

    shop.fake.post(f"dispute/{made['id']}", {"status": "lost"})
    await shop.post.bring()
    assert (await _dispute(shop)).state is DisputeState.LOST
    (run,) = shop.post.launcher.runs
    assert (run.invoice_id, run.now, run.clock_id) == (shop.invoice.id, None, None)
    assert (f"collection/{shop.invoice.id}", "look") in shop.post.signals.told
    assert await shop.found() == []
    async with shop.database.read() as session:
        opened = await session.get_one(Invoice, shop.invoice.id)
    assert (opened.status, opened.open_minor) == (InvoiceStatus.OPEN, 3480)
    assert (await shop.booked())["cash"] == shop.fake.get("ledger")["totals"]["eur"]["net"] == -2000


class AwayOnce(Started):
    """Temporal does not answer the first start."""

    @override
    async def start_collection(self, run: CollectionRun) -> CaseReport:
        if not self.runs:
            self.runs.append(run)
            raise ConnectionError("Temporal is away")
        return await super().start_collection(run)


async def test_a_chase_that_could_not_be_started_is_started_with_the_next_try(lone_shop: Shop) -> None:
    """The books were written before Temporal was asked: nothing is booked twice, and nobody is forgotten."""
    away = lone_shop.post.launcher = AwayOnce()
    await lone_shop.sells()
    made = lone_shop.fake.post(f"charge/{lone_shop.charge}/dispute")
    lone_shop.fake.post(f"dispute/{made['id']}", {"status": "lost"})
    (*_, closed) = lone_shop.post.letters("charge.dispute.")
    with pytest.raises(ConnectionError):
        await lone_shop.post.bring([closed])
    async with lone_shop.database.read() as session:
        assert (await session.get_one(IncomingEvent, closed["id"])).handed_on_at is None
    await lone_shop.post.bring([closed])
    assert [run.invoice_id for run in away.runs] == [lone_shop.invoice.id] * 2
    assert (await lone_shop.booked())["receivable"] == 3480


async def test_all_events_of_a_dispute_at_once_are_one_dispute(shop: Shop) -> None:
    await shop.sells()
    made = shop.fake.post(f"charge/{shop.charge}/dispute")
    shop.fake.post(f"dispute/{made['id']}", {"status": "under_review"})
    shop.fake.post(f"dispute/{made['id']}", {"status": "won"})
    letters = shop.post.letters("charge.dispute.")
    assert len(letters) == 5
    await asyncio.gather(*(shop.post.bring([letter]) for letter in reversed(letters)))
    assert (await _dispute(shop)).state is DisputeState.WON
    assert await shop.booked() == {**PAID, "cash": 1480, "provider_fees": 2000}
    assert shop.fake.get("ledger")["totals"]["eur"]["net"] == 1480


async def test_a_dispute_of_a_payment_that_is_not_ours_is_parked(lone_shop: Shop) -> None:
    await lone_shop.sells()
    async with lone_shop.database.write() as session:
        ours = await session.get_one(PaymentAttempt, lone_shop.attempt.id)
        ours.charge, ours.payment_intent = "ch_other", "pi_other"
    made = lone_shop.fake.post(f"charge/{lone_shop.charge}/dispute")
    notes = await lone_shop.post.bring()
    assert set(notes) == {f"unmatched: parked dispute {made['id']} for a person"}
    async with lone_shop.database.read() as session:
        (matter,) = await open_matters(session)
    assert (matter.kind, matter.charge) == (MatterKind.DISPUTE, lone_shop.charge)
    # The payment is known now: the next event finds it, and nothing waits for a person any more.
    async with lone_shop.database.write() as session:
        (await session.get_one(PaymentAttempt, lone_shop.attempt.id)).charge = lone_shop.charge
    lone_shop.fake.post(f"dispute/{made['id']}", {"status": "under_review"})
    await lone_shop.post.bring()
    async with lone_shop.database.read() as session:
        resolved = await session.get_one(Matter, matter.id)
        assert await open_matters(session) == []
    assert resolved.resolution.startswith("booked as dsp_")


async def _dispute(shop: Shop) -> Dispute:
    async with shop.database.read() as session:
        return (await session.exec(select(Dispute))).one()


# Warnings of fraud


async def test_a_warning_of_fraud_alerts_a_person_and_nobody_else(
    lone_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    await lone_shop.sells()
    async with lone_shop.database.read() as session:
        mails = len((await session.exec(select(Message))).all())
        told = len((await session.exec(select(OutgoingEvent))).all())
    made = lone_shop.fake.post(f"charge/{lone_shop.charge}/fraud_warning")
    letters = lone_shop.post.letters("radar.")
    with caplog.at_level(logging.WARNING):
        await lone_shop.post.bring(letters + letters)
    (said,) = [record.message for record in caplog.records if made["id"] in record.message]
    assert f"about charge {lone_shop.charge}: made_with_stolen_card" in said
    ((trouble, about, remedy),) = await lone_shop.found()
    assert (trouble, about) == (Trouble.FRAUD, made["id"])
    assert "tell the customer nothing" in remedy
    async with lone_shop.database.read() as session:
        assert len((await session.exec(select(Message))).all()) == mails
        assert len((await session.exec(select(OutgoingEvent))).all()) == told
        (matter,) = await open_matters(session)
    assert (matter.attempt_id, matter.amount_minor) == (lone_shop.attempt.id, 3480)


async def test_a_warning_about_money_that_went_back_needs_nobody(lone_shop: Shop) -> None:
    await lone_shop.sells()
    lone_shop.fake.post(f"charge/{lone_shop.charge}/fraud_warning")
    lone_shop.fake.post(f"charge/{lone_shop.charge}/refund")
    await lone_shop.post.bring(lone_shop.post.letters("radar."))
    assert [trouble for trouble, _, _ in await lone_shop.found()] == []


# Refunds that do not leave


async def test_a_refund_that_does_not_leave_is_shown_with_what_to_do(lone_shop: Shop) -> None:
    await lone_shop.sells()
    refund = await lone_shop.credits()
    lone_shop.fake.post("faults", {"match": {"path": "/v1/refunds"}, "times": 9, "status": 503})
    await lone_shop.sends()
    now = datetime.now(UTC)
    assert await lone_shop.found(now) == []
    assert await lone_shop.found(now + timedelta(minutes=16)) == [
        (Trouble.REFUND, refund.id, "It is tried again by itself.")
    ]
    ((_, _, remedy),) = await lone_shop.found(now + timedelta(hours=24))
    assert f"relance payment send {refund.id}" in remedy
    assert f"relance payment drop {refund.id}" in remedy
    lone_shop.fake.faults_are_over()
