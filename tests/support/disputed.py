"""A paid invoice whose payment is disputed: what a bank says, written down as the books hear it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from activities.books.config import BookRules
from activities.books.disputing import record_dispute
from activities.books.issuing import write_invoice
from activities.books.outcomes import record_outcome
from activities.gateway import Charge, PreparedRequest
from activities.provider_money import DisputeMove, DisputeNews
from activities.stripe_requests import prepare
from billing.dispute import DisputeState
from billing.payment import AttemptState, Paid
from models.database import Database
from models.tables import Dispute, Invoice, PaymentAttempt
from support import factories
from support.factories import NEW_YEAR, Someone

TAKEN = DisputeMove(id="txn_taken", amount_minor=-3480, fee_minor=2000, currency="EUR")
BACK = DisputeMove(id="txn_back", amount_minor=3480, fee_minor=0, currency="EUR")
INQUIRY = DisputeNews(
    provider_id="dp_1",
    state=DisputeState.INQUIRY,
    reason="fraudulent",
    charge="ch_1",
    amount_minor=3480,
    currency="EUR",
)
OPENED = INQUIRY.model_copy(update={"state": DisputeState.OPEN, "moves": (TAKEN,)})
WON = OPENED.model_copy(update={"state": DisputeState.WON, "moves": (TAKEN, BACK)})
LOST = OPENED.model_copy(update={"state": DisputeState.LOST})
CLOSED = INQUIRY.model_copy(update={"state": DisputeState.CLOSED})


class Preparing:
    """The part of the gateway that needs no network."""

    def prepare(self, charge: Charge) -> PreparedRequest:
        return prepare(charge)


async def paid(
    database: Database,
    *,
    also: list[dict[str, Any]] | None = None,
    amount_minor: int = 3480,
    **changes: Any,
) -> tuple[Someone, Invoice, PaymentAttempt]:
    """34.80 for January, issued and paid by the charge ch_1 on the card on file; more is claimed by no invoice."""
    async with database.write() as session:
        anna = await factories.someone(session, **changes)
    async with database.write() as session:
        session.add(anna.subscription)
        invoice = await write_invoice(session, anna.subscription, factories.issue(), NEW_YEAR, BookRules())
        invoice.owner = "collection"
        attempt = factories.attempt(
            anna,
            invoice,
            state=AttemptState.STARTED,
            fingerprint="fingerprint-4242",
            amount_minor=amount_minor + sum(one["amount_minor"] for one in also or []),
            also=also or [],
        )
        session.add(attempt)
    await pays(database, attempt, "ch_1")
    async with database.read() as session:
        return (
            anna,
            await session.get_one(Invoice, invoice.id),
            await session.get_one(PaymentAttempt, attempt.id),
        )


async def pays(database: Database, attempt: PaymentAttempt, charge: str) -> None:
    """The provider took the money of an attempt."""
    outcome = Paid(payment_intent=f"pi_{charge}", charge=charge)
    async with database.write() as session:
        await record_outcome(
            session, Preparing(), BookRules(), attempt_id=attempt.id, outcome=outcome, at=NEW_YEAR
        )


async def hear(
    database: Database, attempt: PaymentAttempt, *news: DisputeNews, at: datetime = NEW_YEAR
) -> Dispute:
    """Write down what the provider says of a dispute, one after the other, each in a transaction of its own."""
    for one in news:
        async with database.write() as session:
            dispute = await record_dispute(session, Preparing(), BookRules(), attempt, one, at=at)
    return dispute
