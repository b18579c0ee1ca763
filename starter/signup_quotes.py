"""What signing up costs, before there is a customer: from the very values that billing writes."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.coupons import offered_at_start
from activities.books.previewing import NextInvoice, PreviewLine, next_invoice
from activities.books.rows import get
from activities.books.taxing import treatment_of
from activities.vat_checks import RegisterReply, first_proof
from billing import lifecycle
from billing.calendar import local_date
from billing.discounts import Discount
from billing.errors import InvalidInput
from billing.shown_prices import ShownPrices, shown_prices
from billing.subscription import CustomerKind, Subscription
from billing.tax import Totals
from billing.tax_mentions import mention
from billing.taxation import TaxTreatment
from billing.terms import CollectionMethod, Terms
from billing.upcoming import price_of_a_period
from billing.values import Value
from models.ids import derived_id
from models.parties import Address
from models.signup import OfferLine, SignupOffer
from models.tables import Customer, LegalEntity, Plan, SignupSession
from starter.connections import Connections
from starter.orders import NewSubscription
from starter.subscriptions import agreed_terms, first_state


class OfferGone(InvalidInput):
    """What was offered is not to be had any more: the plan was archived, or a coupon has run out."""


class SignupQuote(Value):
    """What somebody gets who orders now, and what it costs. It holds for one day, and for whoever is taxed so."""

    terms: Terms
    on: date
    """The customer's date."""
    trial_end_on: date | None
    """First day after the trial; None without one."""
    committed_until: date | None
    """First day after the periods that the customer agrees to; None without a commitment."""
    today: NextInvoice | None
    """What is billed at once; None in a trial."""
    then: NextInvoice | None
    """What is billed next; what is used is not known yet."""
    discounts: tuple[Discount, ...] = ()
    """Already taken off."""
    regular_minor: int
    """What a whole period costs with tax, before discounts and without one-off prices."""
    usage: ShownPrices
    """Of what is billed afterwards."""
    treatment: TaxTreatment
    tax_note_fr: str = ""
    tax_note_en: str = ""
    """Why there is no VAT; empty where there is."""

    @property
    def due_minor(self) -> int:
        """What is charged, or asked for, at once; tax included."""
        return self.today.due_minor if self.today is not None else 0

    @property
    def vat_percent(self) -> Decimal | None:
        """The rate of what is billed at once; None where there are several, or nothing is billed."""
        rates = {line.vat_percent for line in self.today.lines} if self.today is not None else set()
        return rates.pop() if len(rates) == 1 else None

    @property
    def is_charged(self) -> bool:
        """Whether invoices are charged to a payment method, and not paid by transfer."""
        return self.terms.collection_method is CollectionMethod.CHARGE

    @property
    def is_free(self) -> bool:
        """Whether nothing is to be paid, now or later."""
        coming = self.then.total_minor if self.then is not None else 0
        return not (self.due_minor or coming or self.regular_minor or self.terms.metered_prices)

    @property
    def needs_method(self) -> bool:
        """Whether it begins only with a payment method: a trial may begin without, where the plan says so."""
        if not self.is_charged or self.is_free:
            return False
        return self.trial_end_on is None or self.terms.trial_needs_method


def fingerprint(row: SignupSession, offer: SignupQuote) -> str:
    """Another one for everything that a buyer sees before they order: lines, amounts, days, terms, who, and how."""
    seen = {
        "offer": offer.model_dump(mode="json", exclude={"treatment": {"proof", "evidence"}}),
        "fields": row.fields,
        "method": row.method,
        "terms": [row.terms_url, row.terms_version],
    }
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:32]


def as_ordered(offer: SignupQuote) -> SignupOffer:
    """What is kept with the order, and confirmed by mail."""
    terms, today, then = offer.terms, offer.today, offer.then
    return SignupOffer(
        on=offer.on,
        plan_name=terms.plan_name,
        quantity=terms.quantity if terms.has_unit_price else None,
        every=terms.interval,
        lines=tuple(_line(line) for line in today.lines) if today is not None else (),
        vat_minor=today.vat_minor if today is not None else 0,
        total_minor=offer.due_minor,
        regular_minor=offer.regular_minor,
        next_on=then.on if then is not None and then.total_minor else None,
        next_minor=then.total_minor if then is not None and then.total_minor else None,
        trial_end_on=offer.trial_end_on,
        committed_until=offer.committed_until,
        discounts=offer.discounts,
        usage=offer.usage,
        by_transfer=not offer.is_charged,
        tax_note_fr=offer.tax_note_fr,
        tax_note_en=offer.tax_note_en,
    )


def _line(line: PreviewLine) -> OfferLine:
    name = f"{line.plan_name}, {line.description}" if line.description else line.plan_name
    if line.quantity != 1:
        name += f" × {line.quantity}"  # noqa: RUF001 - the sign that invoices are printed with
    return OfferLine(description=name, net_minor=line.net_minor)


async def quote(session: AsyncSession, to: Connections, row: SignupSession) -> SignupQuote:
    """What this session's plan costs whoever is in its form, as far as that is filled in.

    Raises:
        OfferGone: it is not to be had any more.
        InvalidInput: the quantity does not fit the plan, or no rate is known for the place; `field` names it.
    """
    plan = await get(session, Plan, row.plan_id, field="plan")
    if plan.archived_at is not None:
        raise OfferGone(f"The plan {plan.name} is no longer on offer.", field="plan")
    entity = await get(session, LegalEntity, row.entity_id, field="entity")
    now = await to.now(session, row.clock_id)
    buyer = _buyer(row)
    order = NewSubscription(customer=buyer.id, plan=plan.id, quantity=row.quantity)
    terms = agreed_terms(plan.terms, order)
    today = local_date(now, row.timezone)
    discounts = await _discounts(session, row, terms, today)
    sub = first_state(
        buyer,
        terms,
        subscription_id=subscription_id_of(row),
        starts_on=today,
        discounts=discounts,
        settings=to.settings,
        now=now,
    )
    proof = first_proof(buyer.vat_number, RegisterReply(**row.vat_reply)) if row.vat_reply else None
    treatment = await treatment_of(
        session, entity, buyer, local_date(now, entity.timezone), to.rules, proof=proof
    )
    return _quoted(sub, treatment, entity)


def _quoted(sub: Subscription, treatment: TaxTreatment, entity: LegalEntity) -> SignupQuote:
    # Whoever gives no method is shown what comes once they do.
    after = lifecycle.start(sub, gate=False).after.model_copy(update={"has_method": True})
    begins = after.trial_end_on or sub.starts_on
    bears = price_of_a_period(sub.terms, begins, sub.timezone, treatment)
    note = _tax_note(treatment, bears, entity)
    paid = sub if after.trial_end_on is None else lifecycle.end_trial(after, sub.signed_up_at).after
    return SignupQuote(
        terms=sub.terms,
        on=sub.starts_on,
        trial_end_on=after.trial_end_on,
        committed_until=after.committed_until or paid.committed_until,
        today=next_invoice(sub, treatment) if after.trial_end_on is None else None,
        then=next_invoice(after, treatment),
        discounts=sub.discounts,
        regular_minor=bears.total_minor,
        usage=shown_prices(
            sub.terms.model_copy(update={"prices": sub.terms.metered_prices}), sub.customer_kind, treatment
        ),
        treatment=treatment,
        tax_note_fr=note[0],
        tax_note_en=note[1],
    )


def _tax_note(treatment: TaxTreatment, bears: Totals, entity: LegalEntity) -> tuple[str, str]:
    if bears.vat_minor or not treatment.mention:
        return "", ""
    said = mention(treatment.mention, seller_country=entity.address.country)
    return said.fr, said.en


async def _discounts(
    session: AsyncSession, row: SignupSession, terms: Terms, today: date
) -> tuple[Discount, ...]:
    try:
        return await offered_at_start(
            session, row.coupons, entity_id=row.entity_id, currency=terms.currency, today=today
        )
    except InvalidInput as gone:
        raise OfferGone(gone.message, field=gone.field) from gone


def _buyer(row: SignupSession) -> Customer:
    """Whoever is in the form, as a customer that the books do not have."""
    fields = row.fields
    return Customer(
        id=customer_id_of(row),
        entity_id=row.entity_id,
        kind=fields.get("kind") or CustomerKind.CONSUMER.value,
        name=fields.get("name", ""),
        vat_number=fields.get("vat_number", "") if row.vat_reply or row.is_filled_in else "",
        address=address_of(fields),
        timezone=row.timezone,
        clock_id=row.clock_id,
        created_at=row.created_at,
    )


def address_of(fields: dict[str, str]) -> Address | None:
    """The address in a form; while only its country is known, as much of it as decides the tax."""
    if not fields.get("country"):
        return None
    return Address.model_construct(
        line1=fields.get("line1", ""),
        line2=fields.get("line2", ""),
        postal_code=fields.get("postal_code", ""),
        city=fields.get("city", ""),
        country=fields["country"],
    )


def customer_id_of(row: SignupSession) -> str:
    """The customer that comes of a session, whoever carries it out and how often."""
    return derived_id("cus", row.id)


def subscription_id_of(row: SignupSession) -> str:
    """The subscription, likewise."""
    return derived_id("sub", row.id)
