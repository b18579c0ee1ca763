"""How a sale to a customer is taxed, from the rows: no network, so it can be asked while a document is written."""

from __future__ import annotations

from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.one_stop_shop import threshold_is_passed
from activities.vat_checks import proof_of
from billing.subscription import CustomerKind
from billing.tax_places import TaxPlace, place_of
from billing.taxation import (
    BuyerFacts,
    LocationEvidence,
    NumberProof,
    SellerFacts,
    TaxFacts,
    TaxTreatment,
    treatment_for,
)
from models.tables import Customer, Invoice, LegalEntity


async def treatment_of(
    session: AsyncSession,
    entity: LegalEntity,
    customer: Customer,
    on: date,
    rules: BookRules,
    *,
    adding_eur_minor: int = 0,
    proof: NumberProof | None = None,
) -> TaxTreatment:
    """How a sale is taxed.

    Args:
        session: for reading, or the transaction that issues.
        entity: the seller.
        customer: the buyer, as they are known now: a number added or lost applies from the next issue.
        on: date of issue in the seller's zone.
        rules: with the table of rates.
        adding_eur_minor: net of the sale: the one that passes the threshold is already taxed beyond it.
        proof: what is known of the number of somebody whom the books do not have yet.

    Raises:
        NoRate: no rate is known for a place.
    """
    facts = await facts_of(session, entity, customer, on, adding_eur_minor=adding_eur_minor, proof=proof)
    treatment = treatment_for(facts, rules.rates)
    return treatment.model_copy(update={"evidence": evidence_of(customer)})


async def facts_of(
    session: AsyncSession,
    entity: LegalEntity,
    customer: Customer,
    on: date,
    *,
    adding_eur_minor: int = 0,
    proof: NumberProof | None = None,
) -> TaxFacts:
    """What the decision rests on; see `treatment_of`. The year's sales are summed up only where they matter."""
    facts = TaxFacts(
        seller=seller_facts(entity),
        buyer=BuyerFacts(
            kind=CustomerKind(customer.kind),
            place=buyer_place(customer),
            number=proof or await proof_of(session, customer),
        ),
        on=on,
    )
    if not facts.rests_on_threshold:
        return facts
    passed = await threshold_is_passed(
        session,
        entity_id=entity.id,
        clock_id=customer.clock_id,
        year=on.year,
        adding_eur_minor=adding_eur_minor,
    )
    return facts.model_copy(update={"threshold_passed": passed})


def seller_facts(entity: LegalEntity) -> SellerFacts:
    """What of the seller matters."""
    return SellerFacts(
        place=place_of(entity.address.country, entity.address.postal_code),
        small_business=entity.small_business,
        oss_opted_in=entity.oss_opted_in,
        standard_percent=entity.vat_percent,
    )


def check_taxable(entity: LegalEntity, on: date, rules: BookRules) -> None:
    """Refuse a seller whose own rate is not known: it could not sell to anybody.

    Raises:
        NoRate: it says what to give.
    """
    treatment_for(TaxFacts(seller=seller_facts(entity), buyer=BuyerFacts(), on=on), rules.rates)


def buyer_place(customer: Customer) -> TaxPlace | None:
    """Where the buyer is: by the address, else where every piece of evidence says; None where nothing is known."""
    if customer.address is not None:
        return place_of(customer.address.country, customer.address.postal_code)
    named = set(customer.evidence.proofs) if customer.evidence else set()
    return place_of(named.pop()) if len(named) == 1 else None


def evidence_of(customer: Customer) -> LocationEvidence | None:
    """What is known of the buyer's place, as it goes onto the document; the address is a piece of it."""
    known = customer.evidence or LocationEvidence()
    if customer.address is not None:
        known = known.model_copy(update={"billing_country": customer.address.country})
    return known if known.proofs else None


def mark_sale(invoice: Invoice, treatment: TaxTreatment) -> None:
    """Write beside an invoice what the threshold and the one stop shop are counted by."""
    invoice.tax_kind, invoice.consumed_in = treatment.kind.value, treatment.consumed_in
