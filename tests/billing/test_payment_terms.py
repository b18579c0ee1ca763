from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.agreed import Agreed, terms_agreed
from billing.calendar import Interval
from billing.errors import InvalidInput
from billing.payment_terms import MonthEnd, PaymentTerms, PaymentTermsTooLong
from billing.prices import Price
from billing.terms import CollectionMethod, Terms


def terms(**changes: object) -> Terms:
    given: dict[str, object] = {
        "plan_id": "plan_pro",
        "plan_name": "Pro",
        "currency": "EUR",
        "interval": Interval.parse("monthly"),
        "prices": (Price(id="base", unit_amount=Decimal("29.00")),),
    }
    return Terms.model_validate(given | changes)


@pytest.mark.parametrize(
    ("text", "issued_on", "due_on"),
    [
        ("0 days", date(2027, 1, 31), date(2027, 1, 31)),
        ("30 days", date(2027, 1, 31), date(2027, 3, 2)),
        ("60 days", date(2027, 1, 31), date(2027, 4, 1)),
        ("45 days, then end of month", date(2027, 1, 15), date(2027, 3, 31)),
        ("end of month, then 45 days", date(2027, 1, 15), date(2027, 3, 17)),
        ("45 days then the end of the month", date(2028, 1, 15), date(2028, 2, 29)),
        ("End of month then 45 days", date(2027, 2, 28), date(2027, 4, 14)),
    ],
)
def test_terms_name_the_last_day_on_which_a_payment_is_in_time(
    text: str, issued_on: date, due_on: date
) -> None:
    assert PaymentTerms.parse(text).due_on(issued_on) == due_on


@pytest.mark.parametrize(
    "text", ["30 days", "1 day", "45 days, then end of month", "end of month, then 45 days"]
)
def test_terms_are_written_as_they_are_read(text: str) -> None:
    assert str(PaymentTerms.parse(text)) == text


def test_who_leaves_the_reading_open_is_asked_for_it() -> None:
    with pytest.raises(InvalidInput) as refused:
        PaymentTerms.parse("45 days end of month")
    assert refused.value.field == "payment_terms"
    assert refused.value.message == (
        "'45 days end of month' has two readings. Write '45 days, then end of month' (from the issue on to the end of "
        "that month) or 'end of month, then 45 days'."
    )


@pytest.mark.parametrize("text", ["", "soon", "30", "-1 days", "30 weeks", "3000 days"])
def test_anything_else_is_refused_with_what_can_be_written(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"are no payment terms\. Write '30 days'"):
        PaymentTerms.parse(text)


@pytest.mark.parametrize("text", ["60 days", "45 days, then end of month", "end of month, then 45 days"])
def test_the_legal_maximum_between_french_businesses_is_allowed(text: str) -> None:
    PaymentTerms.parse(text).check_lawful_between_businesses()


@pytest.mark.parametrize("text", ["61 days", "46 days, then end of month", "end of month, then 60 days"])
def test_anything_above_it_is_refused(text: str) -> None:
    with pytest.raises(PaymentTermsTooLong, match=r"L441-10.*60 days.*45 days") as refused:
        PaymentTerms.parse(text).check_lawful_between_businesses()
    assert refused.value.code == "payment_terms_too_long"
    assert refused.value.field == "payment_terms"


def test_terms_of_an_earlier_release_keep_their_days() -> None:
    stored = terms(collection_method="transfer", payment_terms_days=30).model_dump(mode="json")
    del stored["payment_terms_month_end"]
    assert Terms.model_validate(stored).payment_terms == PaymentTerms(days=30)


def test_who_is_charged_has_none() -> None:
    assert terms(payment_terms_days=30).payment_terms == PaymentTerms()


def test_what_is_agreed_replaces_the_days_and_the_reading_of_the_plan() -> None:
    offered = terms(collection_method="transfer", payment_terms_days=45, payment_terms_month_end="days_first")
    by_days = terms_agreed(offered, Agreed(payment_terms_days=30))
    in_full = terms_agreed(offered, Agreed.model_validate({"payment_terms": "end of month, then 10 days"}))
    assert by_days.payment_terms == PaymentTerms(days=30)
    assert in_full.payment_terms == PaymentTerms(days=10, month_end=MonthEnd.MONTH_FIRST)
    assert in_full.collection_method is CollectionMethod.TRANSFER


def test_days_alone_and_in_full_contradict_each_other() -> None:
    both = Agreed.model_validate({"payment_terms": "30 days", "payment_terms_days": 30})
    with pytest.raises(InvalidInput, match="not both"):
        terms_agreed(terms(), both)
