"""Customers, what they may use, how they pay and what is held for them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from billing.entitlements import FeatureUse
from billing.mandates import SCHEME_NOTICE_DAYS
from billing.refund import MoneySource
from billing.subscription import CustomerKind
from billing.taxation import LocationEvidence
from models.parties import Address, Contact
from starter.resources.common import (
    Body,
    EntityId,
    Instant,
    Key,
    Metadata,
    MinorUnits,
    Reason,
    Reference,
    Resource,
    example,
)

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Acme SARL"])]
Contacts = Annotated[
    tuple[Contact, ...],
    Field(
        min_length=1,
        max_length=10,
        description="Who receives the mails.",
        examples=[[{"email": "billing@acme.example"}]],
    ),
]
LocaleCode = Annotated[
    str,
    Field(
        pattern="^[a-z]{2}([-_][A-Z]{2})?$", description="French is written to in French.", examples=["fr"]
    ),
]
Segment = Annotated[str, Field(max_length=60, description="A group that dunning policies may be for.")]


class CustomerContent(Body):
    """Everything about a customer that its caller decides."""

    model_config = example(
        kind="business",
        name="Acme SARL",
        contacts=[{"email": "billing@acme.example", "name": "Ada"}],
        locale="fr",
        vat_number="FR40303265045",
        address={"line1": "12 rue de la Paix", "postal_code": "75002", "city": "Paris", "country": "FR"},
    )

    kind: CustomerKind = CustomerKind.CONSUMER
    """As far as the law treats them differently."""
    name: Name
    contacts: Contacts
    locale: LocaleCode = "fr"
    timezone: Annotated[str, Field(max_length=60, examples=["Europe/Paris"])] = "Europe/Paris"
    """IANA zone: periods and reminders are on its calendar. It stays as it was at the start."""
    vat_number: Annotated[str, Field(max_length=40, examples=["FR40303265045"])] = ""
    siren: Annotated[str, Field(max_length=20)] = ""
    address: Address | None = None
    evidence: LocationEvidence | None = None
    """Where they seem to be, beside the address."""
    segment: Segment = ""
    test_clock: Annotated[str, Field(max_length=70)] | None = None
    """Id of a test clock, on which all their subscriptions then live."""
    metadata: Metadata = Field(default_factory=dict)


class NewCustomer(CustomerContent):
    """A customer to create."""

    reference: Reference | None = None
    legal_entity: EntityId | None = None


class CustomerUpdate(Body):
    """What is new about a customer. What is not sent stays."""

    model_config = example(contacts=[{"email": "new@acme.example"}], metadata={"crm": "1234"})

    kind: CustomerKind | None = None
    name: Name | None = None
    contacts: Contacts | None = None
    locale: LocaleCode | None = None
    vat_number: Annotated[str, Field(max_length=40)] | None = None
    """Empty takes it away."""
    siren: Annotated[str, Field(max_length=20)] | None = None
    address: Address | None = None
    evidence: LocationEvidence | None = None
    segment: Segment | None = None
    metadata: Metadata | None = None


class Customer(Resource):
    """Somebody who buys."""

    id: Annotated[str, Field(examples=["cus_01k6xhz8m2q4v7w9y1b3d5f7"])]
    object: Literal["customer"] = "customer"
    reference: str | None
    legal_entity: str
    kind: CustomerKind
    name: str
    contacts: tuple[Contact, ...]
    locale: str
    timezone: str
    vat_number: str
    siren: str
    address: Address | None
    evidence: LocationEvidence | None
    segment: str | None
    default_payment_method: str | None
    provider_id: str | None
    """The customer at Stripe."""
    test_clock: str | None
    metadata: dict[str, JsonValue]
    created_at: datetime


class Entitlement(Resource):
    """What one subscription gives its customer now."""

    subscription: str
    reference: str | None
    plan: str
    plan_name: str
    quantity: int
    status: str
    entitled: bool
    """Whether the service may be used at all."""
    access_until: datetime | None
    """Until when this may be relied on without asking again; None where the customer is not entitled."""
    reason: str
    current_period_start: date | None
    current_period_end: date | None
    """Exclusive."""
    features: tuple[FeatureUse, ...]


class Entitlements(Resource):
    """What a customer may use, by subscription, oldest first; those that have ended are there too."""

    object: Literal["entitlements"] = "entitlements"
    customer: str
    entitled: bool
    """Whether any of the subscriptions lets them in."""
    access_until: datetime | None
    """The latest of those."""
    subscriptions: tuple[Entitlement, ...]


class NewMandate(Body):
    """What the payer of a SEPA account accepted."""

    accepted_at: Instant | None = None
    """With it the mandate is made at Stripe; not given where the payer accepted it there."""
    ip_address: Annotated[str, Field(max_length=45)] = ""
    """Of a payer who accepted online; empty for one on paper."""
    user_agent: Annotated[str, Field(max_length=500)] = ""
    notice_days: Annotated[int, Field(ge=1, le=SCHEME_NOTICE_DAYS)] | None = None
    """Calendar days of notice that its text agrees to."""
    text: Annotated[str, Field(max_length=5_000)] = ""
    """As it was shown, in one line."""
    text_version: Annotated[str, Field(max_length=100)] = ""


class Mandate(Resource):
    """A customer's consent to debits of one account, with its proof."""

    id: Annotated[str, Field(examples=["mdt_01k6xhz8m2q4v7w9y1b3d5f7"])]
    object: Literal["mandate"] = "mandate"
    customer: str
    payment_method: str
    account: Annotated[str, Field(examples=["SEPA 7061"])]
    reference: str
    """Unique mandate reference, as on the payer's bank statement."""
    creditor_id: Annotated[str, Field(examples=["FR72ZZZ123456"])]
    """SEPA creditor identifier of the seller when it was accepted."""
    notice_days: int
    """Calendar days of notice before each debit."""
    accepted_at: datetime
    accepted_on: date
    text: str
    text_version: str
    evidence: str
    """Where the proof is of one that was accepted in another system."""
    ip_address: str
    user_agent: str
    document_url: str
    """The mandate as Stripe shows it."""
    last_debit_on: date | None
    expires_on: date
    """The last day on which it may be used if it is not used before."""
    in_force: bool
    ended_at: datetime | None
    ended_because: str


class RevokeMandate(Body):
    """The customer takes a mandate back."""

    reason: Annotated[Reason, Field(min_length=1, examples=["by letter of 3 May"])]


class NewPaymentMethod(Body):
    """A payment method that the customer gave, to be charged from now on."""

    model_config = example(customer="ref:acme", token="pm_card_visa")  # noqa: S106 - a name of Stripe's

    customer: Key
    token: Annotated[
        str, Field(min_length=1, max_length=100, pattern="^[A-Za-z0-9_]+$", examples=["pm_card_visa"])
    ]
    """Stripe's payment method, from Elements or a SetupIntent."""
    as_default: bool = True
    """Whether it is charged from now on, also for what is open; a first one always is."""
    mandate: NewMandate | None = None
    """Of a SEPA account."""


class OfCustomer(Body):
    """Whose payment method is meant."""

    customer: Key


class BackupMethod(OfCustomer):
    """A card that stands in where the default method is dead or needs the customer."""

    model_config = example(customer="ref:acme", agreed=True)

    agreed: bool
    """The customer agreed that it is charged without being asked."""


class PaymentMethod(Resource):
    """A card or a mandate."""

    id: str
    object: Literal["payment_method"] = "payment_method"
    customer: str
    kind: str
    brand: str
    last4: str
    exp_month: int | None
    exp_year: int | None
    is_default: bool
    is_backup: bool
    """It stands in for the default one."""
    removed_at: datetime | None
    stopped: bool
    """It is never charged again, since the bank said that it may be stolen."""
    provider_id: str
    created_at: datetime


class SavedPaymentMethod(PaymentMethod):
    """A payment method that was just saved."""

    charging: tuple[str, ...]
    """Open invoices that are charged with it now, oldest first."""
    announced: bool
    """Whether the customer is told of those charges first, days before: they are SEPA debits."""


class RemovedPaymentMethod(Resource):
    """A payment method that was taken away, here and at Stripe."""

    id: str
    object: Literal["payment_method"] = "payment_method"
    customer: str
    takes_over: str | None
    """The backup, which is the default from now on."""


class NewSetupIntent(Body):
    """A customer is to save a payment method in your own page."""

    customer: Key


class SetupIntent(Resource):
    """What Stripe's front end needs to save a payment method; the method's id then goes to `payment_methods`."""

    id: str
    object: Literal["setup_intent"] = "setup_intent"
    customer: str
    status: str
    client_secret: str
    """For the customer's browser only."""


class Balance(Resource):
    """What is held for a customer, in one currency."""

    currency: str
    balance_minor: int
    """Credits; they pay later invoices."""
    unapplied_minor: int
    """Money that no invoice claimed."""


class Balances(Resource):
    """What is held for a customer."""

    object: Literal["balances"] = "balances"
    customer: str
    balances: tuple[Balance, ...]


class GiveBack(Body):
    """Money that is held for a customer, to be sent back on their payments."""

    model_config = example(amount_minor=1200, reason="asked by phone")

    source: MoneySource = MoneySource.UNAPPLIED
    amount_minor: MinorUnits | None = None
    """All that is held, if not given."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    """Needed where several are held."""
    reason: Annotated[Reason, Field(min_length=1)]


class GivenBack(Resource):
    """What goes back."""

    object: Literal["money_back"] = "money_back"
    customer: str
    amount_minor: int
    currency: str
    refunds: tuple[str, ...]
    held_minor: int
    """What is still held there."""
