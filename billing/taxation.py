"""Which VAT a sale carries: one decision from facts about seller, buyer and date, without looking anything up.

It is written for what Relance bills, services supplied electronically by a seller in a member state of the Union.
Sources: directive 2006/112/EC art. 44, 58, 59c, 196; regulation 282/2011 art. 18 and 24b; CGI art. 259, 259 B,
259 D, 283-2, 293 B, 294 to 296. The categories are those of UNTDID 5305 that EN 16931 allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Protocol

from pydantic import Field

from billing.errors import InvalidInput
from billing.subscription import CustomerKind
from billing.tax import Percent, TaxRate
from billing.tax_places import OVERSEAS_WITH_VAT, OVERSEAS_WITHOUT_VAT, TaxPlace
from billing.values import Value

STANDARD: Final = "standard"
EXEMPT: Final = "exempt"
TAX_CLASSES: Final = (STANDARD, "intermediate", "reduced", "super_reduced", EXEMPT)
"""What a price may say of its supply. A class that a place does not have is taxed at its standard rate."""

REVERSE_CHARGE_MENTION: Final = "reverse_charge"
SMALL_BUSINESS_MENTION: Final = "small_business"
NO_VAT_OVERSEAS_MENTION: Final = "no_vat_overseas"
OUTSIDE_EU_MENTION: Final = "outside_eu"
EXEMPT_MENTION: Final = "exempt_supply"
"""Keys of the sentences that a document prints for its treatment; the sentences are in `billing.tax_mentions`."""


class TreatmentKind(StrEnum):
    """Under which rule a sale is taxed, or not."""

    DOMESTIC = "domestic"
    """The law of the seller's own state, or its place could not be told."""
    OVERSEAS = "overseas"
    """French overseas departments: rates of their own, or no VAT."""
    REVERSE_CHARGE = "reverse_charge"
    """A business in another member state, which owes the VAT itself."""
    BELOW_THRESHOLD = "below_threshold"
    """Somebody in another member state who is no business, taxed by the seller's state: little is sold that way."""
    OSS = "oss"
    """The same beyond the threshold: VAT of the buyer's state, declared through the one stop shop."""
    OUTSIDE_EU = "outside_eu"
    """The place of supply is outside the VAT area of the Union."""


class NumberProof(Value):
    """What was known of a VAT number when the treatment was decided."""

    number: str
    valid: bool
    source: str
    """`vies`, or `offline`: judged by its check digits alone."""
    checked_at: datetime | None = None
    consultation: str = ""
    """The register's own number for the inquiry, which proves it."""


Country = Annotated[str, Field(pattern="^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""


class LocationEvidence(Value):
    """Where the buyer seems to be, country by country; None where nothing is known (regulation 282/2011 art. 24f)."""

    billing_country: Country | None = None
    card_country: Country | None = None
    ip_country: Country | None = None

    @property
    def proofs(self) -> tuple[str, ...]:
        """The countries that the pieces of evidence name."""
        return tuple(c for c in (self.billing_country, self.card_country, self.ip_country) if c)

    def supports(self, country: str, *, needed: int) -> bool:
        """Whether at least this many pieces name the country."""
        return self.proofs.count(country) >= needed


class SellerFacts(Value):
    """What of the seller matters."""

    place: TaxPlace
    small_business: bool = False
    """Exempt as a small business: in France `franchise en base` (CGI art. 293 B)."""
    oss_opted_in: bool = False
    """Taxes consumers of other member states at their rates from the first euro on (directive art. 59c(3))."""
    standard_percent: Percent | None = None
    """Replaces the standard rate of the seller's own place; all there is where the table knows no rate for it."""


class BuyerFacts(Value):
    """What of the buyer matters."""

    kind: CustomerKind = CustomerKind.CONSUMER
    place: TaxPlace | None = None
    """None: nothing is known."""
    number: NumberProof | None = None

    @property
    def is_taxable(self) -> bool:
        """Whether the buyer counts as a business for the place of supply.

        Who gave no valid number may be taken for none (regulation 282/2011 art. 18(2)); a legal person that is no
        business but has a number counts as one (directive art. 43(2)); a consumer never does.
        """
        has_number = self.number is not None and self.number.valid
        return has_number and self.kind is not CustomerKind.CONSUMER


class TaxFacts(Value):
    """All that the decision needs."""

    seller: SellerFacts
    buyer: BuyerFacts
    on: date
    """Date of the supply: decides which rate is in force."""
    threshold_passed: bool = False
    """Whether sales to consumers of other member states were above 10,000 EUR last year or are by now this year."""

    @property
    def within_one_state(self) -> bool:
        """Whether seller and buyer are under the law of one member state."""
        buyer = self.buyer.place
        return buyer is not None and buyer.country == self.seller.place.country and buyer.has_member_state_law

    @property
    def rests_on_threshold(self) -> bool:
        """Whether the sale is one that the threshold counts: only then `threshold_passed` says anything."""
        buyer = self.buyer.place
        crosses_borders = buyer is not None and buyer.is_in_the_eu and not self.within_one_state
        return crosses_borders and self.seller.place.has_member_state_law and not self.buyer.is_taxable


class RateTable(Protocol):
    """Rates by place and date. `billing.vat_rates` reads one from a file; another source fits in its place."""

    def percents(self, place: TaxPlace, on: date) -> Mapping[str, Decimal]:
        """Percent by tax class in force on a date; empty where the place is not known."""
        ...


class TaxTreatment(Value):
    """How every line of one document is taxed. Frozen on the document: a credit note keeps its invoice's."""

    kind: TreatmentKind
    country: str
    """State whose VAT is charged, or in which the supply is placed; ISO 3166-1."""
    territory: str | None = None
    mention: str = ""
    """Key of the sentence that the document must print; empty for none."""
    rates: dict[str, TaxRate]
    """By tax class; always has `standard`."""
    buyer_country: str | None = None
    """Where the buyer is, as VAT sees it; None where that is not known."""
    proof: NumberProof | None = None
    """Of the buyer's VAT number, where it gave one."""
    evidence: LocationEvidence | None = None

    def rate_for(self, tax_class: str) -> TaxRate:
        """The rate of a line. A class that the place does not have is taxed at its standard rate."""
        return self.rates.get(tax_class, self.rates[STANDARD])

    def mention_for(self, rate: TaxRate) -> str:
        """Key of the sentence that explains why a line at this rate bears no VAT; empty where it does."""
        if rate.percent or rate.category == "Z":
            return ""
        return self.mention if rate.category == self.rates[STANDARD].category else EXEMPT_MENTION

    @property
    def consumed_in(self) -> str | None:
        """The member state of a buyer who is no business and not in the seller's state: what the threshold counts."""
        cross_border = (TreatmentKind.BELOW_THRESHOLD, TreatmentKind.OSS)
        return self.buyer_country if self.kind in cross_border else None

    def taxes_like(self, other: TaxTreatment) -> bool:
        """Whether lines of both may stand on one document (rules 11): same rule, same place, same rates."""
        return (self.kind, self.country, self.territory, self.mention, self.rates) == (
            other.kind,
            other.country,
            other.territory,
            other.mention,
            other.rates,
        )


class NoRate(InvalidInput):
    """No VAT rate is known for a place and date."""


def treatment_for(facts: TaxFacts, rates: RateTable) -> TaxTreatment:
    """Decide how a sale is taxed.

    Args:
        facts: about seller, buyer and date.
        rates: in force.

    Raises:
        NoRate: the place is known and its rate is not.
    """
    rules = _Rules(facts, rates)
    buyer = facts.buyer.place
    if not facts.seller.place.has_member_state_law or buyer is None:
        return rules.at_home(TreatmentKind.DOMESTIC)
    if facts.within_one_state:
        return rules.within_one_state(buyer)
    if not buyer.is_in_the_eu:
        return rules.untaxed(TreatmentKind.OUTSIDE_EU, buyer, "O", OUTSIDE_EU_MENTION)
    if not facts.rests_on_threshold:
        return rules.untaxed(TreatmentKind.REVERSE_CHARGE, buyer, "AE", REVERSE_CHARGE_MENTION)
    if facts.seller.oss_opted_in or facts.threshold_passed:
        return rules.taxed(TreatmentKind.OSS, buyer, rules.percents(buyer))
    return rules.at_home(TreatmentKind.BELOW_THRESHOLD)


class _Rules:
    """The ways in which a treatment is put together."""

    def __init__(self, facts: TaxFacts, rates: RateTable) -> None:
        self._facts = facts
        self._rates = rates

    def within_one_state(self, buyer: TaxPlace) -> TaxTreatment:
        """Seller and buyer under one law, which may have other rates where the buyer is (BOI-TVA-GEO-20-40)."""
        if buyer.territory in OVERSEAS_WITHOUT_VAT:
            return self.untaxed(TreatmentKind.OVERSEAS, buyer, "O", NO_VAT_OVERSEAS_MENTION)
        kind = TreatmentKind.OVERSEAS if buyer.territory in OVERSEAS_WITH_VAT else TreatmentKind.DOMESTIC
        if self._facts.seller.small_business:
            return self._small_business(kind, buyer)
        return self.taxed(kind, buyer, self.percents(buyer))

    def at_home(self, kind: TreatmentKind) -> TaxTreatment:
        """Taxed as if the buyer were next door."""
        home = self._facts.seller.place
        if home.territory in OVERSEAS_WITHOUT_VAT:
            return self.untaxed(kind, home, "O", NO_VAT_OVERSEAS_MENTION)
        if self._facts.seller.small_business:
            return self._small_business(kind, home)
        return self.taxed(kind, home, self.percents(home))

    def taxed(self, kind: TreatmentKind, place: TaxPlace, percents: Mapping[str, Decimal]) -> TaxTreatment:
        """VAT is charged, at these rates."""
        rates = {name: _taxed_rate(percent) for name, percent in percents.items()}
        return self._treatment(kind, place, "", {**rates, EXEMPT: TaxRate(category="E", percent=Decimal(0))})

    def untaxed(self, kind: TreatmentKind, place: TaxPlace, category: str, mention: str) -> TaxTreatment:
        """No VAT is charged; a price with tax loses the VAT that it contains at home (rules 6)."""
        contained = self._contained()
        rates = {
            name: TaxRate(category=category, percent=Decimal(0), contained_percent=contained.get(name))
            for name in (STANDARD, *contained, EXEMPT)
        }
        return self._treatment(kind, place, mention, rates)

    def _small_business(self, kind: TreatmentKind, place: TaxPlace) -> TaxTreatment:
        rate = TaxRate(category="E", percent=Decimal(0))
        return self._treatment(kind, place, SMALL_BUSINESS_MENTION, {STANDARD: rate, EXEMPT: rate})

    def percents(self, place: TaxPlace) -> Mapping[str, Decimal]:
        """The rates of a place, with the seller's own choice for its own place."""
        seller = self._facts.seller
        known = dict(self._rates.percents(place, self._facts.on))
        if place == seller.place and seller.standard_percent is not None:
            known[STANDARD] = seller.standard_percent
        if STANDARD not in known:
            where = f"{place.country} ({place.territory})" if place.territory else place.country
            raise NoRate(
                f"No standard VAT rate of {where} is known on {self._facts.on}. Add it to the table of rates "
                "(RELANCE_VAT_RATES), or give the seller its own vat_percent.",
                field="vat_percent",
            )
        return known

    def _contained(self) -> dict[str, Decimal]:
        """What prices with tax contain: the seller's own VAT, where it has any."""
        home = self._facts.seller.place
        if self._facts.seller.small_business or home.territory in OVERSEAS_WITHOUT_VAT:
            return {}
        return {name: percent for name, percent in self.percents(home).items() if percent}

    def _treatment(
        self, kind: TreatmentKind, place: TaxPlace, mention: str, rates: dict[str, TaxRate]
    ) -> TaxTreatment:
        buyer = self._facts.buyer
        return TaxTreatment(
            kind=kind,
            country=place.country,
            territory=place.territory,
            mention=mention,
            rates=rates,
            buyer_country=None if buyer.place is None else buyer.place.country,
            proof=buyer.number,
        )


def _taxed_rate(percent: Decimal) -> TaxRate:
    """A rate of zero is its own category (EN 16931 BR-Z)."""
    return TaxRate(category="S" if percent else "Z", percent=percent)
