"""What a backend asks for: a legal entity, a plan, a customer, a subscription. Checked before anything is written."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue

from billing import bank_accounts, tax_numbers
from billing.agreed import Agreed
from billing.calendar import Alignment, Interval, Schedule, check_timezone
from billing.discounts import MAX_DISCOUNTS, Discount, check_discount
from billing.errors import InvalidInput
from billing.features import Feature
from billing.money import check_currency, check_unit_amount
from billing.payment_terms import PaymentTerms, TypedPaymentTerms, one_of_both
from billing.prices import Price, PricingModel
from billing.subscription import CustomerKind
from billing.taxation import LocationEvidence
from billing.terms import CollectionMethod, Terms, WithoutMethod
from billing.values import Value
from models.ids import check_id
from models.parties import Address, Contact
from models.tax_identity import check_buyer, check_seller

Reference = Annotated[str, Field(min_length=1, max_length=100)]
"""The caller's own name for something, unique within a legal entity."""
Key = Annotated[str, Field(min_length=1, max_length=100)]
"""An id of ours, or the caller's reference."""
Custom = dict[str, JsonValue]
"""The caller's own metadata."""
VatNumber = Annotated[str, AfterValidator(tax_numbers.vat_number)]
"""As typed; kept without spaces, its check digits right."""
Siren = Annotated[str, AfterValidator(tax_numbers.siren)]
Iban = Annotated[str, AfterValidator(bank_accounts.iban)]
Bic = Annotated[str, AfterValidator(bank_accounts.bic)]
CreditorId = Annotated[str, AfterValidator(bank_accounts.creditor_id)]
Zone = Annotated[str, AfterValidator(check_timezone)]
Segment = Annotated[str, Field(max_length=60)]
"""The seller's own word for a group of customers; empty is none."""
Currency = Annotated[str, AfterValidator(check_currency)]


def _interval(given: object) -> object:
    return Interval.parse(given) if isinstance(given, str) else given


class NewEntity(Value):
    """A seller."""

    id: str | None = None
    name: str = Field(min_length=1, max_length=200)
    legal_form: str = Field(default="", max_length=50)
    capital: str = Field(default="", max_length=50)
    """As printed: `10 000 EUR`."""
    siren: Siren = ""
    registration: str = Field(default="", max_length=100)
    """As printed beside the SIREN: `RCS Paris`."""
    vat_number: VatNumber = ""
    vat_on_debits: bool = False
    """Its VAT is due on invoicing and not when it is paid (option for debits)."""
    address: Address
    timezone: Zone = "Europe/Paris"
    iban: Iban = ""
    """Of the account to which transfers go."""
    bic: Bic = ""
    creditor_id: CreditorId = ""
    """SEPA creditor identifier (ICS): Stripe's dashboard shows the one that your debits carry."""
    invoice_series: str = Field(default="F", pattern="^[A-Za-z0-9+_/-]{1,12}$")
    credit_series: str = Field(default="A", pattern="^[A-Za-z0-9+_/-]{1,12}$")
    vat_percent: Decimal | None = Field(default=None, ge=0, le=100, decimal_places=3)
    """Replaces the standard rate of its own place in the table of rates; needed where the table has none."""
    small_business: bool = False
    """Exempt as a small business: in France `franchise en base`."""
    oss_opted_in: bool = False
    """Taxes consumers of other member states at their rates from the first euro on."""
    sender: str = Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    """Mail address that mails come from and answers go to."""
    locale: str = Field(default="fr", pattern="^(fr|en)$")

    def check(self) -> None:
        """Refuse what the fields alone do not.

        Raises:
            InvalidInput: both series have one name, numbers and address contradict each other, or the id is none
                of ours.
        """
        if self.invoice_series == self.credit_series:
            raise InvalidInput(
                "Invoices and credit notes need a series each. Give another credit_series.",
                field="credit_series",
            )
        check_seller(vat_number=self.vat_number, siren=self.siren, address=self.address)
        if self.id is not None:
            check_id(self.id, "ent", field="id")


class EntityChange(Value):
    """What is new about a seller. None leaves it as it is."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    legal_form: str | None = Field(default=None, max_length=50)
    capital: str | None = Field(default=None, max_length=50)
    siren: Siren | None = None
    registration: str | None = Field(default=None, max_length=100)
    vat_number: VatNumber | None = None
    vat_on_debits: bool | None = None
    address: Address | None = None
    iban: Iban | None = None
    bic: Bic | None = None
    creditor_id: CreditorId | None = None
    sender: str | None = Field(default=None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")

    def given(self) -> dict[str, object]:
        """The changes alone."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in fields.items() if value is not None}


class NewPlan(Value):
    """A plan on offer: either one `amount`, or several `prices`."""

    id: str | None = None
    reference: Reference | None = None
    entity: str | None = None
    """Id of the legal entity; not needed where there is only one."""
    name: str = Field(min_length=1, max_length=100)
    currency: Currency
    every: Annotated[Interval, BeforeValidator(_interval)]
    """`1month`, `2week`, or a name: monthly, bimonthly, quarterly, semiannual, annual."""
    amount: Annotated[Decimal, AfterValidator(check_unit_amount)] | None = None
    """Price of one interval, in major units, where there is a single price."""
    per_seat: bool = False
    """Whether `amount` is for each unit of the quantity."""
    prices: tuple[Price, ...] = ()
    quantity: int = 1
    alignment: Alignment = Alignment.ANNIVERSARY
    billing_day: int | None = None
    """Day of the month on which periods start; None is the day of the anchor."""
    tax_included: bool = False
    features: tuple[Feature, ...] = ()
    """What a customer of this plan may use."""
    commitment_periods: int = 0
    """Billed periods that a customer agrees to."""
    early_exit_percent: Decimal | None = None
    """What leaving within them costs, of the periods that are left; None is nothing for consumers, all for others."""
    trial_days: int = 0
    trial_needs_method: bool = False
    without_method_at_trial_end: WithoutMethod = WithoutMethod.CANCEL
    dunning_policy: str | None = None
    collection_method: CollectionMethod = CollectionMethod.CHARGE
    payment_terms_days: int = 0
    payment_terms: TypedPaymentTerms | None = None
    """In place of the days alone, as `30 days` or `45 days, then end of month`."""
    custom: Custom = Field(default_factory=dict)

    def terms(self, plan_id: str) -> Terms:
        """What a subscription to this plan pays.

        Raises:
            InvalidInput: the price, the interval or another value cannot be billed; `field` names it.
            ValidationError: a value is out of range.
        """
        if self.id is not None:
            check_id(self.id, "plan", field="id")
        if (self.amount is None) == (not self.prices):
            raise InvalidInput("Give either one amount or a list of prices.", field="amount")
        # Refuses an interval that has no place in the calendar, before the first subscription does.
        Schedule(anchor=date(2027, 1, 1), interval=self.every, timezone="UTC", alignment=self.alignment)
        payment_terms = one_of_both(self.payment_terms, self.payment_terms_days or None) or PaymentTerms()
        return Terms(
            plan_id=plan_id,
            plan_name=self.name,
            currency=self.currency,
            interval=self.every,
            alignment=self.alignment,
            billing_day=self.billing_day,
            prices=self.prices or (self._single_price(),),
            quantity=self.quantity,
            tax_included=self.tax_included,
            features=self.features,
            commitment_periods=self.commitment_periods,
            early_exit_percent=self.early_exit_percent,
            trial_days=self.trial_days,
            trial_needs_method=self.trial_needs_method,
            without_method_at_trial_end=self.without_method_at_trial_end,
            dunning_policy=self.dunning_policy,
            collection_method=self.collection_method,
            payment_terms_days=payment_terms.days,
            payment_terms_month_end=payment_terms.month_end,
        )

    def _single_price(self) -> Price:
        model = PricingModel.PER_UNIT if self.per_seat else PricingModel.FLAT
        return Price(id="base", model=model, unit_amount=self.amount or Decimal(0))


class PlanChange(Value):
    """What is new about a plan beside its terms, which never change. None leaves it as it is."""

    custom: Custom | None = None
    archived: bool | None = None
    """Whether it is off the offer; subscriptions that have it keep it."""


class NewCoupon(Value):
    """A coupon to put on offer."""

    entity: str | None = None
    code: str = Field(pattern="^[A-Za-z0-9_-]{1,40}$")
    """What a customer types; capitals count."""
    name: str = Field(default="", max_length=60)
    """As customers read it; empty is the code."""
    percent: Decimal | None = None
    amount: Annotated[Decimal, AfterValidator(check_unit_amount)] | None = None
    """Off each billed period, in major units, before tax."""
    currency: Currency | None = None
    """Of the amount."""
    periods: int | None = Field(default=None, ge=1, le=1200)
    expires_on: date | None = None
    """Last day on which it is given, where the customer lives."""
    max_redemptions: int | None = Field(default=None, ge=1, le=1_000_000_000)

    def discount(self) -> Discount:
        """What it takes off.

        Raises:
            InvalidInput: neither or both of percent and amount, out of range, or an amount without its currency.
        """
        if (self.amount is None) != (self.currency is None):
            raise InvalidInput("An amount needs its currency, and a percent has none.", field="currency")
        discount = Discount(
            coupon_id=self.code,
            name=self.name or self.code,
            percent=self.percent,
            amount=self.amount,
            periods=self.periods,
        )
        if self.currency is not None:
            check_discount(discount, self.currency, field="amount")
        return discount


class NewCustomer(Value):
    """A buyer. A customer on a test clock takes all its subscriptions there."""

    id: str | None = None
    reference: Reference | None = None
    entity: str | None = None
    kind: CustomerKind = CustomerKind.CONSUMER
    name: str = Field(min_length=1, max_length=200)
    contacts: tuple[Contact, ...] = Field(min_length=1, max_length=10)
    """Who receives the mails."""
    locale: str = Field(default="fr", pattern="^[a-z]{2}([-_][A-Z]{2})?$")
    """`fr`, `fr-CA`, `en-GB`: French is written to in French, everybody else in English."""
    timezone: Zone = "Europe/Paris"
    vat_number: VatNumber = ""
    siren: Siren = ""
    address: Address | None = None
    evidence: LocationEvidence | None = None
    """Where they seem to be, beside the address: the country of the card, that of the IP address."""
    segment: Segment = ""
    """A group of customers that dunning policies may be for."""
    clock: str | None = None
    """Id of a test clock."""
    custom: Custom = Field(default_factory=dict)

    def check(self) -> None:
        """Refuse what the fields alone do not.

        Raises:
            InvalidInput: kind, numbers and address contradict each other, or the id is none of ours.
        """
        if self.id is not None:
            check_id(self.id, "cus", field="id")
        check_buyer(self.kind, vat_number=self.vat_number, siren=self.siren, address=self.address)


class CustomerChange(Value):
    """What is new about a customer beside the tax. None leaves it as it is."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    contacts: tuple[Contact, ...] | None = Field(default=None, min_length=1, max_length=10)
    locale: str | None = Field(default=None, pattern="^[a-z]{2}([-_][A-Z]{2})?$")
    custom: Custom | None = None
    segment: Segment | None = None
    """Empty takes it away. It counts for chases that begin later."""


class TaxFactsChange(Value):
    """What is new about a customer for the tax. None leaves it as it is; an empty number takes it away."""

    kind: CustomerKind | None = None
    vat_number: VatNumber | None = None
    siren: Siren | None = None
    address: Address | None = None
    evidence: LocationEvidence | None = None


class NewSubscription(Value):
    """A subscription to start. What is not given is the plan's."""

    id: str | None = None
    reference: Reference | None = None
    entity: str | None = None
    customer: Key
    plan: Key
    quantity: int | None = None
    amount: Annotated[Decimal, AfterValidator(check_unit_amount)] | None = None
    """Another price than the plan's, in major units, where the plan has a single one."""
    trial_days: int | None = Field(default=None, ge=0, le=730)
    dunning_policy: str | None = None
    agreed: Agreed = Agreed()
    """Anything else that was agreed with this customer."""
    discounts: tuple[Discount, ...] = Field(default=(), max_length=MAX_DISCOUNTS)
    """Taken off from the first billed period on."""
    coupons: tuple[str, ...] = Field(default=(), max_length=MAX_DISCOUNTS)
    """Codes of coupons on offer; each is given once."""
    starts_on: date | None = None
    """First day of service, local to the customer; None is today."""
    early_start_requested: bool = False
    """Whether a consumer asked expressly that the service begin within the 14 days for withdrawal. With it the days
    used until a withdrawal are kept, without it all goes back (rules 32). The record of the start keeps it."""
    custom: Custom = Field(default_factory=dict)
