"""Finding out what became of an attempt without an answer: when it is sent again, and when it is only looked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlmodel import select
from support import factories
from support.factories import NEW_YEAR
from temporalio.exceptions import ApplicationError
from typing_extensions import override

from activities.books.config import BookRules
from activities.books.gate import attempts_of
from activities.gateway import PreparedRequest, ProviderRefused
from activities.payments import Payments
from activities.stripe_gateway import StripeGateway
from billing.payment import AttemptState, Canceled, DeclineClass, Outcome, Paid, Trigger
from models.boundary import ChargeOrder
from models.database import Database
from models.tables import Invoice, InvoiceStatus, PaymentAttempt

if TYPE_CHECKING:
    from activities.launching import Launcher

REQUEST = PreparedRequest(operation="create_and_confirm", idempotency_key="key", params={"amount": 3480})
JUST_NOW = timedelta(minutes=2)


class Provider(StripeGateway):
    """Has charged nothing yet, charges what is sent, and remembers what it was asked."""

    def __init__(self, *, refuses: ProviderRefused | None = None) -> None:
        super().__init__(api_key="sk_test_none", api_base="http://127.0.0.1:9")
        self._refuses = refuses
        self.asked: list[str] = []

    @override
    async def send(self, prepared: PreparedRequest, *, as_of: datetime) -> Outcome:
        self.asked.append("send")
        if self._refuses is not None:
            raise self._refuses
        return Paid(payment_intent="pi_1", charge="ch_1")

    @override
    async def find(
        self, *, customer: str, invoice_id: str, generation: int, created_after: datetime
    ) -> str | None:
        self.asked.append("find")
        return None

    @override
    async def cancel(self, payment_intent: str) -> Outcome:
        self.asked.append(f"cancel {payment_intent}")
        return Canceled(payment_intent=payment_intent)


async def _settled(
    database: Database,
    provider: Provider,
    *,
    age: timedelta = JUST_NOW,
    row: bool = True,
    state: AttemptState = AttemptState.UNKNOWN,
    only_look: bool = False,
    **changes: Any,  # noqa: ANN401 - of the row
) -> tuple[PaymentAttempt, Invoice]:
    """One attempt without an answer, and what is in the books after it was asked for.

    Args:
        database: empty.
        provider: who is asked.
        age: real time since it was sent first.
        row: whether the subscription is collected automatically.
        state: of the attempt.
        only_look: news came by webhook.
        changes: of the invoice.
    """
    async with database.write() as session:
        anna = await factories.someone(session)
        anna.subscription.automatic_collecting = row
        invoice = factories.invoice(anna, owner="collection", **changes)
        session.add(invoice)
        await session.flush()
        attempt = factories.attempt(
            anna,
            invoice,
            state=state,
            request=REQUEST.model_dump(mode="json"),
            sent_at=datetime.now(UTC) - age,
        )
        session.add(attempt)
    payments = Payments(database, provider, BookRules(), cast("Launcher", None))
    order = ChargeOrder(invoice_id=invoice.id, number=2, trigger=Trigger.RETRY, as_of=NEW_YEAR).model_copy(
        update={"only_look": only_look}
    )
    try:
        await payments.settle_attempt(order)
    finally:
        await provider.close()
        async with database.read() as session:
            (attempt,) = await attempts_of(session, invoice.id)
            invoice = await session.get_one(Invoice, invoice.id)
    return attempt, invoice


async def test_an_open_invoice_is_charged_under_the_same_key(sqlite_database: Database) -> None:
    provider = Provider()
    attempt, invoice = await _settled(sqlite_database, provider)
    assert (attempt.state, invoice.status) == (AttemptState.SUCCEEDED, InvoiceStatus.PAID)
    assert provider.asked == ["send"]


@pytest.mark.parametrize(
    "changes",
    [
        {"status": InvoiceStatus.VOID, "number": None, "gated": True},
        {"status": InvoiceStatus.PAID, "credited_minor": 3480},
        {"status": InvoiceStatus.UNCOLLECTIBLE},
        {"frozen": True},
        {"automatic_collecting": False},
        {"row": False},
        {"status": InvoiceStatus.DRAFT, "number": None, "gated": True, "gate_closes_at": NEW_YEAR},
        {"age": timedelta(hours=23)},
    ],
    ids=["dropped", "credited", "written off", "frozen", "stopped", "cancelled", "too late", "key too old"],
)
async def test_what_may_not_be_charged_any_more_is_only_looked_for(
    sqlite_database: Database, changes: dict[str, Any]
) -> None:
    """It never reached the provider: sent now it would be a charge after the cancel, or a second one (I5, U3)."""
    provider = Provider()
    attempt, invoice = await _settled(sqlite_database, provider, **changes)
    assert provider.asked == ["find"]
    assert (attempt.state, invoice.paid_minor) == (AttemptState.ABANDONED, 0)


async def test_the_payment_of_an_earlier_amount_is_closed_before_it_is_sent_again(
    sqlite_database: Database,
) -> None:
    provider = Provider()
    attempt, invoice = await _settled(sqlite_database, provider, superseded_intent="pi_0")
    assert provider.asked == ["cancel pi_0", "send"]
    assert (attempt.state, invoice.superseded_intent) == (AttemptState.SUCCEEDED, None)


async def test_a_method_that_is_gone_meanwhile_is_a_decline_that_asks_for_another(
    sqlite_database: Database,
) -> None:
    gone = ProviderRefused("No such PaymentMethod.", reason="resource_missing", field="payment_method")
    attempt, invoice = await _settled(sqlite_database, Provider(refuses=gone))
    assert (attempt.state, attempt.decline_code) == (AttemptState.DECLINED, "payment_method_missing")
    assert attempt.decline_class is DeclineClass.NEW_PAYMENT_METHOD
    assert invoice.in_arrears


async def test_a_request_that_the_provider_calls_wrong_is_for_a_person(sqlite_database: Database) -> None:
    """It is not asked again every hour, with the chase held up in silence (I8)."""
    wrong = ProviderRefused("Unknown parameter.", reason="parameter_unknown", field="parameter")
    with pytest.raises(ApplicationError, match="Unknown parameter") as fault:
        await _settled(sqlite_database, Provider(refuses=wrong))
    assert fault.value.non_retryable
    async with sqlite_database.read() as session:
        attempt = (await session.exec(select(PaymentAttempt))).one()
    assert attempt.state is AttemptState.ABANDONED


@pytest.mark.parametrize(
    ("only_look", "expected"), [(True, AttemptState.QUEUED), (False, AttemptState.ABANDONED)]
)
async def test_news_by_webhook_drops_nothing_that_was_never_sent(
    sqlite_database: Database, *, only_look: bool, expected: AttemptState
) -> None:
    """What waits in the queue is still to be charged; it is dropped where the chase itself decides so."""
    provider = Provider()
    attempt, _ = await _settled(sqlite_database, provider, state=AttemptState.QUEUED, only_look=only_look)
    assert (attempt.state, provider.asked) == (expected, [])
