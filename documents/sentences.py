"""Sentences that stand both on the page and in the structured data, so that the two can never say different things."""

from __future__ import annotations

from typing import Final

from billing.lines import LineKind
from documents.document import Document, DocumentKind, DocumentLine, PaymentMeans
from documents.wording import say, words_of
from mails.formats import Language, format_date
from models.parties import Seller

LATE_PENALTY: Final = "PMD"
RECOVERY_COSTS: Final = "PMT"
DISCOUNT_TERMS: Final = "AAB"
"""UNTDID 4451 codes of the three terms that an invoice to a business states (commercial code L441-9)."""


def line_name(line: DocumentLine, document: Document) -> str:
    """What a line is for."""
    words = words_of(document.language)
    if not line.name:
        number = document.corrects.number if document.corrects else document.number
        return say(document.language, words.amount_of, number=number)
    name = f"{line.name}, {line.description}" if line.description else line.name
    is_taken_off = line.kind is LineKind.CREDIT and document.kind is DocumentKind.INVOICE
    return say(document.language, words.unused if is_taken_off else words.lines[line.kind], name=name)


def means_sentence(document: Document) -> str:
    """How the amount due is paid; empty where there is nothing to pay."""
    if document.kind is DocumentKind.CREDIT_NOTE or document.due_minor <= 0:
        return ""
    words, language = words_of(document.language), document.language
    means = document.means
    if means is PaymentMeans.TRANSFER and not document.seller.iban:
        means = PaymentMeans.OPEN
    method = say(language, words.method, label=document.method_label) if document.method_label else ""
    due_on = format_date(document.due_on or document.issued_on, language)
    mandate = f" {document.mandate_reference}" if document.mandate_reference else ""
    return say(language, words.means[means], method=method, due_on=due_on, mandate=mandate)


def late_payment_terms(document: Document) -> tuple[tuple[str, str], ...]:
    """The terms between businesses, each with its code.

    None for anybody else: asking a consumer for them is an offence (rules 18, 31).
    """
    if not document.is_for_a_business:
        return ()
    words = words_of(document.language)
    spaced = [
        (LATE_PENALTY, words.late_penalty),
        (RECOVERY_COSTS, words.recovery_costs),
        (DISCOUNT_TERMS, words.discount_terms),
    ]
    return tuple((code, say(document.language, text)) for code, text in spaced)


def legal_parts(seller: Seller, language: Language) -> tuple[str, ...]:
    """What a company says of itself at the foot of its letters: name, form and capital, SIREN, VAT number."""
    words = words_of(language)
    form = seller.legal_form
    if form and seller.capital:
        form = say(language, words.share_capital, form=form, capital=seller.capital)
    siren = f"SIREN {grouped(seller.siren, 3)}" if seller.siren else ""
    if siren and seller.registration:
        siren += f" {seller.registration}"
    vat = say(language, words.vat_number, number=seller.vat_number) if seller.vat_number else ""
    return tuple(part for part in (seller.name, form, siren, vat) if part)


def grouped(digits: str, size: int) -> str:
    """An IBAN or SIREN as people read it: in groups that do not break apart."""
    packed = "".join(digits.split())
    return "\u00a0".join(packed[i : i + size] for i in range(0, len(packed), size))
