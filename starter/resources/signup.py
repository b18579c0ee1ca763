"""Ways to sign up by oneself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from billing.discounts import MAX_DISCOUNTS
from starter.resources.common import Body, Key, Metadata, Reference, Resource, example
from starter.resources.subscriptions import CouponCode, FirstPayment, Quantity

Url = Annotated[str, Field(max_length=500)]


class Prefilled(Body):
    """What you know of the buyer already. It stands in the form, and they may change it."""

    kind: Literal["consumer", "business"] | None = None
    name: Annotated[str, Field(max_length=200)] = ""
    email: Annotated[str, Field(max_length=254)] = ""
    line1: Annotated[str, Field(max_length=200)] = ""
    line2: Annotated[str, Field(max_length=200)] = ""
    postal_code: Annotated[str, Field(max_length=20)] = ""
    city: Annotated[str, Field(max_length=100)] = ""
    country: Annotated[str, Field(pattern="^([A-Z]{2})?$", examples=["FR"])] = ""
    """ISO 3166-1; your own, if not given."""
    vat_number: Annotated[str, Field(max_length=30)] = ""
    siren: Annotated[str, Field(max_length=20)] = ""


class NewSignupSession(Body):
    """A page on which somebody signs up for a plan."""

    model_config = example(
        plan="ref:pro-monthly",
        reference="acme",
        success_url="https://app.example.com/welcome",
        cancel_url="https://app.example.com/prices",
        terms_url="https://example.com/terms",
        terms_version="2027-01",
    )

    plan: Annotated[Key, Field(examples=["ref:pro-monthly"])]
    quantity: Quantity | None = None
    """Seats; the plan's, if not given."""
    coupons: Annotated[tuple[CouponCode, ...], Field(max_length=MAX_DISCOUNTS)] = ()
    reference: Reference | None = None
    """Your own name for the subscription that comes of it."""
    customer_reference: Reference | None = None
    """Your own name for the customer that comes of it: a new one, always."""
    customer: Prefilled = Prefilled()
    language: Literal["fr", "en"] | None = None
    """Of the page; the browser's, if not given. The buyer may choose."""
    timezone: Annotated[str, Field(max_length=60, examples=["Europe/Paris"])] = "Europe/Paris"
    """Of the customer: periods and reminders are on its calendar."""
    success_url: Url
    """Where the buyer goes on to: below one of the addresses of `RELANCE_PORTAL_RETURN_URLS`. `{SIGNUP_SESSION_ID}` in
    it becomes the session's id."""
    cancel_url: Url | None = None
    """Where they go back to without ordering; likewise."""
    terms_url: Url = ""
    """Of your terms of sale. With it they have to be accepted; address and version are kept with the order."""
    terms_version: Annotated[str, Field(max_length=100)] = ""
    expires_in_hours: Annotated[int, Field(ge=1, le=720)] = 24
    """Until when it can be ordered."""
    test_clock: Annotated[str, Field(max_length=70)] | None = None
    """Id of a test clock, on which the customer and the subscription then live."""
    metadata: Metadata = Field(default_factory=dict)
    """For the subscription."""


class Accepted(Resource):
    """What was agreed to by ordering."""

    at: datetime
    due_minor: int
    """What was shown as due at once, tax included."""
    currency: str
    button: str
    """The words on the order button."""
    terms_url: str
    terms_version: str
    debit_text: str
    """By which they authorised the debits."""
    debit_version: str
    early_start: bool
    """A consumer asked expressly that the service begin within the 14 days for withdrawal."""
    early_start_text: str
    language: str
    ip_address: str
    user_agent: str


class SignupSession(Resource):
    """A way to sign up, and what came of it."""

    object: Literal["signup_session"] = "signup_session"
    id: Annotated[str, Field(examples=["su_01k6xhz8m2q4v7w9y1b3d5f7"])]
    state: Literal["open", "completed", "expired"]
    url: str | None
    """The page, for whoever has it: give it to the buyer, and to nobody else. None once it takes no order any more."""
    plan: str
    quantity: int | None
    coupons: tuple[str, ...]
    reference: str | None
    customer_reference: str | None
    language: str | None
    success_url: str
    cancel_url: str | None
    terms_url: str
    terms_version: str
    test_clock: str | None
    metadata: dict[str, Any]
    expires_at: datetime
    created_at: datetime
    completed_at: datetime | None
    customer: str | None
    """That came of it."""
    subscription: str | None
    """That came of it."""
    accepted: Accepted | None
    first_payment: FirstPayment | None
    """What came of the first payment; None before the order."""
