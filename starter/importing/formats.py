"""What a row of each file says, checked by itself: dates are ISO, amounts are major units with all their decimals."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from activities.provider_subscription import ProviderSubscription
from billing.errors import InvalidInput
from billing.mandates import SCHEME_NOTICE_DAYS
from billing.money import MAX_AMOUNT_MINOR, exponent, to_minor
from billing.subscription import CustomerKind
from billing.takeover import Elsewhere
from billing.terms import CollectionMethod
from billing.values import Value
from models.parties import Address, Contact
from models.tables import ImportKind
from starter.importing.files import Columns, Problem, SourceRow
from starter.orders import (
    Currency,
    NewCoupon,
    NewCustomer,
    NewPlan,
    Reference,
    Segment,
    Siren,
    VatNumber,
    Zone,
)

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,12})?")
_YES_AND_NO: Final = {"yes": True, "true": True, "no": False, "false": False}


def _day(text: object) -> object:
    if isinstance(text, str) and not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is no date. Write it as 2027-01-31")
    return text


def _yes_or_no(text: object) -> object:
    if isinstance(text, str):
        if text.lower() not in _YES_AND_NO:
            raise ValueError(f"{text!r} is neither yes nor no")
        return _YES_AND_NO[text.lower()]
    return text


Day = Annotated[date, BeforeValidator(_day)]
YesNo = Annotated[bool, BeforeValidator(_yes_or_no)]
Count = Annotated[int, BeforeValidator(lambda text: int(text) if str(text).isdigit() else text), Field(ge=1)]


def amount_of(text: str, currency: str) -> Decimal:
    """An amount in major units, written with at least the decimals of its currency: 49.00, and 4900 for yen.

    So nobody's cents are taken for euros: 4900 EUR has to be written 4900.00.

    Raises:
        InvalidInput: it is written in another way; field `amount`.
    """
    places = exponent(currency)
    example = Decimal(4900).scaleb(-places)
    if not _AMOUNT.fullmatch(text) or len(text.partition(".")[2]) < places:
        raise InvalidInput(
            f"{text!r} is no amount in {currency}. Write it in major units with a point and {places} decimals, as "
            f"{example}, without separators of thousands."
            if places
            else f"{text!r} is no amount in {currency}. Write whole units, as {example}.",
            field="amount",
        )
    return Decimal(text)


def _exact_minor(text: str, currency: str) -> int:
    amount = amount_of(text, currency)
    if amount != round(amount, exponent(currency)):
        raise InvalidInput(f"{text} is finer than {currency} has decimals.", field="amount")
    minor = to_minor(amount, currency)
    if not 0 < minor <= MAX_AMOUNT_MINOR:
        raise InvalidInput(f"{text} {currency} is out of range. Give more than 0.", field="amount")
    return minor


class PlanLine(Value):
    """A line of `plans.csv`."""

    reference: Reference
    name: str = Field(min_length=1, max_length=100)
    amount: str
    currency: Currency
    every: str
    per_seat: YesNo = False
    tax_included: YesNo = False

    @property
    def key(self) -> str:
        """By what it is known."""
        return self.reference

    def order(self, entity: str) -> NewPlan:
        """The plan to put on offer."""
        return NewPlan.model_validate(
            {
                "reference": self.reference,
                "entity": entity,
                "name": self.name,
                "currency": self.currency,
                "every": self.every,
                "amount": amount_of(self.amount, self.currency),
                "per_seat": self.per_seat,
                "tax_included": self.tax_included,
            }
        )


class CouponLine(Value):
    """A line of `coupons.csv`."""

    code: str
    name: str = ""
    percent: Decimal | None = None
    amount: str | None = None
    currency: Currency | None = None
    periods: Count | None = None

    @property
    def key(self) -> str:
        """By what it is known."""
        return self.code

    def order(self, entity: str) -> NewCoupon:
        """The coupon to put on offer."""
        amount = None
        if self.amount is not None and self.currency is not None:
            amount = amount_of(self.amount, self.currency)
        return NewCoupon.model_validate(
            {**self.model_dump(exclude={"amount"}), "entity": entity, "amount": amount}
        )


class CustomerLine(Value):
    """A line of `customers.csv`."""

    reference: Reference
    name: str = Field(min_length=1, max_length=200)
    email: str
    kind: CustomerKind
    locale: str = "fr"
    timezone: Zone = "Europe/Paris"
    vat_number: VatNumber = ""
    siren: Siren = ""
    line1: str = ""
    line2: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""
    segment: Segment = ""
    stripe_customer: str | None = Field(default=None, pattern="^cus_[A-Za-z0-9]+$")

    @property
    def key(self) -> str:
        """By what it is known."""
        return self.reference

    def order(self, entity: str, clock: str | None) -> NewCustomer:
        """The customer to make."""
        has_address = any((self.line1, self.postal_code, self.city, self.country))
        address = (
            Address(
                line1=self.line1,
                line2=self.line2,
                postal_code=self.postal_code,
                city=self.city,
                country=self.country,
            )
            if has_address
            else None
        )
        return NewCustomer(
            reference=self.reference,
            entity=entity,
            kind=self.kind,
            name=self.name,
            contacts=(Contact(email=self.email),),
            locale=self.locale,
            timezone=self.timezone,
            vat_number=self.vat_number,
            siren=self.siren,
            address=address,
            segment=self.segment,
            clock=clock,
        )


class MethodLine(Value):
    """A line of `payment_methods.csv`: the one that is charged."""

    customer: Reference
    payment_method: str = Field(pattern="^pm_[A-Za-z0-9]+$")

    @property
    def key(self) -> str:
        """By what it is known: a customer has one that is charged."""
        return self.customer


class MandateLine(Value):
    """A line of `sepa_mandates.csv`: a debit that was authorised elsewhere, saved at Stripe."""

    customer: Reference
    payment_method: str = Field(pattern="^pm_[A-Za-z0-9]+$")
    mandate_reference: str = Field(min_length=1, max_length=35)
    """The unique mandate reference that the customer was given."""
    signed_on: Day
    last_debit_on: Day | None = None
    """Of the last debit, also one that was rejected: the mandate is void 36 months after it."""
    notice_days: Annotated[Count, Field(le=SCHEME_NOTICE_DAYS)] | None = None
    """Calendar days of notice that its text agrees to."""
    text_version: str = Field(default="", max_length=100)
    evidence: str = Field(default="", max_length=200)
    """Where the proof of it is, such as a place in an archive."""
    stripe_mandate: str | None = Field(default=None, pattern="^mandate_[A-Za-z0-9]+$")
    """Where Stripe imported it and no payment of Stripe's names it yet."""

    @property
    def key(self) -> str:
        """By what it is known."""
        return self.customer


class SubscriptionLine(Value):
    """A line of `subscriptions.csv`."""

    reference: Reference
    customer: Reference
    plan: Reference
    quantity: Count | None = None
    amount: str | None = None
    """A price that was agreed with this customer, in place of the plan's."""
    currency: Currency
    """That of the plan: said again, so that nobody is billed 49 dollars as 49 euros."""
    started_on: Day
    anchor: Day | None = None
    renews_on: Day | None = None
    trial_ends_on: Day | None = None
    coupon: str | None = None
    coupon_periods_left: Count | None = None
    cancel_at_end: YesNo = False
    committed_until: Day | None = None
    renewal_notice_sent: YesNo = False
    collection_method: CollectionMethod | None = None
    payment_terms_days: Count | None = None
    stripe_subscription: str | None = Field(default=None, pattern="^sub_[A-Za-z0-9]+$")

    @property
    def key(self) -> str:
        """By what it is known."""
        return self.reference

    @property
    def price(self) -> Decimal | None:
        """The agreed price, in major units."""
        return None if self.amount is None else amount_of(self.amount, self.currency)

    def elsewhere(self, timezone: str, looked: ProviderSubscription | None) -> Elsewhere:
        """How it stands in the other system.

        Args:
            timezone: the customer's.
            looked: what the payment provider says of it, where it is one of theirs.
        """
        del timezone, looked
        return Elsewhere.model_validate({name: getattr(self, name) for name in Elsewhere.model_fields})


class BalanceLine(Value):
    """A line of `balances.csv`: what is held for a customer, to pay their next invoices."""

    customer: Reference
    amount: str
    currency: Currency

    @property
    def key(self) -> str:
        """By what it is known: one for each currency."""
        return f"{self.customer} {self.currency}"

    @property
    def amount_minor(self) -> int:
        """In minor units."""
        return _exact_minor(self.amount, self.currency)


class DebtLine(Value):
    """A line of `debts.csv`: an invoice that another system issued, and that is not paid."""

    number: str = Field(min_length=1, max_length=35, pattern=r"^[A-Za-z0-9+_/.#-]+$")
    subscription: Reference
    issued_on: Day
    due_on: Day
    amount: str
    """What is still owed, with tax."""
    currency: Currency
    collect: YesNo
    """Yes: we charge and remind from the day after it goes live. No: it is shown, and someone else collects it."""

    @property
    def key(self) -> str:
        """By what it is known."""
        return self.number

    @property
    def amount_minor(self) -> int:
        """In minor units."""
        return _exact_minor(self.amount, self.currency)

    @model_validator(mode="after")
    def _due_after_issue(self) -> Self:
        if self.due_on < self.issued_on:
            raise ValueError(f"due_on {self.due_on} is before issued_on {self.issued_on}")
        return self


Line = (
    PlanLine
    | CouponLine
    | CustomerLine
    | MethodLine
    | MandateLine
    | SubscriptionLine
    | BalanceLine
    | DebtLine
)
FORMATS: Final[Mapping[ImportKind, type[Line]]] = {
    ImportKind.PLAN: PlanLine,
    ImportKind.COUPON: CouponLine,
    ImportKind.CUSTOMER: CustomerLine,
    ImportKind.PAYMENT_METHOD: MethodLine,
    ImportKind.SEPA_MANDATE: MandateLine,
    ImportKind.SUBSCRIPTION: SubscriptionLine,
    ImportKind.BALANCE: BalanceLine,
    ImportKind.DEBT: DebtLine,
}


def columns_of(kind: ImportKind) -> Columns:
    """The columns of a file written for us."""
    fields = FORMATS[kind].model_fields
    required = frozenset(name for name, field in fields.items() if field.is_required())
    return Columns(required=required, known=frozenset(fields))


def line_of(row: SourceRow, formats: Mapping[ImportKind, type[Line]]) -> Line | list[Problem]:
    """What a row says, or everything that is wrong with it."""
    try:
        line = formats[row.kind].model_validate(dict(row.cells))
        _check_amount(line)
    except ValidationError as error:
        return [
            row.problem(f"{_words(one['type'], one['msg'])}.", field=".".join(map(str, one["loc"])) or None)
            for one in error.errors(include_url=False)
        ]
    except InvalidInput as error:
        return [row.problem(error.message, field=error.field)]
    return line


def digest_of(line: Line) -> str:
    """What tells a row that was changed from one that is the same."""
    text = json.dumps(line.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _check_amount(line: Line) -> None:
    match line:
        case BalanceLine() | DebtLine():
            _ = line.amount_minor
        case SubscriptionLine():
            _ = line.price
        case PlanLine():
            amount_of(line.amount, line.currency)
        case _:
            pass


def _words(kind: str, message: str) -> str:
    if kind == "missing":
        return "This cell is empty and has to be filled in"
    return message.removeprefix("Value error, ")
