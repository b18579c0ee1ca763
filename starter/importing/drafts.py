"""What the rows of an import become, each checked against the others and the books. Writes nothing.

Made when an import is staged and again when it goes live: what is written is what was shown, or it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from activities.books.bringing_in import Debt
from activities.books.mandates import is_direct_debit
from billing.calendar import local_date
from billing.errors import InvalidInput, RelanceError
from models.ids import derived_id
from models.tables import Coupon, Customer, ImportKind, Plan
from settings import Settings
from starter.customers import content_of
from starter.importing.files import SourceRow
from starter.importing.formats import (
    BalanceLine,
    CouponLine,
    CustomerLine,
    DebtLine,
    Line,
    MandateLine,
    MethodLine,
    PlanLine,
    SubscriptionLine,
)
from starter.importing.known import Parsed
from starter.importing.lookups import NOTHING, Heard
from starter.importing.mandates import account_at_provider, draft_mandate
from starter.importing.running import draft_subscription
from starter.importing.stock import Draft, Stock

_NAMED_BY: Mapping[ImportKind, str] = {
    ImportKind.PLAN: "reference",
    ImportKind.COUPON: "code",
    ImportKind.CUSTOMER: "reference",
    ImportKind.PAYMENT_METHOD: "customer",
    ImportKind.SEPA_MANDATE: "customer",
    ImportKind.SUBSCRIPTION: "reference",
    ImportKind.BALANCE: "customer",
    ImportKind.DEBT: "number",
}
_ORDER: tuple[ImportKind, ...] = (
    ImportKind.PLAN,
    ImportKind.COUPON,
    ImportKind.CUSTOMER,
    ImportKind.SEPA_MANDATE,  # an account that is charged needs it
    ImportKind.PAYMENT_METHOD,
    ImportKind.SUBSCRIPTION,
    ImportKind.BALANCE,
    ImportKind.DEBT,
)


class Drafting:
    """Makes drafts of rows, in the order in which they need each other."""

    def __init__(self, stock: Stock, heard: Heard, settings: Settings) -> None:
        """Begin with what there is to name.

        Args:
            stock: the books; what is drafted is added.
            heard: what others said about rows.
            settings: for the spread of renewals and other times.
        """
        self._stock, self._heard, self._settings = stock, heard, settings

    def draft_all(self, parsed: Sequence[Parsed], refused: Sequence[SourceRow] = ()) -> list[Draft]:
        """A draft of each row; those that rest on a refused one are refused too.

        Args:
            parsed: rows that are well-formed.
            refused: rows that are not.
        """
        for source in refused:
            self._stock.refused.add((source.kind, source.cells.get(_NAMED_BY[source.kind], "")))
        order = {kind: place for place, kind in enumerate(_ORDER)}
        return [self._draft(*one) for one in sorted(parsed, key=lambda one: order[one[0].kind])]

    def _draft(self, source: SourceRow, line: Line) -> Draft:
        key = (source.kind, line.key)
        known = self._stock.known.rows.get(key)
        draft = Draft(
            source, line, turn=0 if known is None else known.turn, facts=self._heard.get(key, NOTHING)
        )
        try:
            self._fill(draft)
        except RelanceError as error:
            draft.problems.append(source.problem(error.message, field=error.field))
            self._stock.refused.add(key)
        return draft

    def _fill(self, draft: Draft) -> None:
        match draft.line:
            case PlanLine() as line:
                self._plan(draft, line)
            case CouponLine() as line:
                self._coupon(draft, line)
            case CustomerLine() as line:
                self._customer(draft, line)
            case MethodLine() as line:
                self._method(draft, line)
            case MandateLine() as line:
                draft_mandate(self._stock, draft, line, self._settings)
            case SubscriptionLine() as line:
                found = draft_subscription(self._stock, draft, line, self._settings)
                draft.subscription = self._stock.subscriptions[line.reference] = found
            case BalanceLine() as line:
                self._balance(draft, line)
            case DebtLine() as line:
                self._debt(draft, line)

    def _plan(self, draft: Draft, line: PlanLine) -> None:
        entity = self._stock.known.entity
        order = line.order(entity.id)
        existing = self._stock.known.plans.get(line.reference)
        draft.subject_id = existing.id if existing else derived_id("plan", entity.id, line.reference)
        terms = order.terms(draft.subject_id)
        if existing is not None and (existing.terms, existing.name) != (terms, order.name):
            raise InvalidInput(
                f"There is another plan {line.reference}, and a plan does not change. Leave the line out to use that "
                "one, or give this one another reference.",
                field="reference",
            )
        draft.plan = self._stock.plans[line.reference] = existing or Plan(
            id=draft.subject_id,
            reference=line.reference,
            entity_id=entity.id,
            name=order.name,
            currency=order.currency,
            terms=terms,
            created_at=self._stock.known.now,
        )

    def _coupon(self, draft: Draft, line: CouponLine) -> None:
        entity = self._stock.known.entity
        order = line.order(entity.id)
        existing = self._stock.known.coupons.get(line.code)
        draft.subject_id = existing.id if existing else derived_id("cpn", entity.id, line.code)
        if existing is not None and (existing.discount, existing.currency) != (
            order.discount(),
            order.currency,
        ):
            raise InvalidInput(
                f"There is another coupon {line.code}. Leave the line out to use that one, or give another code.",
                field="code",
            )
        draft.coupon = self._stock.coupons[line.code] = existing or Coupon(
            id=draft.subject_id,
            reference=line.code,
            entity_id=entity.id,
            discount=order.discount(),
            currency=order.currency,
            created_at=self._stock.known.now,
        )

    def _customer(self, draft: Draft, line: CustomerLine) -> None:
        known = self._stock.known
        order = line.order(known.entity.id, known.clock_id)
        order.check()
        content = content_of(order)
        existing = known.customers.get(line.reference)
        if existing is not None:
            self._check_same_customer(draft, line, existing, content)
        draft.subject_id = existing.id if existing else derived_id("cus", known.entity.id, line.reference)
        if line.stripe_customer is not None:
            self._check_one_at_stripe(line.stripe_customer, draft.subject_id)
        draft.customer = self._stock.customers[line.reference] = Customer(
            **content,
            id=draft.subject_id,
            entity_id=known.entity.id,
            provider_id=line.stripe_customer or (existing.provider_id if existing else None),
            default_method_id=existing.default_method_id if existing else None,
            created_at=existing.created_at if existing else known.now,
        )

    def _check_one_at_stripe(self, provider_id: str, customer_id: str) -> None:
        """Two customers of ours on one of Stripe's would be charged on each other's cards."""
        other = self._stock.known.at_provider.setdefault(provider_id, customer_id)
        if other != customer_id:
            raise InvalidInput(
                f"{provider_id} is another customer already: {other}.", field="stripe_customer"
            )

    def _check_same_customer(
        self, draft: Draft, line: CustomerLine, existing: Customer, content: Mapping[str, object]
    ) -> None:
        differs = any(getattr(existing, name) != value for name, value in content.items())
        if differs and not self._stock.is_undone(draft.key):
            raise InvalidInput(
                f"There is a customer {line.reference} with other data. Leave the line out to use that one: other "
                "lines may name them.",
                field="reference",
            )
        if existing.provider_id is not None and line.stripe_customer not in (None, existing.provider_id):
            raise InvalidInput(
                f"The customer {line.reference} is {existing.provider_id} at Stripe.", field="stripe_customer"
            )

    def _method(self, draft: Draft, line: MethodLine) -> None:
        draft.customer = self._stock.customer(line.customer)
        if draft.facts.method is None:
            raise InvalidInput(
                f"Stripe does not know {line.payment_method} in this account: {draft.facts.refused}",
                field="payment_method",
            )
        draft.method = self._stock.take_method(draft.customer, draft.facts.method)
        draft.subject_id = draft.method.id
        if is_direct_debit(draft.method):
            draft.mandate = account_at_provider(
                self._stock, draft.customer, draft.method, draft.facts, self._settings
            )

    def _balance(self, draft: Draft, line: BalanceLine) -> None:
        draft.customer = self._stock.customer(line.customer)
        draft.subject_id = derived_id("bal", self._stock.known.entity.id, line.key, draft.turn)
        key = (draft.customer.id, line.currency)
        self._stock.balances[key] = self._stock.balances.get(key, 0) + line.amount_minor

    def _debt(self, draft: Draft, line: DebtLine) -> None:
        known = self._stock.known
        draft.subject_id = derived_id("in", known.entity.id, "debt", line.number, draft.turn)
        taken = known.numbers.get(line.number)
        if taken not in (None, draft.subject_id):
            raise InvalidInput(f"There is an invoice {line.number} already: {taken}.", field="number")
        if line.issued_on > local_date(known.now, known.entity.timezone):
            raise InvalidInput(f"It was issued on {line.issued_on}, later than today.", field="issued_on")
        draft.subscription = self._stock.subscription(line.subscription, line.currency)
        draft.debt = Debt(
            number=line.number,
            issued_on=line.issued_on,
            due_on=line.due_on,
            amount_minor=line.amount_minor,
            currency=line.currency,
            collected=line.collect,
        )
