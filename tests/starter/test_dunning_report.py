"""The dunning report: rows typed in by hand, and the figures that a person counts in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession
from support import factories
from support.factories import Someone
from support.terminal import Terminal

from activities.books.recovery import Recovery, RecoveryFigures
from billing.case import Role
from billing.dunning import FIRST_PAYMENT, MONTHLY, TRANSFER, DunningPolicy
from billing.errors import InvalidInput, RelanceError
from billing.payment import AttemptState, DeclineClass, Trigger
from models.database import Database
from models.tables import (
    Collection,
    DunningPolicyVersion,
    Invoice,
    InvoiceStatus,
    JournalLine,
    LegalEntity,
    PaymentAttempt,
)
from settings import Settings
from starter.client import RelanceClient

if TYPE_CHECKING:  # pytest takes it for a class of tests
    from models.tables import TestClock

NOW = datetime(2027, 4, 1, 12, tzinfo=UTC)
POLICIES = (
    MONTHLY,
    MONTHLY.model_copy(update={"version": 2}),
    FIRST_PAYMENT,
    TRANSFER,
)
PAID: dict[str, Any] = {"status": InvoiceStatus.PAID, "paid_minor": 3480}
"""34.80 in full."""


@pytest.fixture
async def client(database: Database) -> AsyncIterator[RelanceClient]:
    async def now() -> datetime:
        return NOW

    client = RelanceClient(database, None, Settings(), now=now)
    yield client
    await client.close()


def key(policy: DunningPolicy) -> str:
    return f"pol_{policy.name}_{policy.version}"


class Books:
    """Invoices of one seller, each of a customer of its own: 34.80, issued on 10 January 2027."""

    def __init__(self, session: AsyncSession, seller: LegalEntity) -> None:
        self._session = session
        self._seller = seller

    @classmethod
    async def begin(cls, session: AsyncSession, **changes: Any) -> Books:  # noqa: ANN401 - of the row
        seller = factories.entity(**changes)
        session.add(seller)
        await session.flush()
        return cls(session, seller)

    async def policies(self) -> None:
        for policy in POLICIES:
            row = DunningPolicyVersion(
                id=key(policy), name=policy.name, version=policy.version, policy=policy, created_at=NOW
            )
            self._session.add(row)
        await self._session.flush()

    async def invoice(
        self,
        *tries: str,
        method: str = "card",
        clock: TestClock | None = None,
        **columns: Any,  # noqa: ANN401
    ) -> Invoice:
        """An invoice and what was tried to collect it, as `first declined insufficient_funds` or `retry succeeded`."""
        anna = await factories.someone(self._session, seller=self._seller, clock=clock)
        assert anna.method is not None
        anna.method.kind = method
        invoice = factories.invoice(
            anna, **{"issued_on": date(2027, 1, 10), "due_on": date(2027, 1, 10)} | columns
        )
        self._session.add(invoice)
        for number, words in enumerate(tries, start=1):
            self._session.add(_attempt(anna, invoice, number, *words.split()))
        await self._session.flush()
        return invoice

    async def chased(
        self,
        invoice: Invoice,
        policy: DunningPolicy = MONTHLY,
        *,
        chase: int = 1,
        **columns: Any,  # noqa: ANN401
    ) -> None:
        """The row of a chase."""
        row = Collection(
            id=f"col_{invoice.id}_{chase}",
            invoice_id=invoice.id,
            subscription_id=invoice.subscription_id,
            customer_id=invoice.customer_id,
            chase=chase,
            policy_version_id=key(policy),
            day0=date(2027, 1, 10),
            timezone="Europe/Paris",
            **{"role": Role.DRIVING.value} | columns,
        )
        self._session.add(row)
        await self._session.flush()

    def journal(self, invoice: Invoice, entry: str, on: date, **accounts: int) -> None:
        for account, amount in accounts.items():
            line = JournalLine(
                entry=entry,
                kind=entry.partition("/")[0],
                account=account,
                amount_minor=amount,
                currency="EUR",
                entity_id=self._seller.id,
                customer_id=invoice.customer_id,
                invoice_id=invoice.id,
                on=on,
                at=NOW,
            )
            self._session.add(line)


def _attempt(
    anna: Someone, invoice: Invoice, number: int, trigger: str, state: str, code: str = ""
) -> PaymentAttempt:
    """`2.retry` is a retry in the second chase; `unsent` is one that the provider never saw."""
    chase, _, trigger = trigger.rpartition(".")
    decline = {"decline_code": code, "decline_class": DeclineClass.RETRY_LATER} if code else {}
    if state == "unsent":
        state, decline = "abandoned", {"decline_class": DeclineClass.RETRY}
    return factories.attempt(
        anna,
        invoice,
        number,
        chase=int(chase or 1),
        trigger=Trigger(trigger),
        state=AttemptState(state),
        amount_minor=invoice.total_minor - invoice.balance_minor,
        currency=invoice.currency,
        **decline,
    )


def attempts(found: Recovery) -> list[str]:
    return [
        f"{one.number or 'asked'}: {one.made} made, {one.paid} paid, {one.under_way} under way, "
        f"{one.paid_minor} {one.currency}, {one.rate_percent}"
        for one in found.attempts
    ]


def figures(found: tuple[RecoveryFigures, ...]) -> list[str]:
    return [
        f"{one.of}: {one.chased} = {one.recovered} + {one.running} + {one.lost}, {one.rate_percent}, "
        f"{one.recovered_minor} of {one.asked_minor} {one.currency}"
        for one in found
    ]


async def write_renewals(books: Books) -> None:
    """Nine chases in EUR, one in USD, and what is none."""
    no, declined = "insufficient_funds", "first declined insufficient_funds"
    await books.invoice("first succeeded", **PAID)
    # 1 and 2: the first retry brings it, the second one does
    await books.chased(await books.invoice(declined, "retry succeeded", **PAID))
    await books.chased(await books.invoice(declined, f"retry declined {no}", "retry succeeded", **PAID))
    # 3: the customer mends it
    await books.chased(await books.invoice("first declined expired_card", "customer succeeded", **PAID))
    # 4: still being chased, and one try has no outcome yet
    await books.chased(await books.invoice(declined, "retry processing"))
    # 5: the policy, another version, has ended and left it open
    version_2 = MONTHLY.model_copy(update={"version": 2})
    await books.chased(await books.invoice("first declined do_not_honor"), version_2, ended=True)
    # 6: a direct debit that failed and was written off
    await books.chased(await books.invoice(declined, method="sepa_debit", status=InvoiceStatus.UNCOLLECTIBLE))
    # 7: no method at all, and the customer was told
    await books.chased(await books.invoice(), noticed_through_day=0)
    # 8: 10.00 were paid by the balance, the retry brought the rest
    await books.chased(await books.invoice(declined, "retry succeeded", balance_minor=1000, **PAID))
    # 9: credited while it was chased
    await books.chased(
        await books.invoice(declined, status=InvoiceStatus.PAID, credited_minor=3480, paid_minor=0)
    )
    # in USD
    await books.chased(await books.invoice(declined, "retry succeeded", currency="USD", **PAID), version_2)
    # none: a direct debit that took its time; one that was sent only at the second go; one that waits to be sent
    await books.chased(await books.invoice("first succeeded", method="sepa_debit", **PAID))
    await books.chased(await books.invoice("first unsent", "first succeeded", **PAID))
    await books.invoice("first queued")
    # none: issued before or after, or on a test clock
    await books.chased(await books.invoice(declined, issued_on=date(2026, 12, 31)))
    await books.chased(await books.invoice(declined, issued_on=date(2027, 2, 1)))
    await books.chased(await books.invoice(declined, clock=factories.clock()))


async def test_renewals_by_attempt_code_method_and_policy(client: RelanceClient, database: Database) -> None:
    async with database.write() as session:
        books = await Books.begin(session)
        await books.policies()
        await write_renewals(books)
    found = await client.reports.dunning(from_on=date(2027, 1, 1), to_on=date(2027, 1, 31))
    assert attempts(found.renewals) == [
        # 8 first charges of the chases in EUR, and the three that were paid at once
        "1: 11 made, 3 paid, 0 under way, 10440 EUR, 27.3",
        # 34.80 and 24.80; of four one has no outcome yet
        "2: 4 made, 2 paid, 1 under way, 5960 EUR, 66.7",
        "3: 1 made, 1 paid, 0 under way, 3480 EUR, 100.0",
        "asked: 1 made, 1 paid, 0 under way, 3480 EUR, 100.0",
        "1: 1 made, 0 paid, 0 under way, 0 USD, 0.0",
        "2: 1 made, 1 paid, 0 under way, 3480 USD, 100.0",
    ]
    # 9 x 34.80 less 10.00 were asked for; 3 x 34.80 and 24.80 came in
    assert figures(found.renewals.total) == [
        "None: 9 = 4 + 2 + 3, 44.4, 12920 of 30320 EUR",
        "None: 1 = 1 + 0 + 0, 100.0, 3480 of 3480 USD",
    ]
    assert figures(found.renewals.decline_codes) == [
        "None: 1 = 0 + 1 + 0, 0.0, 0 of 3480 EUR",
        "do_not_honor: 1 = 0 + 0 + 1, 0.0, 0 of 3480 EUR",
        "expired_card: 1 = 1 + 0 + 0, 100.0, 3480 of 3480 EUR",
        "insufficient_funds: 6 = 3 + 1 + 2, 50.0, 9440 of 19880 EUR",
        "insufficient_funds: 1 = 1 + 0 + 0, 100.0, 3480 of 3480 USD",
    ]
    assert figures(found.renewals.methods) == [
        "None: 1 = 0 + 1 + 0, 0.0, 0 of 3480 EUR",
        "card: 7 = 4 + 1 + 2, 57.1, 12920 of 23360 EUR",
        "sepa_debit: 1 = 0 + 0 + 1, 0.0, 0 of 3480 EUR",
        "card: 1 = 1 + 0 + 0, 100.0, 3480 of 3480 USD",
    ]
    assert figures(found.renewals.policies) == [
        "monthly v1: 8 = 4 + 2 + 2, 50.0, 12920 of 26840 EUR",
        "monthly v2: 1 = 0 + 0 + 1, 0.0, 0 of 3480 EUR",
        "monthly v2: 1 = 1 + 0 + 0, 100.0, 3480 of 3480 USD",
    ]
    assert found.first_payments.total == ()
    assert found.first_payments.attempts == ()


async def test_first_payments_are_kept_apart_and_a_sign_up_at_the_screen_is_no_dunning(
    client: RelanceClient, database: Database
) -> None:
    declined = "first declined insufficient_funds"
    first: dict[str, Any] = {"first_payment": True}
    async with database.write() as session:
        books = await Books.begin(session)
        await books.policies()
        # After a trial: brought by the retry, and credited at the end.
        after_trial = await books.invoice(declined, "retry succeeded", **first, **PAID)
        await books.chased(after_trial, FIRST_PAYMENT)
        lost = await books.invoice(
            declined, f"retry {declined[6:]}", **first, status=InvoiceStatus.PAID, credited_minor=3480
        )
        await books.chased(lost, FIRST_PAYMENT, ended=True)
        # A sign-up that paid at once, one that paid at the second go, and one whose payment failed days later.
        await books.invoice("first succeeded", gated=True, **first, **PAID)
        second_go = await books.invoice(declined, "customer succeeded", gated=True, **first, **PAID)
        await books.chased(second_go, role=Role.GATED.value, noticed_through_day=0)
        days_later = await books.invoice(declined, gated=True, method="sepa_debit", **first)
        await books.chased(days_later, FIRST_PAYMENT)
    found = await client.reports.dunning(from_on=date(2027, 1, 1), to_on=date(2027, 1, 31))
    assert attempts(found.first_payments) == [
        "1: 3 made, 0 paid, 0 under way, 0 EUR, 0.0",
        "2: 2 made, 1 paid, 0 under way, 3480 EUR, 50.0",
    ]
    assert figures(found.first_payments.total) == ["None: 3 = 1 + 1 + 1, 33.3, 3480 of 10440 EUR"]
    assert figures(found.first_payments.methods) == [
        "card: 2 = 1 + 0 + 1, 50.0, 3480 of 6960 EUR",
        "sepa_debit: 1 = 0 + 1 + 0, 0.0, 0 of 3480 EUR",
    ]
    assert figures(found.first_payments.policies) == [
        "first_payment v1: 3 = 1 + 1 + 1, 33.3, 3480 of 10440 EUR"
    ]
    assert found.renewals.total == ()
    assert found.renewals.attempts == ()


async def test_transfers_count_from_their_first_reminder(client: RelanceClient, database: Database) -> None:
    async with database.write() as session:
        books = await Books.begin(session)
        await books.policies()
        await books.chased(await books.invoice(**PAID), TRANSFER, noticed_through_day=3)
        await books.chased(await books.invoice(paid_minor=1000), TRANSFER, noticed_through_day=15)
        await books.chased(await books.invoice(**PAID), TRANSFER)  # in time
    found = await client.reports.dunning(from_on=date(2027, 1, 10), to_on=date(2027, 1, 10))
    # The money that came is counted, also where it is not all of it.
    transfers = "transfer: 2 = 1 + 1 + 0, 50.0, 4480 of 6960 EUR"
    assert figures(found.renewals.methods) == [transfers]
    assert figures(found.renewals.policies) == [transfers.replace("transfer", "transfer v1")]
    assert attempts(found.renewals) == []


async def test_money_that_was_taken_back_is_not_recovered_and_the_second_chase_counts_anew(
    client: RelanceClient, database: Database
) -> None:
    async with database.write() as session:
        books = await Books.begin(session)
        await books.policies()
        tries = (
            "first declined insufficient_funds",
            "retry returned",
            "2.first declined do_not_honor",
            "2.retry succeeded",
        )
        invoice = await books.invoice(*tries, chase=2, **PAID)
        await books.chased(invoice)
        await books.chased(invoice, MONTHLY.model_copy(update={"version": 2}), chase=2)
        # Taken back, and its second chase has not tried anything yet.
        await books.chased(await books.invoice("first returned", chase=2), chase=2)
    found = await client.reports.dunning(from_on=date(2027, 1, 1), to_on=date(2027, 1, 31))
    assert figures(found.renewals.policies) == [
        "monthly v1: 2 = 0 + 1 + 1, 0.0, 0 of 6960 EUR",
        "monthly v2: 1 = 1 + 0 + 0, 100.0, 3480 of 3480 EUR",
    ]
    assert figures(found.renewals.decline_codes) == [
        "None: 1 = 0 + 1 + 0, 0.0, 0 of 3480 EUR",
        "do_not_honor: 1 = 1 + 0 + 0, 100.0, 3480 of 3480 EUR",
        "insufficient_funds: 1 = 0 + 0 + 1, 0.0, 0 of 3480 EUR",
    ]
    assert attempts(found.renewals) == [
        "1: 3 made, 0 paid, 0 under way, 0 EUR, 0.0",
        "2: 2 made, 1 paid, 0 under way, 3480 EUR, 50.0",
    ]


async def test_days_sales_outstanding_come_from_the_journal(
    client: RelanceClient, database: Database
) -> None:
    async with database.write() as session:
        books = await Books.begin(session, id="ent_1")
        invoices = [await books.invoice() for _ in range(4)]
        written_off = await books.invoice(status=InvoiceStatus.UNCOLLECTIBLE)
        old, january, february, march = invoices
        on_clock = await books.invoice(clock=factories.clock())
        books.journal(old, "invoice/1", date(2026, 12, 31), receivable=3000, revenue=-2500, vat=-500)
        books.journal(january, "invoice/2", date(2027, 1, 1), receivable=12000, revenue=-10000, vat=-2000)
        books.journal(january, "payment/2", date(2027, 1, 20), cash=12000, receivable=-12000)
        books.journal(february, "invoice/3", date(2027, 2, 5), receivable=24000, revenue=-20000, vat=-4000)
        books.journal(march, "invoice/4", date(2027, 3, 1), receivable=6000, revenue=-5000, vat=-1000)
        books.journal(march, "credit_note/4", date(2027, 3, 5), receivable=-1200, revenue=1000, vat=200)
        books.journal(written_off, "invoice/5", date(2027, 2, 1), receivable=6000, revenue=-5000, vat=-1000)
        books.journal(february, "payment/3", date(2027, 4, 1), cash=24000, receivable=-24000)
        books.journal(on_clock, "invoice/6", date(2027, 2, 1), receivable=6000, revenue=-5000, vat=-1000)
    found = await client.reports.dunning(from_on=date(2027, 1, 1), to_on=date(2027, 3, 31))
    # Owed on 31 March: 30.00 + 240.00 + 48.00 = 318.00. Billed: 120.00 + 240.00 + 60.00 - 12.00 + 60.00 = 468.00
    # 318.00 / 468.00 x 90 days = 61.15
    (one,) = found.outstanding
    assert (one.entity_id, one.currency, one.receivable_minor, one.billed_minor, one.days) == (
        "ent_1",
        "EUR",
        31800,
        46800,
        90,
    )
    assert one.dso_days == Decimal("61.2")
    (later,) = (await client.reports.dunning(from_on=date(2027, 4, 1), to_on=date(2027, 4, 1))).outstanding
    assert (later.receivable_minor, later.billed_minor, later.dso_days) == (7800, 0, None)
    assert (await client.reports.dunning(from_on=date(2026, 1, 1), to_on=date(2026, 6, 30))).outstanding == ()


async def test_what_is_open_by_age_on_the_sellers_own_date(client: RelanceClient, database: Database) -> None:
    async with database.write() as session:
        paris = await Books.begin(session, id="ent_1")
        for days_late in (-30, 0, 1, 30, 31, 60, 61, 90, 91):
            due_on = date(2027, 4, 1) - timedelta(days=days_late)
            await paris.invoice(due_on=due_on, issued_on=date(2026, 12, 1), paid_minor=480)
        await paris.invoice(due_on=date(2027, 3, 1), **PAID)
        await paris.invoice(due_on=date(2027, 3, 1), status=InvoiceStatus.UNCOLLECTIBLE)
        await paris.invoice(due_on=date(2027, 3, 31), currency="USD")
        # There it is the next day already: 01:00 on 2 April.
        auckland = await Books.begin(session, id="ent_2", timezone="Pacific/Auckland")
        await auckland.invoice(due_on=date(2027, 4, 1), credited_minor=1480)
    found = (await client.reports.dunning()).ageing
    lines = [
        f"{one.entity_id} {one.on} {one.currency} {one.age}: {one.invoices}, {one.open_minor}"
        for one in found
    ]
    assert lines == [
        "ent_1 2027-04-01 EUR not_due: 2, 6000",
        "ent_1 2027-04-01 EUR 1-30: 2, 6000",
        "ent_1 2027-04-01 EUR 31-60: 2, 6000",
        "ent_1 2027-04-01 EUR 61-90: 2, 6000",
        "ent_1 2027-04-01 EUR 90+: 1, 3000",
        "ent_1 2027-04-01 USD not_due: 0, 0",
        "ent_1 2027-04-01 USD 1-30: 1, 3480",
        "ent_1 2027-04-01 USD 31-60: 0, 0",
        "ent_1 2027-04-01 USD 61-90: 0, 0",
        "ent_1 2027-04-01 USD 90+: 0, 0",
        "ent_2 2027-04-02 EUR not_due: 0, 0",
        "ent_2 2027-04-02 EUR 1-30: 1, 2000",
        "ent_2 2027-04-02 EUR 31-60: 0, 0",
        "ent_2 2027-04-02 EUR 61-90: 0, 0",
        "ent_2 2027-04-02 EUR 90+: 0, 0",
    ]
    only = await client.reports.dunning(entity="ent_2")
    assert {one.entity_id for one in only.ageing} == {"ent_2"}


async def test_one_seller_one_clock_and_the_usual_days(client: RelanceClient, database: Database) -> None:
    clock = factories.clock(datetime(2027, 2, 1, 12, tzinfo=UTC))
    declined = "first declined insufficient_funds"
    async with database.write() as session:
        one = await Books.begin(session, id="ent_1")
        await one.policies()
        other = await Books.begin(session, id="ent_2")
        await one.chased(await one.invoice(declined))
        await other.chased(await other.invoice(declined))
        await one.chased(await one.invoice(declined, clock=clock))
    usual = await client.reports.dunning()
    # 90 days, the last one included: 2 January is the first.
    assert (usual.from_on, usual.to_on) == (date(2027, 1, 2), date(2027, 4, 1))
    assert [figure.chased for figure in usual.renewals.total] == [2]
    assert [figure.chased for figure in (await client.reports.dunning(entity="ent_1")).renewals.total] == [1]
    on_clock = await client.reports.dunning(clock=clock.id)
    assert (on_clock.from_on, on_clock.to_on) == (date(2026, 11, 4), date(2027, 2, 1))
    assert [figure.chased for figure in on_clock.renewals.total] == [1]
    for wrong, field in (
        ({"from_on": date(2027, 4, 2)}, "from_on"),
        ({"entity": "ent_3"}, "entity"),
        ({"clock": "clk_none"}, "clock"),
    ):
        with pytest.raises(RelanceError) as refused:
            await client.reports.dunning(**wrong)
        assert refused.value.field == field
        assert isinstance(refused.value, InvalidInput) == (field == "from_on")


def test_the_report_is_printed_for_people_and_for_programs(relance: Terminal) -> None:
    """Of books without any invoice: no worker and no Temporal are needed."""
    status, out, _ = relance("dunning", "report", "--from", "2027-01-01", "--to", "2027-01-31")
    assert status == 0
    assert out.splitlines() == [
        "Invoices issued from 2027-01-01 to 2027-01-31.",
        "Renewals: none.",
        "First payments: none.",
        "Nothing was billed and nothing is owed.",
        "Nothing is open.",
    ]
    nothing: dict[str, list[object]] = {
        "total": [], "attempts": [], "decline_codes": [], "methods": [], "policies": [],
    }  # fmt: skip
    assert relance.json("dunning", "report", "--from", "2027-01-01", "--to", "2027-01-31") == (
        0,
        {
            "from_on": "2027-01-01",
            "to_on": "2027-01-31",
            "renewals": nothing,
            "first_payments": nothing,
            "outstanding": [],
            "ageing": [],
        },
    )
    assert relance("dunning", "report", "--from", "yesterday")[0] == 1
