"""What the rows of an import can name: what the books have, and what earlier rows bring in."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from activities.books.bringing_in import Debt
from activities.books.mandates import BroughtIn
from activities.books.taxing import buyer_place, evidence_of, seller_facts
from activities.gateway import MethodFacts
from activities.vat_checks import first_proof
from billing.discounts import Discount
from billing.errors import InvalidInput
from billing.subscription import CustomerKind, Subscription
from billing.taxation import BuyerFacts, NumberProof, RateTable, TaxFacts, TaxTreatment, treatment_for
from models.ids import derived_id
from models.tables import Coupon, Customer, ImportKind, PaymentMethod, Plan, RowState
from starter.importing.files import Problem, SourceRow
from starter.importing.formats import Line
from starter.importing.known import Known
from starter.importing.lookups import NOTHING, Facts, Heard

Key = tuple[ImportKind, str]


@dataclass
class Draft:
    """One row, and what it becomes.

    Attributes:
        source: where it stands.
        line: what it says.
        turn: how often it was undone.
        facts: what was heard of it elsewhere.
        subject_id: of what it becomes.
        problems: why it does not go live.
        customer: whom it is about, as their row will be.
        plan: to put on offer.
        coupon: to put on offer; of a subscription, the one that it has.
        method: what is charged from now on; of a mandate, the account.
        mandate: under which the account is debited.
        subscription: as it goes on here; of a debt, the one to which it belongs.
        debt: to bring in.
    """

    source: SourceRow
    line: Line
    turn: int = 0
    facts: Facts = NOTHING
    subject_id: str = ""
    problems: list[Problem] = field(default_factory=list)
    plan: Plan | None = None
    coupon: Coupon | None = None
    customer: Customer | None = None
    method: PaymentMethod | None = None
    mandate: BroughtIn | None = None
    subscription: Subscription | None = None
    debt: Debt | None = None

    @property
    def key(self) -> Key:
        """What it is known by."""
        return self.source.kind, self.line.key


class Stock:
    """Grows with every row that is drafted."""

    def __init__(self, known: Known, heard: Heard, rates: RateTable) -> None:
        """Begin with what is known.

        Args:
            known: the books.
            heard: what others said about rows.
            rates: of VAT.
        """
        self.known = known
        self.refused: set[Key] = set()
        self.plans: dict[str, Plan] = dict(known.plans)
        self.coupons: dict[str, Coupon] = dict(known.coupons)
        self.customers: dict[str, Customer] = dict(known.customers)
        self.methods: dict[str, PaymentMethod] = {}
        """By the customer's id."""
        self.mandated: set[str] = {row.method_id for row in known.mandates.values() if row.ended_at is None}
        """Ids of accounts with a mandate in the books, or one that a row of its own brings in."""
        self.subscriptions: dict[str, Subscription] = {
            name: row.state for name, row in known.subscriptions.items()
        }
        self.balances: dict[tuple[str, str], int] = dict(known.free)
        """By the customer's id and currency."""
        self._heard, self._rates = heard, rates

    def is_undone(self, key: Key) -> bool:
        """Whether it was brought in before and taken back: its data may be other ones now."""
        row = self.known.rows.get(key)
        return row is not None and row.turn > 0 and row.state is not RowState.LIVE

    def plan(self, reference: str, currency: str) -> Plan:
        """The plan of this name, which bills in this currency.

        Raises:
            InvalidInput: there is none, it is refused, or it bills in another; field `plan` or `currency`.
        """
        if (ImportKind.PLAN, reference) in self.refused:
            raise InvalidInput(f"Its plan {reference} is refused: mend that first.", field="plan")
        plan = self.plans.get(reference)
        if plan is None:  # one that is archived will do: they have it already
            raise InvalidInput(
                f"There is no plan {reference}, neither here nor in plans.csv. Create it: relance plan create",
                field="plan",
            )
        if plan.currency != currency:
            raise InvalidInput(
                f"The plan {reference} bills in {plan.currency}, this line says {currency}.", field="currency"
            )
        return plan

    def discount(self, code: str, currency: str) -> Discount:
        """What a coupon takes off.

        Raises:
            InvalidInput: there is none, it is refused, or in another currency; field `coupon`.
        """
        coupon = self.coupons.get(code)
        if coupon is None or (ImportKind.COUPON, code) in self.refused:
            raise InvalidInput(f"There is no coupon {code}, neither here nor in coupons.csv.", field="coupon")
        if coupon.currency not in (None, currency):
            raise InvalidInput(
                f"The coupon {code} is in {coupon.currency}, the subscription in {currency}.", field="coupon"
            )
        return coupon.discount

    def customer(self, reference: str) -> Customer:
        """The customer of this name, who lives where the import does.

        Raises:
            InvalidInput: there is none, or they are refused; field `customer`.
        """
        if (ImportKind.CUSTOMER, reference) in self.refused:
            raise InvalidInput(f"Its customer {reference} is refused: mend that first.", field="customer")
        customer = self.customers.get(reference)
        if customer is None:
            raise InvalidInput(
                f"There is no customer {reference}, neither here nor in customers.csv.", field="customer"
            )
        if customer.clock_id != self.known.clock_id:
            raise InvalidInput(
                f"The customer {reference} lives on another clock than this import.", field="customer"
            )
        return customer

    def subscription(self, reference: str, currency: str) -> Subscription:
        """The subscription of this name, which bills in this currency.

        Raises:
            InvalidInput: there is none, it is refused, or bills in another; field `subscription` or `currency`.
        """
        if (ImportKind.SUBSCRIPTION, reference) in self.refused:
            raise InvalidInput(
                f"Its subscription {reference} is refused: mend that first.", field="subscription"
            )
        found = self.subscriptions.get(reference)
        if found is None:
            raise InvalidInput(
                f"There is no subscription {reference}, neither here nor in subscriptions.csv.",
                field="subscription",
            )
        if found.terms.currency != currency:
            raise InvalidInput(
                f"The subscription {reference} bills in {found.terms.currency}, this line says {currency}.",
                field="currency",
            )
        return found

    def take_method(self, customer: Customer, facts: MethodFacts) -> PaymentMethod:
        """Let a payment method of the provider be what a customer is charged on.

        Raises:
            InvalidInput: it belongs to somebody else; field `payment_method`.
        """
        method = self.methods[customer.id] = self.method(customer, facts)
        return method

    def method(self, customer: Customer, facts: MethodFacts) -> PaymentMethod:
        """A payment method of the provider that a customer has there.

        Raises:
            InvalidInput: it belongs to somebody else; field `payment_method`.
        """
        if customer.provider_id is None or facts.customer != customer.provider_id:
            raise InvalidInput(
                f"{facts.id} belongs to {facts.customer or 'no customer'} at Stripe, and the customer "
                f"{customer.reference} is {customer.provider_id or 'not known there'}. Give stripe_customer in "
                "customers.csv, or another payment method.",
                field="payment_method",
            )
        owner = self.known.methods.get(facts.id)
        if owner not in (None, customer.id):
            raise InvalidInput(
                f"{facts.id} is the payment method of {owner} already.", field="payment_method"
            )
        return PaymentMethod(
            id=derived_id("pm", facts.id),
            customer_id=customer.id,
            provider_id=facts.id,
            kind=facts.kind,
            brand=facts.brand or "",
            last4=facts.last4,
            exp_month=facts.exp_month,
            exp_year=facts.exp_year,
            fingerprint=facts.fingerprint,
            created_at=self.known.now,
        )

    def treatment(self, customer: Customer, on: date) -> TaxTreatment:
        """How a sale to a customer is taxed on a day, as it will be when it is issued.

        Raises:
            NoRate: no rate is known for a place.
        """
        buyer = BuyerFacts(
            kind=CustomerKind(customer.kind), place=buyer_place(customer), number=self._proof(customer)
        )
        facts = TaxFacts(
            seller=seller_facts(self.known.entity),
            buyer=buyer,
            on=on,
            threshold_passed=self.known.threshold_passed,
        )
        return treatment_for(facts, self._rates).model_copy(update={"evidence": evidence_of(customer)})

    def _proof(self, customer: Customer) -> NumberProof | None:
        heard = self._heard.get((ImportKind.CUSTOMER, customer.reference or ""), NOTHING)
        if heard.vat_reply is not None:
            return first_proof(customer.vat_number, heard.vat_reply)
        return self.known.proofs.get(customer.id)
