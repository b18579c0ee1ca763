"""What stands on the page, word for word."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from documents import samples
from documents.page import page_of
from mails.formats import Language


def test_a_consumer_reads_amounts_with_tax_that_multiply_and_sum() -> None:
    """Two at 9.99, one of them at half price: 14.98 with tax, 12.48 and 2.50 of VAT."""
    simple = samples.consumer(Language.FR)
    (line,) = simple.lines
    (part,) = simple.per_rate
    whole = line.model_copy(update={"net_minor": 832, "list_minor": 832})
    half = line.model_copy(
        update={"list_minor": 833, "net_minor": 416, "list_gross_minor": 999, "gross_minor": 499}
    )
    document = simple.model_validate(
        {
            **dict(simple),
            "lines": (whole, half),
            "per_rate": (part.model_copy(update={"base_minor": 1248, "vat_minor": 250}),),
        }
    )
    page = page_of(document)
    assert page["columns"] == ["Désignation", "Quantité", "Prix unitaire TTC", "TVA", "Montant TTC"]
    assert [(row["unit"], row["amount"]) for row in page["lines"]] == [
        ("9,99\u00a0€", "9,99\u00a0€"),
        ("9,99\u00a0€", "4,99\u00a0€"),
    ]
    assert page["lines"][1]["details"][-1] == (
        "Montant avant remise 9,99\u00a0€, remise accordée\u00a0: \u22125,00\u00a0€"
    )
    assert [(row["label"], row["amount"]) for row in page["totals"]] == [
        ("Total HT", "12,48\u00a0€"),
        ("TVA 20\u00a0%", "2,50\u00a0€"),
        ("Total TTC", "14,98\u00a0€"),
    ]


def test_a_business_reads_nets() -> None:
    page = page_of(samples.public_body(Language.EN))
    assert page["columns"][2:] == ["Unit price excl. VAT", "VAT", "Amount excl. VAT"]
    assert [(row["unit"], row["amount"]) for row in page["lines"]] == [("€49.00", "€49.00")]


def test_lines_with_tax_that_do_not_sum_to_the_total_are_refused() -> None:
    simple = samples.consumer()
    wrong = simple.lines[0].model_copy(update={"gross_minor": 998})
    with pytest.raises(ValidationError, match="do not sum to the total"):
        simple.model_validate({**dict(simple), "lines": (wrong,)})


def test_what_is_taken_off_has_a_minus_and_no_hyphen() -> None:
    page = page_of(samples.domestic_business(Language.FR))
    assert page["lines"][-1]["amount"] == "\u22129,50\u00a0€"
    assert page["totals"][-1]["amount"] == "\u221250,00\u00a0€"
