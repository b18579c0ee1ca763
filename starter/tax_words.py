"""A tax decision in plain words: what, by which rule, and from which facts."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from billing.taxation import SMALL_BUSINESS_MENTION, STANDARD, BuyerFacts, NumberProof, TreatmentKind

if TYPE_CHECKING:
    from billing.tax_places import TaxPlace
    from billing.taxation import TaxTreatment
    from starter.taxes import TaxExplained

_RULES: Final = {
    TreatmentKind.DOMESTIC: "Seller and buyer are in one State, so its VAT is charged.",
    TreatmentKind.OVERSEAS: "The buyer is in a French overseas department, which has rules of its own "
    "(CGI art. 294 to 296, BOI-TVA-GEO-20-40).",
    TreatmentKind.REVERSE_CHARGE: "A business of another member state with a valid VAT number owes the VAT itself "
    "(directive 2006/112/EC art. 44 and 196, CGI art. 283-2).",
    TreatmentKind.BELOW_THRESHOLD: "A buyer in another member state who is no business, while such sales are at most "
    "10,000 EUR this year and last: the seller's State taxes (directive 2006/112/EC art. 59c, CGI art. 259 D).",
    TreatmentKind.OSS: "A buyer in another member state who is no business: the VAT of that State is charged and "
    "declared in the one stop shop (directive 2006/112/EC art. 58 and 59c).",
    TreatmentKind.OUTSIDE_EU: "The buyer is outside the VAT area of the European Union, where the service is placed: "
    "no member state's VAT (directive 2006/112/EC art. 44, 58 and 59).",
}


def what(treatment: TaxTreatment) -> str:
    """The outcome in one line: `20 % VAT of FR`, `No VAT: reverse charge`."""
    rate = treatment.rates[STANDARD]
    where = treatment.country + (f" ({_plain(treatment.territory)})" if treatment.territory else "")
    if rate.percent:
        return f"{number(rate.percent)} % VAT of {where}"
    return f"No VAT: {_plain(treatment.mention) or 'rate of zero'} ({where})"


def why(explained: TaxExplained) -> list[str]:
    """The rule and the facts that led to it, a sentence each."""
    treatment, seller, buyer = explained.treatment, explained.facts.seller, explained.facts.buyer
    sentences = [
        "Nothing is known of where the buyer is, so the seller's own VAT is charged."
        if buyer.place is None
        else _RULES[treatment.kind]
    ]
    if treatment.mention == SMALL_BUSINESS_MENTION:
        sentences.append("The seller is exempt as a small business.")
    sentences.append(f"The seller is in {_place(seller.place)}, the buyer in {_place(buyer.place)}.")
    sentences.append(_buyer(buyer))
    if treatment.kind in (TreatmentKind.OSS, TreatmentKind.BELOW_THRESHOLD):
        sentences.append(_threshold(opted_in=seller.oss_opted_in, passed=explained.facts.threshold_passed))
    if (
        seller.standard_percent is not None
        and not treatment.mention
        and seller.place.country == treatment.country
    ):
        sentences.append(f"The seller set its own standard rate: {number(seller.standard_percent)} %.")
    if explained.needs_review:
        sentences.append("Look at it: the register did not answer, so the number's check digits decided.")
    if explained.evidence_contradicts and treatment.evidence is not None:
        countries = ", ".join(treatment.evidence.proofs)
        sentences.append(f"Look at it: the evidence of where the buyer is contradicts itself ({countries}).")
    return sentences


def proof(known: NumberProof) -> str:
    """What is known of a VAT number: `DE136695976, valid by VIES on 2027-01-31, proof WAPI...`."""
    judge = "its check digits" if known.source == "offline" else known.source.upper()
    said = f"{known.number}, {'valid' if known.valid else 'not valid'} by {judge}"
    said += f" on {known.checked_at:%Y-%m-%d}" if known.checked_at else ""
    return said + (f", proof {known.consultation}" if known.consultation else "")


def number(percent: Decimal) -> str:
    """A rate without needless zeros."""
    return f"{percent.normalize():f}"


def _buyer(buyer: BuyerFacts) -> str:
    kind = _plain(buyer.kind.value)
    return (
        f"The buyer is a {kind} {f'with {proof(buyer.number)}' if buyer.number else 'without a VAT number'}."
    )


def _threshold(*, opted_in: bool, passed: bool) -> str:
    if opted_in:
        return "The seller opted to tax such sales where the buyer is, whatever their amount."
    return (
        "The threshold of 10,000 EUR is passed." if passed else "The threshold of 10,000 EUR is not passed."
    )


def _place(place: TaxPlace | None) -> str:
    if place is None:
        return "an unknown place"
    return place.country + (f", {_plain(place.territory)}" if place.territory else "")


def _plain(key: str | None) -> str:
    return (key or "").replace("_", " ")
