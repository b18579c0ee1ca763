"""A part is paid by transfer while a charge has no answer: the old amount is looked for, never sent again.

The money of a charge that was made after all is booked, wherever it is found (I1, U16, stripe B2, B3).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import pytest
from support import factories
from support.disputed import Preparing
from support.factories import NEW_YEAR
from support.transfers import accounts, fresh, record
from typing_extensions import override

from activities.books.chasing import open_collection
from activities.books.config import BookRules
from activities.books.gate import attempts_of
from activities.gateway import Charge, NeverRan, PreparedRequest
from activities.payments import Payments
from activities.stripe_gateway import StripeGateway
from billing.payment import AttemptState, Canceled, DeclineClass, Outcome, Paid, Trigger
from models.boundary import ChargeOrder
from models.database import Database
from models.tables import Invoice, InvoiceStatus

if TYPE_CHECKING:
    from activities.launching import Launcher

PAID = Paid(payment_intent="pi_1", charge="ch_1")


class Provider(StripeGateway):
    """Answers for `pi_1` what it is told to, charges what is sent as `pi_2`, and remembers what it was asked."""

    def __init__(self, knows: Outcome | NeverRan | None) -> None:
        super().__init__(api_key="sk_test_none", api_base="http://127.0.0.1:9")
        self._knows = knows
        self.asked: list[str] = []

    @override
    def prepare(self, charge: Charge) -> PreparedRequest:
        return Preparing().prepare(charge)

    @override
    async def send(self, prepared: PreparedRequest, *, as_of: datetime) -> Outcome:
        self.asked.append(f"send {prepared.params['amount']}")
        return Paid(payment_intent="pi_2", charge="ch_2")

    @override
    async def find(
        self, *, customer: str, invoice_id: str, generation: int, created_after: datetime
    ) -> str | None:
        self.asked.append(f"find {generation}")
        return None if self._knows is None else "pi_1"

    @override
    async def look(self, payment_intent: str, *, since: datetime, as_of: datetime) -> Outcome | NeverRan:
        self.asked.append(f"look {payment_intent}")
        assert self._knows is not None
        return self._knows

    @override
    async def cancel(self, payment_intent: str) -> Outcome:
        self.asked.append(f"cancel {payment_intent}")
        paid = isinstance(self._knows, Paid)
        return PAID if paid else Canceled(payment_intent=payment_intent)


async def _owing(database: Database, *, known: bool, state: AttemptState) -> tuple[str, Invoice]:
    """34.80, charged without an answer, of which 30.00 come by transfer then."""
    async with database.write() as session:
        anna = await factories.someone(session)
        invoice = factories.invoice(anna, owner="collection", payment_intent="pi_1" if known else None)
        session.add(invoice)
        await session.flush()
        await open_collection(session, anna.subscription, invoice, NEW_YEAR)
        request = PreparedRequest(
            operation="create_and_confirm", idempotency_key="key", params={"amount": 3480}
        )
        session.add(
            factories.attempt(
                anna,
                invoice,
                state=state,
                payment_intent="pi_1" if known else None,
                request=request.model_dump(mode="json"),
                sent_at=datetime.now(UTC) - timedelta(minutes=1),
            )
        )
    await record(database, invoice, amount_minor=3000, received_on=NEW_YEAR.date())
    return anna.customer.id, invoice


def _order(invoice: Invoice, number: int, *, only_look: bool = False) -> ChargeOrder:
    return ChargeOrder(
        invoice_id=invoice.id,
        number=number,
        trigger=Trigger.RETRY,
        as_of=NEW_YEAR + timedelta(days=number),
        only_look=only_look,
    )


@pytest.mark.parametrize("only_look", [False, True], ids=["in its turn", "by webhook"])
@pytest.mark.parametrize("known", [True, False], ids=["pi known", "pi to find"])
async def test_a_charge_that_was_made_after_all_is_booked(
    sqlite_database: Database, *, known: bool, only_look: bool
) -> None:
    provider = Provider(PAID)
    customer_id, invoice = await _owing(sqlite_database, known=known, state=AttemptState.UNKNOWN)
    payments = Payments(sqlite_database, provider, BookRules(), cast("Launcher", None))
    report = await payments.settle_attempt(_order(invoice, 2, only_look=only_look))
    await provider.close()
    assert report.outcome == "paid"
    assert provider.asked == (["look pi_1"] if known else ["find 1", "look pi_1"])
    now = await fresh(sqlite_database, invoice)
    assert (now.status, now.superseded_intent) == (InvoiceStatus.PAID, None)
    booked = await accounts(sqlite_database, customer_id)
    assert (booked["cash"], booked["bank"], booked["unapplied_cash"]) == (3480, 3000, -3000)


async def test_what_never_reached_the_provider_is_charged_anew_for_what_is_left(
    sqlite_database: Database,
) -> None:
    provider = Provider(None)
    customer_id, invoice = await _owing(sqlite_database, known=False, state=AttemptState.UNKNOWN)
    payments = Payments(sqlite_database, provider, BookRules(), cast("Launcher", None))
    assert (await payments.settle_attempt(_order(invoice, 2))).outcome == "never_ran"
    assert (await payments.charge(_order(invoice, 2))).outcome == "paid"
    await provider.close()
    assert provider.asked == ["find 1", "send 480"]
    booked = await accounts(sqlite_database, customer_id)
    assert (booked["cash"], booked["bank"], booked.get("unapplied_cash", 0)) == (480, 3000, 0)


async def test_the_payment_of_an_earlier_amount_that_was_paid_is_booked_and_no_other_is_made(
    sqlite_database: Database,
) -> None:
    """Its attempt was over in the books; else a person would be called who could do nothing about it."""
    provider = Provider(PAID)
    customer_id, invoice = await _owing(sqlite_database, known=True, state=AttemptState.DECLINED)
    async with sqlite_database.write() as session:
        (declined,) = await attempts_of(session, invoice.id)
        declined.decline_class, declined.decline_code = DeclineClass.RETRY_LATER, "insufficient_funds"
    payments = Payments(sqlite_database, provider, BookRules(), cast("Launcher", None))
    await payments.charge(_order(invoice, 2))
    await provider.close()
    assert provider.asked == ["cancel pi_1"]
    assert (await fresh(sqlite_database, invoice)).status is InvoiceStatus.PAID
    booked = await accounts(sqlite_database, customer_id)
    assert (booked["cash"], booked["unapplied_cash"]) == (3480, -3000)
    async with sqlite_database.read() as session:
        states = [attempt.state for attempt in await attempts_of(session, invoice.id)]
    assert states == [AttemptState.SUCCEEDED, AttemptState.ABANDONED]


async def test_a_repeated_activity_does_not_send_the_old_amount_again(sqlite_database: Database) -> None:
    """Its process died after it had sent the charge, and the transfer came before another took it over."""
    provider = Provider(PAID)
    _, invoice = await _owing(sqlite_database, known=True, state=AttemptState.STARTED)
    payments = Payments(sqlite_database, provider, BookRules(), cast("Launcher", None))
    assert (await payments.charge(_order(invoice, 1))).outcome == "unknown"
    await provider.close()
    assert provider.asked == []
