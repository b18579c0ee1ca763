"""Rows as a test needs them, with defaults that a person would type.

A French company sells the plan Pro, EUR 29.00 net a month and 20 % VAT (34.80), to a consumer who pays by card.
The subscription is active, its calendar is that of Paris, and its first period is January 2027.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.issuing import buyer_of, seller_of
from billing.calendar import Interval, Period
from billing.effects import InvoiceReason, Issue
from billing.lines import Line, LineKind
from billing.payment import AttemptState, Trigger
from billing.prices import Price
from billing.subscription import Status, Subscription
from billing.tax import RateTotal, TaxRate, Totals
from billing.terms import Terms
from models.ids import new_id
from models.parties import Address
from models.tables import (
    Customer,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    LegalEntity,
    MandateRow,
    PaymentAttempt,
    PaymentMethod,
    Plan,
    SubscriptionRow,
    TestClock,
)

BORN = datetime(2026, 12, 15, 9, 0, tzinfo=UTC)
"""When everything was set up."""
JANUARY = Period(
    index=0,
    start=date(2027, 1, 1),
    end=date(2027, 2, 1),
    whole_start=date(2027, 1, 1),
    whole_end=date(2027, 2, 1),
)
FEBRUARY = Period(
    index=1,
    start=date(2027, 2, 1),
    end=date(2027, 3, 1),
    whole_start=date(2027, 2, 1),
    whole_end=date(2027, 3, 1),
)
NEW_YEAR = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
"""The first instant of 1 January 2027 in Paris."""


def terms(**changes: Any) -> Terms:
    given: dict[str, Any] = {
        "plan_id": "plan_pro",
        "plan_name": "Pro",
        "currency": "EUR",
        "interval": Interval.parse("monthly"),
        "prices": (Price(id="base", unit_amount=Decimal("29.00")),),
    }
    return Terms(**given | changes)


def issue(period: Period = JANUARY, **changes: Any) -> Issue:
    """The order to issue the invoice of a period."""
    given: dict[str, Any] = {"period": period, "terms": terms(), "reason": InvoiceReason.PERIOD}
    return Issue(**given | changes)


@dataclass
class Someone:
    """A customer with all that belongs to them."""

    entity: LegalEntity
    customer: Customer
    method: PaymentMethod | None
    plan: Plan
    subscription: SubscriptionRow
    clock: TestClock | None


def entity(**changes: Any) -> LegalEntity:
    given: dict[str, Any] = {
        "id": new_id("ent"),
        "name": "Exemple SAS",
        "legal_form": "SAS",
        "capital": "10 000 EUR",
        "siren": "732829320",
        "vat_number": "FR44732829320",
        "address": Address(line1="12 rue de la Paix", postal_code="75002", city="Paris", country="FR"),
        "creditor_id": "FR72ZZZ123456",
        "sender": "factures@example.com",
        "vat_percent": Decimal(20),
        "created_at": BORN,
    }
    return LegalEntity(**given | changes)


def customer(entity_id: str, **changes: Any) -> Customer:
    given: dict[str, Any] = {
        "id": new_id("cus"),
        "entity_id": entity_id,
        "name": "Anna Martin",
        "address": Address(line1="3 place Bellecour", postal_code="69002", city="Lyon", country="FR"),
        "contacts": [{"email": "anna@example.com", "name": "Anna Martin"}],
        "provider_id": "cus_anna",
        "created_at": BORN,
    }
    return Customer(**given | changes)


def method(customer_id: str, **changes: Any) -> PaymentMethod:
    method_id = new_id("pm")
    given: dict[str, Any] = {
        "id": method_id,
        "customer_id": customer_id,
        "provider_id": f"provider_{method_id}",
        "kind": "card",
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2030,
        "fingerprint": "fingerprint-4242",
        "created_at": BORN,
    }
    return PaymentMethod(**given | changes)


def account(customer_id: str, **changes: Any) -> PaymentMethod:
    """A bank account to debit; it needs a mandate."""
    given: dict[str, Any] = {
        "kind": "sepa_debit",
        "brand": "",
        "last4": "7061",
        "exp_month": None,
        "exp_year": None,
        "fingerprint": "fingerprint-7061",
    }
    return method(customer_id, **given | changes)


def mandate(of: PaymentMethod, **changes: Any) -> MandateRow:
    """Accepted when everything was set up, with three days of notice."""
    mandate_id = new_id("mdt")
    given: dict[str, Any] = {
        "id": mandate_id,
        "method_id": of.id,
        "customer_id": of.customer_id,
        "provider_id": f"provider_{mandate_id}",
        "reference": "RELANCE-7F3K2",
        "creditor_id": "FR72ZZZ123456",
        "notice_days": 3,
        "accepted_at": BORN,
        "created_at": BORN,
    }
    return MandateRow(**given | changes)


def plan(entity_id: str, **changes: Any) -> Plan:
    given: dict[str, Any] = {
        "id": new_id("plan"),
        "entity_id": entity_id,
        "name": "Pro",
        "currency": "EUR",
        "terms": terms(),
        "created_at": BORN,
    }
    return Plan(**given | changes)


def state(subscription_id: str, customer_id: str, **changes: Any) -> Subscription:
    """An active subscription in January 2027, as a value."""
    given: dict[str, Any] = {
        "id": subscription_id,
        "customer_id": customer_id,
        "timezone": "Europe/Paris",
        "status": Status.ACTIVE,
        "terms": terms(),
        "signed_up_at": BORN,
        "starts_on": date(2027, 1, 1),
        "anchor": date(2027, 1, 1),
        "period": JANUARY,
        "has_method": True,
        "method_expires_on": date(2030, 12, 31),
    }
    return Subscription(**given | changes)


def subscription(entity_id: str, value: Subscription, **changes: Any) -> SubscriptionRow:
    """The row of a subscription: its columns follow from the value."""
    given: dict[str, Any] = {
        "id": value.id,
        "entity_id": entity_id,
        "customer_id": value.customer_id,
        "plan_id": value.terms.plan_id,
        "clock_id": value.clock_id,
        "status": value.status.value,
        "entitled": value.entitled_at(NEW_YEAR),
        "next_billing_at": value.next_billing_at,
        "state": value,
        "created_at": BORN,
        "updated_at": BORN,
    }
    return SubscriptionRow(**given | changes)


async def someone(
    session: AsyncSession,
    *,
    seller: LegalEntity | None = None,
    with_method: bool = True,
    by_debit: bool = False,
    clock: TestClock | None = None,
    **changes: Any,
) -> Someone:
    """Write a customer with a card, a plan and an active subscription.

    Args:
        session: a transaction; the rows are flushed, not committed.
        seller: one that is written already; by default a new one.
        with_method: whether there is a card to charge.
        by_debit: in its place there is an account with a mandate.
        clock: the test clock to live on.
        changes: fields of the subscription's value that differ from the default.
    """
    entity_row = seller or entity()
    clock_id = clock.id if clock else None
    customer_row = customer(entity_row.id, clock_id=clock_id)
    new_method = account if by_debit else method
    card = new_method(customer_row.id) if with_method else None
    customer_row.default_method_id = card.id if card else None
    plan_row = plan(entity_row.id)
    given: dict[str, Any] = {
        "terms": terms(plan_id=plan_row.id),
        "clock_id": clock_id,
        "has_method": with_method,
        **changes,
    }
    row = subscription(entity_row.id, state(new_id("sub"), customer_row.id, **given))
    session.add_all(r for r in (entity_row, clock, customer_row, card, plan_row, row) if r is not None)
    if by_debit and card is not None:
        session.add(mandate(card))
    await session.flush()
    return Someone(entity_row, customer_row, card, plan_row, row, clock)


def clock(now: datetime = NEW_YEAR) -> TestClock:
    return TestClock(id=new_id("clk"), now=now, created_at=now)


def invoice(of: Someone, **changes: Any) -> Invoice:
    """An issued, open invoice of January: 29.00 net, 5.80 VAT, 34.80 to pay."""
    rate = TaxRate(percent=Decimal(20))
    invoice_id = new_id("in")
    given: dict[str, Any] = {
        "id": invoice_id,
        "entity_id": of.entity.id,
        "customer_id": of.customer.id,
        "subscription_id": of.subscription.id,
        "clock_id": of.subscription.clock_id,
        "reason": InvoiceReason.PERIOD.value,
        "period_index": 0,
        "period_start": JANUARY.start,
        "period_end": JANUARY.end,
        "covers_until": JANUARY.end,
        "status": InvoiceStatus.OPEN,
        "series": "F",
        "number": f"F-{invoice_id}",
        "issued_on": date(2027, 1, 1),
        "issued_at": NEW_YEAR,
        "due_on": date(2027, 1, 1),
        "currency": "EUR",
        "rate": rate,
        "totals": Totals(per_rate=(RateTotal(rate=rate, base_minor=2900, vat_minor=580),)),
        "net_minor": 2900,
        "vat_minor": 580,
        "total_minor": 3480,
        "seller": seller_of(of.entity),
        "buyer": buyer_of(of.customer),
    }
    return Invoice(**given | changes)


def invoice_line(of: Invoice, **changes: Any) -> InvoiceLine:
    """The one line of such an invoice: 29.00 for January."""
    line = Line(
        kind=LineKind.SUBSCRIPTION,
        price_id="base",
        plan_name="Pro",
        quantity=Decimal(1),
        unit_amount=Decimal("29.00"),
        start=of.period_start,
        end=of.period_end,
        whole_days=(of.period_end - of.period_start).days,
        whole_minor=Decimal(2900),
        list_minor=2900,
        amount_minor=2900,
    )
    given: dict[str, Any] = {
        "id": new_id("il"),
        "document_id": of.id,
        "invoice_id": of.id,
        "position": 0,
        "line": line,
        "rate": TaxRate(percent=Decimal(20)),
        "net_minor": 2900,
        "covers_until": of.period_end,
    }
    return InvoiceLine(**given | changes)


def attempt(of: Someone, on: Invoice, number: int = 1, **changes: Any) -> PaymentAttempt:
    """An attempt to charge the whole of an invoice, just begun."""
    given: dict[str, Any] = {
        "id": new_id("att"),
        "invoice_id": on.id,
        "subscription_id": on.subscription_id,
        "customer_id": on.customer_id,
        "number": number,
        "chase": on.chase,
        "generation": on.generation,
        "trigger": Trigger.FIRST,
        "state": AttemptState.STARTED,
        "method_id": of.method.id if of.method else "pm_none",
        "fingerprint": of.method.fingerprint if of.method else None,
        "amount_minor": 3480,
        "currency": "EUR",
        "idempotency_key": new_id("key"),
        "begun_at": NEW_YEAR,
    }
    return PaymentAttempt(**given | changes)
