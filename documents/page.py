"""What the template is given: every word of a document, written out in its language.

The template sets these strings and decides nothing. They reach it as JSON, so that no name or description is ever
read as markup.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any, Final

from billing.tax_mentions import mention
from documents.document import Document, DocumentKind, DocumentLine, PaymentMeans
from documents.sentences import grouped, late_payment_terms, legal_parts, line_name, means_sentence
from documents.wording import say, words_of
from mails.content import clean
from mails.formats import (
    Language,
    country_name,
    format_amount,
    format_date,
    format_number,
    format_percent,
    format_short_date,
    format_unit_amount,
)
from models.parties import Address

_LONGEST_WORD: Final = 24
"""Longer words may be broken anywhere, since a column is no wider."""
_ZERO_WIDTH_SPACE: Final = "\u200b"
_IBAN_GROUP: Final = 4

Json = dict[str, Any]


def page_of(document: Document) -> Json:
    """The strings of a document, as `template.typ` takes them."""
    page: Json = _safe(_Writer(document).page())
    return page


class _Writer:
    """Writes one document in its language."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._language = document.language
        self._words = words_of(document.language)

    def page(self) -> Json:
        document, words = self._document, self._words
        title = words.titles[document.kind]
        return {
            "language": self._language.value,
            "title": title,
            "number": document.number,
            "name": f"{title} {document.number}",
            "date": [document.issued_on.year, document.issued_on.month, document.issued_on.day],
            "test": words.test if document.is_test else "",
            "seller": {"name": document.seller.name, "lines": self._seller_lines()},
            "buyer": {"heading": words.billed_to, "name": document.buyer.name, "lines": self._buyer_lines()},
            "facts": self._facts(),
            "columns": [
                words.description,
                words.quantity,
                words.unit_price_gross if document.tax_included else words.unit_price,
                words.rate,
                words.gross if document.tax_included else words.net,
            ],
            "lines": [self._line(line) for line in document.lines],
            "rates": self._rates(),
            "totals": self._totals(),
            "due": self._due(),
            "notes": self._notes(),
            "payment": self._payment(),
            "terms": self._terms(),
            "footer": " · ".join(legal_parts(document.seller, self._language)),
            "page": words.page,
            "continued": words.continued,
        }

    def _seller_lines(self) -> list[str]:
        seller = self._document.seller
        return [*_address(seller.address, self._language), seller.sender]

    def _buyer_lines(self) -> list[str]:
        buyer = self._document.buyer
        lines = list(_address(buyer.address, self._language)) if buyer.address else []
        if buyer.siren:
            lines.append(f"SIREN {grouped(buyer.siren, 3)}")
        if buyer.vat_number:
            lines.append(self._say(self._words.vat_number, number=buyer.vat_number))
        return lines

    def _facts(self) -> list[tuple[str, str]]:
        document, words = self._document, self._words
        facts = [(words.issued_on, self._date(document.issued_on))]
        if document.due_on and document.due_minor > 0:
            facts.append((words.due_on, self._date(document.due_on)))
        if document.corrects:
            corrected = document.corrects
            on = format_short_date(corrected.issued_on, self._language)
            said = self._say(words.invoice_of, number=corrected.number, on=on)
            facts.append((words.corrects, said))
        if document.buyer.purchase_order:
            facts.append((words.purchase_order, document.buyer.purchase_order))
        facts.append((words.operation, words.services))
        return facts

    def _line(self, line: DocumentLine) -> Json:
        return {
            "what": line_name(line, self._document),
            "details": self._details(line),
            "quantity": _printed(format_number(line.quantity, self._language)),
            "unit": ""
            if line.unit_amount is None
            else format_unit_amount(line.unit_amount, self._document.currency, self._language),
            "rate": format_percent(line.rate.percent, self._language),
            "amount": self._amount(self._shown(line)[1]),
        }

    def _details(self, line: DocumentLine) -> list[str]:
        words, details = self._words, list[str]()
        if line.start and line.last_on:
            start, last = (format_short_date(on, self._language) for on in (line.start, line.last_on))
            dates = start if line.start == line.last_on else self._say(words.dates, start=start, last=last)
            if line.is_part:
                part = words.part_one if line.days == 1 else words.part
                dates += f" ({self._say(part, days=str(line.days), whole=str(line.whole_days))})"
            details.append(dates)
        if line.package_size:
            size = format_number(Decimal(line.package_size), self._language)
            details.append(self._say(words.per_package, size=size))
        if line.is_average:
            details.append(words.average)
        listed, shown = self._shown(line)
        if listed != shown:
            names = ", ".join(line.discounts) or words.discount_fallback
            amount, off = self._amount(listed), self._amount(shown - listed)
            details.append(self._say(words.list_price, amount=amount, names=names, off=off))
        if line.late:
            details.append(words.late)
        return details

    def _shown(self, line: DocumentLine) -> tuple[int, int]:
        """A line's amount before and after discounts, with tax where the unit price is shown with it."""
        net = line.list_minor, line.net_minor
        if not self._document.tax_included or line.gross_minor is None:
            return net
        listed = line.gross_minor if line.list_gross_minor is None else line.list_gross_minor
        return listed, line.gross_minor

    def _rates(self) -> Json | None:
        """The table by rate, where there is more than one; a single one is told by the totals."""
        document, words = self._document, self._words
        if len(document.per_rate) == 1:
            return None
        rows = [
            (
                format_percent(part.rate.percent, self._language),
                self._amount(part.base_minor),
                self._amount(part.vat_minor),
            )
            for part in document.per_rate
        ]
        return {"columns": (words.rate, words.base, words.vat), "rows": rows}

    def _totals(self) -> list[Json]:
        document, words = self._document, self._words
        rows = [_total(words.total_net, self._amount(document.net_minor))]
        for part in document.per_rate:
            label = self._say(words.vat_at, rate=format_percent(part.rate.percent, self._language))
            rows.append(_total(label, self._amount(part.vat_minor)))
        is_credit = document.kind is DocumentKind.CREDIT_NOTE
        gross = words.credit_gross if is_credit else words.total_gross
        rows.append(_total(gross, self._amount(document.total_minor), strong=True))
        for label, amount in (
            (words.from_balance, document.from_balance_minor),
            (words.paid, document.paid_minor),
        ):
            if amount:
                rows.append(_total(label, self._amount(-amount)))
        return rows

    def _due(self) -> list[Json]:
        """The last line or lines: what is to be paid, or what becomes of a credit."""
        document, words = self._document, self._words
        if document.corrects is None:
            label = words.amount_due if document.due_minor > 0 else words.nothing_due
            return [_total(label, self._amount(document.due_minor), strong=True)]
        number = document.corrects.number
        parts = (
            (self._say(words.to_open, number=number), document.to_open_minor),
            (words.to_customer, document.to_customer_minor),
        )
        return [_total(label, self._amount(amount), strong=True) for label, amount in parts if amount]

    def _notes(self) -> list[str]:
        document = self._document
        keys = dict.fromkeys(part.mention for part in document.per_rate if part.mention)
        country = document.seller.address.country
        notes = [mention(key, seller_country=country).text(self._language.value) for key in keys]
        if document.vat_eur_minor is not None:
            amount = format_amount(document.vat_eur_minor, "EUR", self._language)
            notes.append(self._say(self._words.vat_in_eur, amount=amount, rate=self._exchange_rate()))
        if document.seller.vat_on_debits:
            notes.append(self._words.vat_on_debits)
        return notes

    def _exchange_rate(self) -> str:
        document = self._document
        if document.exchange_rate is None or document.exchange_rate_on is None:
            return ""
        return self._say(
            self._words.exchange_rate,
            per_eur=format_number(document.exchange_rate, self._language),
            currency=document.currency,
            on=format_short_date(document.exchange_rate_on, self._language),
        )

    def _payment(self) -> Json | None:
        document, words = self._document, self._words
        sentence_ = means_sentence(document)
        if not sentence_:
            return None
        bank = []
        if document.means is PaymentMeans.TRANSFER and document.seller.iban:
            bank = [
                (words.iban, grouped(document.seller.iban, _IBAN_GROUP)),
                *([(words.bic, document.seller.bic)] if document.seller.bic else []),
                (words.transfer_reference, document.number),
            ]
        return {"heading": words.payment, "sentence": sentence_, "bank": bank}

    def _terms(self) -> list[str]:
        return [text for _, text in late_payment_terms(self._document)]

    def _amount(self, minor: int) -> str:
        return _printed(format_amount(minor, self._document.currency, self._language))

    def _date(self, on: date) -> str:
        return format_date(on, self._language)

    def _say(self, words: str, **facts: str) -> str:
        return say(self._language, words, **facts)


def _printed(number: str) -> str:
    """A number with a minus as wide as a plus, where a hyphen would be lost before the digits."""
    return number.replace("-", "\u2212")


def _total(label: str, amount: str, *, strong: bool = False) -> Json:
    return {"label": label, "amount": amount, "strong": strong}


def _address(address: Address, language: Language) -> tuple[str, ...]:
    town = f"{address.postal_code} {address.city}".strip()
    lines = (address.line1, address.line2, town, country_name(address.country, language))
    return tuple(line for line in lines if line)


def _safe(value: Any) -> Any:  # noqa: ANN401
    """The same without control characters, and with places at which a very long word may break."""
    match value:
        case str():
            return re.sub(rf"(\S{{{_LONGEST_WORD}}})(?=\S)", rf"\1{_ZERO_WIDTH_SPACE}", clean(value))
        case dict():
            return {key: _safe(part) for key, part in value.items()}
        case list() | tuple():
            return [_safe(part) for part in value]
        case _:
            return value
