"""What each kind of mail is told: from its row and the books, typed in by hand from the rules."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support import factories
from support.credits import credit_unused
from support.factories import FEBRUARY, JANUARY, Someone
from support.mailroom import LINKS, RULES, queued

from activities.books.chasing import open_collection
from activities.books.crediting import credit_in_full
from activities.books.issuing import write_invoice
from activities.books.mail_context import build_context
from activities.books.mail_facts import Moot, describe, label
from billing.announced import Announced
from billing.calendar import Interval
from billing.discounts import Discount
from billing.dunning import EndForSubscription
from billing.lines import LineKind, lines_for
from billing.payment import AttemptState, DeclineClass, Trigger
from billing.prices import Price, PricingModel
from billing.shown_prices import PriceTax, ShownPrices
from billing.subscription import CustomerKind, Status
from billing.transfers import ClaimState
from mails.context import (
    BankAccount,
    CanceledBy,
    MailContext,
    MailDiscount,
    MailLine,
    MailOrder,
    OpenInvoice,
    PriceLine,
    TakenBackBy,
    TrialEnd,
)
from mails.formats import Language
from mails.kinds import MailKind
from mails.render import render
from models.database import Database
from models.signup import OfferLine, SignupConsent, SignupOffer
from models.tables import (
    Collection,
    CommandRow,
    Customer,
    Invoice,
    InvoiceStatus,
    LateClaim,
    LegalEntity,
    PaymentAttempt,
    PaymentMethod,
    PaymentState,
    SignupSession,
    SubscriptionRow,
)

ISSUED = datetime(2027, 1, 1, 8, 0, tzinfo=UTC)
"""09:00 on 1 January 2027 in Paris."""
NOW = datetime(2027, 1, 10, tzinfo=UTC)


class Books:
    """Anna's rows, changed by a test as it needs."""

    def __init__(self, database: Database, anna: Someone) -> None:
        self.database = database
        self.anna = anna

    async def invoice(
        self,
        *,
        collected: bool = True,
        of: SubscriptionRow | None = None,
        **changes: Any,  # noqa: ANN401 - of the order to issue
    ) -> Invoice:
        """An invoice of EUR 34.80 for January, or another issue."""
        row = of or self.anna.subscription
        async with self.database.write() as session:
            session.add(row)
            invoice = await write_invoice(session, row, factories.issue(**changes), ISSUED, RULES.books)
            if collected:
                await open_collection(session, row, invoice, ISSUED)
            return invoice

    async def attempt(self, invoice: Invoice, number: int = 1, **changes: Any) -> None:  # noqa: ANN401
        assert self.anna.method is not None
        given: dict[str, Any] = {
            "id": f"att_{invoice.id}_{number}",
            "invoice_id": invoice.id,
            "subscription_id": invoice.subscription_id,
            "customer_id": invoice.customer_id,
            "number": number,
            "chase": 1,
            "generation": 1,
            "trigger": Trigger.FIRST,
            "state": AttemptState.DECLINED,
            "decline_class": DeclineClass.RETRY_LATER,
            "method_id": self.anna.method.id,
            "amount_minor": 3480,
            "currency": "EUR",
            "idempotency_key": f"key_{invoice.id}_{number}",
            "begun_at": ISSUED,
            "settled_at": ISSUED,
        }
        async with self.database.write() as session:
            session.add(PaymentAttempt(**given | changes))

    async def change(self, table: type[Any], key: str, **changes: Any) -> None:  # noqa: ANN401
        async with self.database.write() as session:
            row = await session.get_one(table, key)
            for name, value in changes.items():
                setattr(row, name, value)

    async def subscription(self, **changes: Any) -> None:  # noqa: ANN401
        """Change the subscription's value."""
        async with self.database.write() as session:
            row = await session.get_one(SubscriptionRow, self.anna.subscription.id)
            row.state = row.state.model_copy(update=changes)

    async def command(self, kind: str, *, by: str = "api", at: datetime = ISSUED) -> None:
        async with self.database.write() as session:
            session.add(
                CommandRow(
                    id=f"cmd_{kind}",
                    subscription_id=self.anna.subscription.id,
                    kind=kind,
                    by=by,
                    outcome="applied",
                    at=at,
                )
            )

    async def says(self, kind: str, **changes: Any) -> MailContext | Moot:  # noqa: ANN401
        """What a mail of this kind is told; it is also rendered, in both languages."""
        message = queued(self.anna, kind, **{"at": ISSUED, **changes})
        async with self.database.read() as session:
            said = await build_context(session, message, links=LINKS, rules=RULES.books, now=NOW)
        if isinstance(said, MailContext):
            for locale in ("fr", "en"):
                assert render(MailKind(kind), said.model_copy(update={"locale": locale})).subject
        return said

    async def fields(self, kind: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
        """The fields of the mail that differ from the empty ones, without those that every mail has."""
        said = await self.says(kind, **changes)
        assert isinstance(said, MailContext), said
        everywhere = {"locale", "merchant", "subscription_reference", "customer_name", "timezone"}
        default = {name: field.default for name, field in MailContext.model_fields.items()}
        return {
            name: value
            for name in MailContext.model_fields
            if name not in everywhere and (value := getattr(said, name)) != default[name]
        }


@pytest.fixture
async def books(sqlite_database: Database) -> Books:
    async with sqlite_database.write() as session:
        return Books(sqlite_database, await factories.someone(session))


def pay_url(invoice: Invoice) -> str:
    return LINKS.pay(invoice.id, now=NOW)


def opened(invoice: Invoice, books: Books, open_minor: int = 3480) -> OpenInvoice:
    return OpenInvoice(
        number=invoice.number or "",
        issued_on=date(2027, 1, 1),
        currency="EUR",
        open_minor=open_minor,
        subscription_reference=books.anna.subscription.id,
    )


NEXT = {"currency": "EUR", "next_charge_on": date(2027, 2, 1), "next_amount_minor": 3480}
CHASED = {
    "decline_class": "retry_later",
    "attempted_on": "2027-01-01",
    "next_try_on": "2027-01-02",
    "ends_on": "2027-01-22",  # the day of the end, whose step comes at 09:00
    "consequence": "suspend",
    "amount_minor": 3480,
}


async def test_every_mail_says_who_sells_and_who_reads(books: Books) -> None:
    said = await books.says("resumed", occurrence="2027-01-01")
    assert isinstance(said, MailContext)
    assert said.merchant.name == "Exemple SAS"
    assert said.merchant.address_lines == ("12 rue de la Paix", "75002 Paris", "FR")
    assert said.merchant.support_mail == "factures@example.com"
    assert said.merchant.legal_line == "SAS au capital de 10 000 EUR, SIREN 732829320, TVA FR44732829320"
    assert (said.locale, said.customer_name, said.timezone) == ("fr", "Anna Martin", "Europe/Paris")
    assert said.subscription_reference == books.anna.subscription.id
    assert not said.test
    english = await books.says("resumed", occurrence="2027-01-01", locale="en")
    assert isinstance(english, MailContext)
    assert english.merchant.legal_line == "SAS, share capital 10 000 EUR, SIREN 732829320, VAT FR44732829320"


async def test_the_callers_own_reference_goes_before_our_id(books: Books) -> None:
    await books.change(SubscriptionRow, books.anna.subscription.id, reference="SUB-1042")
    said = await books.says("resumed", occurrence="2027-01-01")
    assert isinstance(said, MailContext)
    assert said.subscription_reference == "SUB-1042"


async def test_a_mail_on_a_test_clock_says_so(books: Books) -> None:
    said = await books.says("resumed", occurrence="2027-01-01", clock_id="clk_1")
    assert isinstance(said, MailContext)
    assert said.test


JANUARY_INVOICE = {
    "plan_name": "Pro",
    "issued_on": date(2027, 1, 1),
    "period_start_on": date(2027, 1, 1),
    "period_end_on": date(2027, 2, 1),
    "lines": (MailLine(description="Pro", net_minor=2900),),
    "tax_minor": 580,
    "currency": "EUR",
}


async def test_invoice_issued(books: Books) -> None:
    invoice = await books.invoice()
    assert await books.fields("invoice_issued", invoice_id=invoice.id) == {
        **JANUARY_INVOICE,
        "invoice_number": invoice.number,
        "amount_minor": 3480,
        "due_on": date(2027, 1, 1),
        "method_label": "Visa •••• 4242",
        "pay_url": pay_url(invoice),
    }


async def test_invoice_issued_of_a_gated_draft_that_is_paid_asks_for_nothing(books: Books) -> None:
    invoice = await books.invoice()
    await books.change(Invoice, invoice.id, status=InvoiceStatus.PAID, paid_minor=3480)
    said = await books.fields("invoice_issued", invoice_id=invoice.id)
    assert said["due_minor"] == 0


async def test_invoice_issued_to_somebody_who_pays_by_transfer(books: Books) -> None:
    await books.subscription(terms=factories.terms(collection_method="transfer", payment_terms_days=30))
    async with books.database.read() as session:
        row = await session.get_one(SubscriptionRow, books.anna.subscription.id)
    invoice = await books.invoice(of=row)
    said = await books.fields("invoice_issued", invoice_id=invoice.id)
    assert said["due_on"] == date(2027, 1, 31)
    assert "method_label" not in said
    assert (said["by_transfer"], said["transfer_reference"]) == (True, invoice.number)
    assert "bank" not in said
    await books.change(LegalEntity, books.anna.entity.id, iban="FR7630006000011234567890189", bic="AGRIFRPP")
    said = await books.fields("invoice_issued", invoice_id=invoice.id)
    assert said["bank"] == BankAccount(
        holder="Exemple SAS",
        iban="FR76\u00a03000\u00a06000\u00a00112\u00a03456\u00a07890\u00a0189",
        bic="AGRIFRPP",
    )


async def test_receipt_of_a_transfer(books: Books) -> None:
    invoice = await books.invoice()
    await books.change(Invoice, invoice.id, status=InvoiceStatus.PAID, paid_minor=3480)
    context = {
        "amount_minor": 4000,
        "unapplied_minor": 520,
        "claim_minor": 0,
        "received_on": "2026-12-30",
        "restored": False,
    }
    assert await books.fields("receipt", invoice_id=invoice.id, occurrence="ts_1", context=context) == {
        **JANUARY_INVOICE,
        **NEXT,
        "invoice_number": invoice.number,
        "amount_minor": 4000,
        "unapplied_minor": 520,
        "by_transfer": True,
        "paid_on": date(2026, 12, 30),
    }


async def test_late_interest_claimed(books: Books) -> None:
    invoice = await books.invoice()
    claim = LateClaim(
        id="lc_1",
        invoice_id=invoice.id,
        entity_id=invoice.entity_id,
        customer_id=invoice.customer_id,
        command_id="claim-1",
        state=ClaimState.OPEN,
        until_on=date(2027, 1, 11),
        interest_minor=12,
        recovery_minor=4000,
        currency="EUR",
        at=ISSUED,
    )
    async with books.database.write() as session:
        session.add(claim)
    context = {"claim": "lc_1"}
    assert await books.fields("late_interest_claimed", invoice_id=invoice.id, context=context) == {
        "plan_name": "Pro",
        "invoice_number": invoice.number,
        "currency": "EUR",
        "amount_minor": 4012,
        "due_on": date(2027, 1, 1),
        "interest_minor": 12,
        "recovery_minor": 4000,
        "days_late": 10,
    }


async def test_receipt(books: Books) -> None:
    invoice = await books.invoice()
    await books.attempt(invoice, state=AttemptState.SUCCEEDED)
    await books.change(Invoice, invoice.id, status=InvoiceStatus.PAID, paid_minor=3480)
    context = {"amount_minor": 3480, "restored": False}
    assert await books.fields("receipt", invoice_id=invoice.id, occurrence="1", context=context) == {
        **JANUARY_INVOICE,
        **NEXT,
        "invoice_number": invoice.number,
        "amount_minor": 3480,
        "paid_on": date(2027, 1, 1),
        "method_label": "Visa •••• 4242",
    }


async def test_receipt_that_brings_the_service_back_names_what_else_is_owed(books: Books) -> None:
    paid = await books.invoice()
    other = await books.invoice(period=FEBRUARY)
    await books.attempt(paid, state=AttemptState.SUCCEEDED)
    await books.change(Invoice, paid.id, status=InvoiceStatus.PAID, paid_minor=3480)
    await books.change(Invoice, other.id, in_arrears=True)
    context = {"amount_minor": 3480, "restored": True}
    said = await books.fields("receipt", invoice_id=paid.id, occurrence="1", context=context)
    assert said["service_restored"] is True
    assert said["open_invoices"] == (opened(other, books),)


async def test_payment_failed(books: Books) -> None:
    invoice = await books.invoice()
    await books.attempt(invoice)
    assert await books.fields("payment_failed", invoice_id=invoice.id, context=CHASED) == {
        "plan_name": "Pro",
        "invoice_number": invoice.number,
        "currency": "EUR",
        "amount_minor": 3480,
        "method_label": "Visa •••• 4242",
        "attempted_on": date(2027, 1, 1),
        "decline_class": DeclineClass.RETRY_LATER,
        "next_try_on": date(2027, 1, 2),
        "deadline_on": date(2027, 1, 21),
        "consequence": EndForSubscription.SUSPEND,
        "pay_url": pay_url(invoice),
    }


async def test_payment_failed_because_there_is_nothing_to_charge(books: Books) -> None:
    invoice = await books.invoice()
    await books.change(Customer, books.anna.customer.id, default_method_id=None)
    context = {**CHASED, "decline_class": None, "attempted_on": None, "next_try_on": None}
    said = await books.fields("payment_failed", invoice_id=invoice.id, context=context)
    assert not {"method_label", "attempted_on", "decline_class", "next_try_on"} & set(said)


@pytest.mark.parametrize("kind", ["payment_reminder", "last_notice"])
async def test_reminders_list_all_open_invoices_of_the_customer(books: Books, kind: str) -> None:
    value = factories.state("sub_second", books.anna.customer.id)
    second = factories.subscription(books.anna.entity.id, value, reference="SUB-2")
    driver = await books.invoice()
    other = await books.invoice(of=second)
    under_way = await books.invoice(period=FEBRUARY)
    first_charge = await books.invoice(of=second, period=FEBRUARY, collected=False)
    await books.attempt(driver)
    await books.change(Invoice, driver.id, credited_minor=480)
    await books.change(Invoice, under_way.id, payment_state=PaymentState.PROCESSING)
    said = await books.fields(kind, invoice_id=driver.id, occurrence="1", context=CHASED)
    assert first_charge.owner == "subscription"
    assert said == {
        "plan_name": "Pro",
        "invoice_number": driver.number,
        "currency": "EUR",
        "amount_minor": 3000,
        "method_label": "Visa •••• 4242",
        "attempted_on": date(2027, 1, 1),
        "decline_class": DeclineClass.RETRY_LATER,
        "next_try_on": date(2027, 1, 2),
        "deadline_on": date(2027, 1, 21),
        "consequence": EndForSubscription.SUSPEND,
        "open_invoices": (
            opened(driver, books, 3000),
            opened(other, books).model_copy(update={"subscription_reference": "SUB-2"}),
        ),
        "pay_url": pay_url(driver),
    }


async def test_a_reminder_without_a_charge_of_that_day_names_no_attempt(books: Books) -> None:
    invoice = await books.invoice()
    await books.attempt(invoice)
    said = await books.fields(
        "payment_reminder", invoice_id=invoice.id, context=CHASED, at=ISSUED + timedelta(days=3)
    )
    assert not {"attempted_on", "method_label"} & set(said)
    assert said["decline_class"] is DeclineClass.RETRY_LATER


async def test_after_the_end_of_the_subscription_nothing_more_is_threatened(books: Books) -> None:
    invoice = await books.invoice()
    await books.subscription(status=Status.CANCELED, ended_at=ISSUED, end_reason="canceled now")
    said = await books.fields("last_notice", invoice_id=invoice.id, context=CHASED)
    assert said["consequence"] is EndForSubscription.KEEP


@pytest.mark.parametrize(
    "kind",
    ["payment_failed", "payment_reminder", "last_notice", "authentication_required", "invoice_reopened"],
)
async def test_what_asks_for_a_settled_invoice_is_moot(books: Books, kind: str) -> None:
    invoice = await books.invoice()
    await books.attempt(invoice)
    await books.change(Invoice, invoice.id, status=InvoiceStatus.PAID, paid_minor=3480)
    said = await books.says(kind, invoice_id=invoice.id, occurrence="1", context=CHASED)
    assert said == Moot(reason="Nothing is asked for any more: the invoice is paid.")


async def test_authentication_required(books: Books) -> None:
    invoice = await books.invoice()
    await books.attempt(invoice, state=AttemptState.ACTION_REQUIRED, settled_at=None, decline_class=None)
    said = await books.fields("authentication_required", invoice_id=invoice.id, occurrence="1")
    assert said == {
        "plan_name": "Pro",
        "invoice_number": invoice.number,
        "currency": "EUR",
        "amount_minor": 3480,
        "method_label": "Visa •••• 4242",
        "attempted_on": date(2027, 1, 1),
        "pay_url": pay_url(invoice),
    }


async def test_complete_payment(books: Books) -> None:
    draft = await books.invoice(gated=True)
    said = await books.fields("complete_payment", invoice_id=draft.id, context=CHASED)
    assert said == {
        "plan_name": "Pro",
        "currency": "EUR",
        "amount_minor": 3480,
        "deadline_at": datetime(2027, 1, 2, 7, 0, tzinfo=UTC),  # 23 hours
        "pay_url": pay_url(draft),
    }
    await books.change(Invoice, draft.id, status=InvoiceStatus.VOID)
    assert isinstance(await books.says("complete_payment", invoice_id=draft.id), Moot)


async def test_payment_failed_since_the_mandate_has_ended(books: Books) -> None:
    invoice = await books.invoice()
    account = factories.account(books.anna.customer.id)
    async with books.database.write() as session:
        session.add(account)
        await session.flush()
        session.add(factories.mandate(account, ended_at=ISSUED, ended_because="revoked"))
    await books.change(Customer, books.anna.customer.id, default_method_id=account.id)
    said = await books.fields("payment_failed", invoice_id=invoice.id, context={})
    assert said["mandate_ended"] is True
    assert "method_label" not in said


async def test_debit_notice(books: Books) -> None:
    invoice = await books.invoice()
    account = factories.account(books.anna.customer.id)
    async with books.database.write() as session:
        session.add(account)
        await session.flush()
        session.add(factories.mandate(account, id="mdt_1"))
    context = {
        "amount_minor": 3495,
        "debit_on": "2027-01-05",
        "mandate": "mdt_1",
        "attempted_on": None,
        "decline_class": None,
    }
    said = await books.fields("debit_notice", invoice_id=invoice.id, context=context)
    told = {
        "plan_name": "Pro",
        "invoice_number": invoice.number,
        "currency": "EUR",
        "amount_minor": 3495,
        "debit_on": date(2027, 1, 5),
        "mandate_reference": "RELANCE-7F3K2",
        "mandate_signed_on": date(2026, 12, 15),
        "creditor_id": "FR72ZZZ123456",
        "method_label": "SEPA •••• 7061",
        "pay_url": pay_url(invoice),
    }
    assert said == told
    await books.change(Invoice, invoice.id, status=InvoiceStatus.UNCOLLECTIBLE)
    assert isinstance(await books.says("debit_notice", invoice_id=invoice.id, context=context), Moot)
    ordered = await books.fields("debit_notice", invoice_id=invoice.id, context={**context, "ordered": True})
    assert ordered == {**told, "debit_ordered": True}


async def test_invoice_reopened(books: Books) -> None:
    invoice = await books.invoice()
    context = {"taken_back_by": "return", "next_try_on": "2027-01-08"}
    said = await books.fields("invoice_reopened", invoice_id=invoice.id, context=context)
    assert said == {
        "plan_name": "Pro",
        "invoice_number": invoice.number,
        "currency": "EUR",
        "amount_minor": 3480,
        "occurred_on": date(2027, 1, 1),
        "taken_back_by": TakenBackBy.RETURN,
        "next_try_on": date(2027, 1, 8),
        "pay_url": pay_url(invoice),
    }


async def test_subscription_suspended(books: Books) -> None:
    invoice = await books.invoice()
    written_off = await books.invoice(period=FEBRUARY)
    await books.change(Invoice, written_off.id, status=InvoiceStatus.UNCOLLECTIBLE)
    end = datetime(2027, 1, 22, 8, 0, tzinfo=UTC)
    await books.subscription(status=Status.UNPAID, unpaid_since=end)
    said = await books.fields("subscription_suspended", occurrence="2027-01-22", at=end)
    assert said == {
        "plan_name": "Pro",
        "open_invoices": (opened(invoice, books), opened(written_off, books)),
        "effective_on": date(2027, 1, 22),
        "deadline_on": date(2027, 4, 21),  # 90 days later is 22 April
        "pay_url": pay_url(invoice),
    }
    await books.subscription(status=Status.ACTIVE)
    assert isinstance(await books.says("subscription_suspended", occurrence="2027-01-22"), Moot)


async def test_subscription_canceled_by_the_customer_with_days_credited(books: Books) -> None:
    invoice = await books.invoice()
    await books.change(Invoice, invoice.id, status=InvoiceStatus.PAID, paid_minor=3480)
    await books.command("cancel", by="customer")
    async with books.database.write() as session:
        row = await session.get_one(SubscriptionRow, books.anna.subscription.id)
        await credit_unused(
            session,
            row,
            from_on=date(2027, 1, 17),
            command_id="cmd_cancel",
            reason="canceled now",
            at=ISSUED,
            rules=RULES.books,
        )
        row.state = row.state.model_copy(
            update={"status": Status.CANCELED, "ended_at": ISSUED, "end_reason": "canceled now"}
        )
    said = await books.fields("subscription_canceled", occurrence="2027-01-16")
    assert said == {
        "plan_name": "Pro",
        "currency": "EUR",
        "ended_on": date(2027, 1, 16),
        "requested_on": date(2027, 1, 1),
        "canceled_by": CanceledBy.CUSTOMER,
        "credited_minor": 1684,  # 29.00 x 15 / 31 = 14.03 and 20 % of it
    }


@pytest.mark.parametrize(
    ("reason", "by"),
    [
        ("the dunning policy ended", CanceledBy.NON_PAYMENT),
        ("unpaid for too long", CanceledBy.NON_PAYMENT),
        ("no payment method at the end of the trial", CanceledBy.MERCHANT),
        ("canceled at the end of the period", CanceledBy.MERCHANT),
    ],
)
async def test_subscription_canceled_says_by_what(books: Books, reason: str, by: CanceledBy) -> None:
    await books.subscription(status=Status.CANCELED, ended_at=ISSUED, end_reason=reason)
    said = await books.fields("subscription_canceled", occurrence="2027-01-01")
    assert said == {
        "plan_name": "Pro",
        "currency": "EUR",
        "ended_on": date(2027, 1, 1),
        "canceled_by": by,
    }


async def test_subscription_canceled_while_its_invoice_is_still_collected(books: Books) -> None:
    invoice = await books.invoice()
    await books.attempt(invoice)
    await books.subscription(
        status=Status.CANCELED, ended_at=ISSUED, end_reason="canceled at the end of the period"
    )
    said = await books.fields(
        "subscription_canceled", occurrence="2027-01-01", at=ISSUED + timedelta(minutes=1)
    )
    assert said["open_invoices"] == (opened(invoice, books),)
    assert said["pay_url"] == pay_url(invoice)
    assert said["next_try_on"] == date(2027, 1, 2)  # day 1 of the policy
    async with books.database.write() as session:
        collection = await session.get_one(Collection, (await _collection_id(books, invoice)))
        collection.closed_at = ISSUED
    said = await books.fields("subscription_canceled", occurrence="2027-01-01")
    assert "next_try_on" not in said


async def _collection_id(books: Books, invoice: Invoice) -> str:
    from activities.books.chasing import collection_key

    async with books.database.read() as session:
        return collection_key(await session.get_one(Invoice, invoice.id))


async def test_cancel_scheduled(books: Books) -> None:
    invoice = await books.invoice()
    await books.subscription(cancel_at_end=True)
    said = await books.fields("cancel_scheduled", occurrence="2027-02-01")
    assert said == {
        "plan_name": "Pro",
        "requested_on": date(2027, 1, 1),
        "last_day_on": date(2027, 1, 31),
        "open_invoices": (opened(invoice, books),),
        "pay_url": pay_url(invoice),
    }


async def test_a_cancel_for_a_date_names_what_is_still_billed(books: Books) -> None:
    """Until its last period it goes on; in that one it is a cancel like any other."""
    await books.subscription(cancel_on=date(2027, 4, 10))
    assert await books.fields("cancel_scheduled", occurrence="2027-05-01") == {
        **NEXT,
        "plan_name": "Pro",
        "requested_on": date(2027, 1, 1),
        "last_day_on": date(2027, 4, 30),
        "goes_on": True,
    }
    await books.subscription(cancel_on=date(2027, 1, 20))
    said = await books.fields("cancel_scheduled", occurrence="2027-02-01")
    assert "goes_on" not in said
    assert "next_charge_on" not in said


async def test_plan_changed(books: Books) -> None:
    context = {"from": "Basic", "to": "Pro", "quantity": "1"}
    assert await books.fields("plan_changed", occurrence="2027-02-01", context=context) == {
        **NEXT,
        "plan_name": "Pro",
        "previous_plan_name": "Basic",
        "effective_on": date(2027, 2, 1),
    }


async def test_a_change_of_quantity_names_it(books: Books) -> None:
    per_seat = Price(id="seat", model=PricingModel.PER_UNIT, unit_amount="10")
    await books.subscription(terms=factories.terms(prices=(per_seat,), quantity=6))
    context = {"from": "Pro", "to": "Pro", "quantity": "6"}
    assert await books.fields("plan_changed", occurrence="2027-02-01", context=context) == {
        **NEXT,
        "next_amount_minor": 7200,
        "plan_name": "Pro",
        "quantity": 6,
        "effective_on": date(2027, 2, 1),
    }


async def test_paused(books: Books) -> None:
    access = datetime(2027, 1, 31, 23, 0, tzinfo=UTC)  # 1 February in Paris
    await books.subscription(status=Status.PAUSED, access_ends_at=access)
    assert await books.fields("paused", occurrence="2027-01-16") == {
        "plan_name": "Pro",
        "currency": "EUR",
        "effective_on": date(2027, 1, 16),
        "last_day_on": date(2027, 1, 31),
    }


async def test_credit_note_issued(books: Books) -> None:
    invoice = await books.invoice()
    row = books.anna.subscription
    async with books.database.write() as session:
        session.add(row)
        stored = await session.get_one(Invoice, invoice.id)
        note = await credit_in_full(
            session, row, stored, command_id="ticket", reason="a gift", at=ISSUED, rules=RULES.books
        )
    assert note is not None
    context = {"credit_note": note.id}
    assert await books.fields("credit_note_issued", invoice_id=invoice.id, context=context) == {
        "plan_name": "Pro",
        "invoice_number": "F-000001",
        "currency": "EUR",
        "amount_minor": 3480,
        "credit_note_number": "A-000001",
        "closes_minor": 3480,
    }


async def test_change_not_made(books: Books) -> None:
    assert await books.fields("change_not_made", occurrence="cmd_1") == {**NEXT, "plan_name": "Pro"}


async def test_resumed(books: Books) -> None:
    assert await books.fields("resumed", occurrence="2027-01-16") == {
        **NEXT,
        "plan_name": "Pro",
        "effective_on": date(2027, 1, 16),
    }


async def test_card_expiring(books: Books) -> None:
    assert books.anna.method is not None
    await books.change(PaymentMethod, books.anna.method.id, exp_year=2027, exp_month=1)
    assert await books.fields("card_expiring", occurrence="2027-01-31:month") == {
        **NEXT,
        "plan_name": "Pro",
        "method_label": "Visa •••• 4242",
        "card_expires_on": date(2027, 1, 31),
    }
    await books.change(PaymentMethod, books.anna.method.id, exp_year=2030)
    assert await books.says("card_expiring", occurrence="2027-01-31:month") == Moot(
        reason="The card was replaced."
    )


@pytest.mark.parametrize(
    ("changes", "leads_to"),
    [
        ({}, TrialEnd.CHARGE),
        ({"has_method": False}, TrialEnd.CANCEL),
        (
            {
                "has_method": False,
                "terms": factories.terms(trial_days=14, without_method_at_trial_end="pause"),
            },
            TrialEnd.PAUSE,
        ),
        (
            {
                "has_method": False,
                "terms": factories.terms(trial_days=14, without_method_at_trial_end="invoice"),
            },
            TrialEnd.INVOICE,
        ),
        ({"terms": factories.terms(trial_days=14, collection_method="transfer")}, TrialEnd.INVOICE),
    ],
)
async def test_trial_ending(books: Books, changes: dict[str, Any], leads_to: TrialEnd) -> None:
    trial = {
        "status": Status.TRIALING,
        "anchor": None,
        "period": None,
        "trial_end_on": date(2027, 1, 15),
        "terms": factories.terms(trial_days=14),
    }
    await books.subscription(**{**trial, **changes})
    said = await books.fields("trial_ending", occurrence="2027-01-15")
    expected = {
        "plan_name": "Pro",
        "currency": "EUR",
        "last_day_on": date(2027, 1, 14),
        "trial_end": leads_to,
        "next_charge_on": date(2027, 1, 15),
        "next_amount_minor": 3480,
    }
    if leads_to is TrialEnd.CHARGE:
        expected["method_label"] = "Visa •••• 4242"
    assert said == expected
    await books.subscription(cancel_at_end=True)
    assert isinstance(await books.says("trial_ending", occurrence="2027-01-15"), Moot)


async def test_renewal_notice(books: Books) -> None:
    yearly = factories.terms(
        interval=Interval.parse("annual"), prices=(Price(id="base", unit_amount="290.00"),)
    )
    year = JANUARY.model_copy(update={"end": date(2028, 1, 1), "whole_end": date(2028, 1, 1)})
    await books.subscription(terms=yearly, period=year)
    said = await books.fields("renewal_notice", occurrence="2028-01-01")
    assert said == {
        "plan_name": "Pro",
        "currency": "EUR",
        "amount_minor": 34800,
        "tax_minor": 5800,
        "renews_on": date(2028, 1, 1),
        "period_end_on": date(2029, 1, 1),
        "deadline_on": date(2027, 12, 31),
    }
    await books.subscription(cancel_at_end=True)
    assert isinstance(await books.says("renewal_notice", occurrence="2028-01-01"), Moot)


async def test_a_kind_that_nobody_knows_is_refused(books: Books) -> None:
    with pytest.raises(ValueError, match="no_such_kind"):
        await books.says("no_such_kind")


async def test_promise_noted(books: Books) -> None:
    invoice = await books.invoice()
    context = {"promised_on": "2027-01-15", "charged": True}
    said = {
        "plan_name": "Pro",
        "invoice_number": invoice.number,
        "currency": "EUR",
        "amount_minor": 3480,
        "promised_on": date(2027, 1, 15),
        "pay_url": pay_url(invoice),
    }
    assert await books.fields("promise_noted", invoice_id=invoice.id, context=context) == {
        **said,
        "method_label": "Visa •••• 4242",
    }
    by_transfer = {**context, "charged": False}
    assert await books.fields("promise_noted", invoice_id=invoice.id, context=by_transfer) == said


async def test_price_change(books: Books) -> None:
    """29.00 becomes 35.00 on 1 March, with 20 % VAT; once it has, there is nothing to announce."""
    state = books.anna.subscription.state
    (price,) = state.terms.prices
    announced = Announced(
        command_id="m",
        from_plan_id=state.terms.plan_id,
        plan_id="plan_pro_2028",
        plan_name="Pro 2028",
        prices=(price.model_copy(update={"unit_amount": Decimal("35.00")}),),
        from_on=date(2027, 3, 1),
    )
    await books.subscription(announced=announced)
    assert await books.fields("price_change", occurrence="2027-03-01:m") == {
        "plan_name": "Pro 2028",
        "previous_plan_name": "Pro",
        "currency": "EUR",
        "effective_on": date(2027, 3, 1),
        "deadline_on": date(2027, 2, 28),
        "previous_amount_minor": 3480,
        "amount_minor": 4200,
        "tax_minor": 700,
        "prices": (
            PriceLine(
                description="Prix",
                before="29,00\N{NO-BREAK SPACE}€ par période",
                after="35,00\N{NO-BREAK SPACE}€ par période",
            ),
        ),
    }
    await books.subscription(announced=None)
    assert isinstance(await books.says("price_change", occurrence="2027-03-01:m"), Moot)


async def test_withdrawal_confirmed_without_any_payment(books: Books) -> None:
    said = await books.fields("withdrawal_confirmed", occurrence="2027-01-05")
    assert said == {
        "plan_name": "Pro",
        "currency": "EUR",
        "received_at": ISSUED,
        "ended_on": date(2027, 1, 5),
        "deadline_on": date(2027, 1, 19),
    }


async def test_order_confirmed_says_what_was_ordered_and_not_what_is_now(books: Books) -> None:
    offer = SignupOffer(
        on=date(2027, 1, 1),
        plan_name="Pro",
        quantity=4,
        every=Interval.parse("1month"),
        lines=(OfferLine(description="Pro", net_minor=2450),),
        vat_minor=490,
        total_minor=2940,
        regular_minor=5880,
        next_on=date(2027, 2, 1),
        next_minor=5880,
        trial_end_on=None,
        committed_until=date(2028, 1, 1),
        discounts=(Discount(coupon_id="c", name="HALF", percent=Decimal(50), periods=1),),
        usage=ShownPrices(
            prices=(Price(id="api", description="Appels", unit_amount=Decimal("0.012")),),
            tax=PriceTax.INCLUDED,
        ),
        by_transfer=False,
        tax_note_fr="",
        tax_note_en="",
    )
    consent = SignupConsent(
        at=ISSUED, ip_address="", user_agent="", language="fr", shown="", due_minor=2940, currency="EUR",
        button="", terms_url="https://example.com/terms", terms_version="2027-01", debit_text="J’autorise",
        debit_version="2026-11", early_start=True, offer=offer,
    )  # fmt: skip
    signup = SignupSession(
        id="su_1",
        entity_id=books.anna.entity.id,
        plan_id=books.anna.subscription.state.terms.plan_id,
        success_url="https://app.example.com",
        consent=consent,
        by="api",
        created_at=ISSUED,
        expires_at=ISSUED,
    )
    async with books.database.write() as session:
        session.add(signup)
    await books.subscription(terms=factories.terms(plan_name="Other"), customer_kind=CustomerKind.CONSUMER)
    assert await books.fields("order_confirmed", context={"signup_session": "su_1"}) == {
        "plan_name": "Pro",
        "quantity": 4,
        "currency": "EUR",
        "lines": (MailLine(description="Pro", net_minor=2450),),
        "tax_minor": 490,
        "next_charge_on": date(2027, 2, 1),
        "next_amount_minor": 5880,
        "prices": (PriceLine(description="Appels", after="0,012\N{NO-BREAK SPACE}€ par période"),),
        "cancel_url": "https://pay.example.com/portal/terminate",
        "order": MailOrder(
            ordered_on=date(2027, 1, 1),
            due_minor=2940,
            regular_minor=5880,
            every=Interval.parse("1month"),
            committed_until=date(2028, 1, 1),
            discounts=(MailDiscount(name="HALF", off="50\N{NO-BREAK SPACE}%", periods=1),),
            usage_tax=PriceTax.INCLUDED,
            terms_url="https://example.com/terms",
            terms_version="2027-01",
            debit_text="J’autorise",
            debit_version="2026-11",
            early_start=True,
            withdraw_until=date(2026, 12, 29),
        ),
    }
    await books.subscription(customer_kind=CustomerKind.BUSINESS)
    said = await books.fields("order_confirmed", context={"signup_session": "su_1"})
    assert said["order"].withdraw_until is None
    await books.change(SignupSession, "su_1", consent=consent.model_copy(update={"offer": None}))
    assert isinstance(await books.says("order_confirmed", context={"signup_session": "su_1"}), Moot)


async def test_the_test_knows_every_kind() -> None:
    tested = set(globals())
    for kind in MailKind:
        is_named = any(kind.value in name for name in tested if name.startswith("test_"))
        assert is_named or kind in (MailKind.PAYMENT_REMINDER, MailKind.LAST_NOTICE), kind


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Visa •••• 4242"),
        ({"brand": "amex", "last4": "0005"}, "American Express •••• 0005"),
        ({"kind": "sepa_debit", "brand": "", "last4": "7061"}, "SEPA •••• 7061"),
    ],
)
def test_a_method_is_named_as_its_owner_knows_it(changes: dict[str, str], expected: str) -> None:
    assert label(factories.method("cus_1", **changes)) == expected


def test_a_line_is_written_in_the_readers_words() -> None:
    seats = Price(id="seat", description="Sièges", model=PricingModel.PER_UNIT, unit_amount="10")
    part = JANUARY.model_copy(update={"start": date(2027, 1, 20)})
    (line,) = lines_for(factories.terms(prices=(seats,), quantity=4), part)
    assert describe(line, Language.FR) == "Pro, Sièges × 4 (12 jours sur 31)"  # noqa: RUF001
    assert describe(line, Language.EN) == "Pro, Sièges × 4 (12 of 31 days)"  # noqa: RUF001
    credit = line.model_copy(update={"kind": LineKind.PRORATION_CREDIT})
    assert describe(credit, Language.EN).startswith("Credit, Pro")
    assert describe(credit, Language.FR).startswith("Déduction, Pro")
