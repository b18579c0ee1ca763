"""Every way in which books and ledger can differ gets a line that names it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.demo.checking import check
from starter.accounts import Accounts, CustomerAccount, InvoiceAccount, NumberedSeries, TakenPayment

PAYMENT = TakenPayment(
    attempt_id="att_1",
    attempt_number=2,
    trigger="retry",
    retry_number=1,
    invoice_id="in_1",
    customer_id="cus_1",
    charge="ch_1",
    currency="EUR",
    amount_minor=5880,
    booked_minor=5880,
    at=datetime(2027, 2, 3, 8, tzinfo=UTC),
)
INVOICE = InvoiceAccount(
    invoice_id="in_1",
    number="F-000001",
    customer_id="cus_1",
    subscription_id="sub_1",
    currency="EUR",
    status="paid",
    total_minor=5880,
    credited_minor=0,
    paid_minor=5880,
    booked_total_minor=5880,
    booked_credited_minor=0,
    booked_paid_minor=5880,
)
ANNA = CustomerAccount(
    customer_id="cus_1",
    currency="EUR",
    invoiced_minor=5880,
    credited_minor=0,
    paid_minor=5880,
    refunded_minor=0,
    open_minor=0,
    balance_minor=0,
    unapplied_minor=0,
)
BOOKS = Accounts(
    payments=(PAYMENT,),
    invoices=(INVOICE,),
    customers=(ANNA,),
    series=(NumberedSeries(series="F", numbers=(1,)),),
    unbalanced=(),
    cash_minor={"EUR": 5880},
)
CHARGE = {"id": "ch_1", "amount": 5880, "currency": "eur"}
LETTER = {"custom_args": {"message_id": "msg_1"}}


def differences(
    books: Accounts = BOOKS,
    charges: tuple[dict[str, Any], ...] = (CHARGE,),
    letters: tuple[dict[str, Any], ...] = (LETTER,),
) -> tuple[str, ...]:
    ledger = {
        "charges": charges,
        "refunds": [],
        "totals": {"eur": {"net": sum(charge["amount"] for charge in charges)}},
    }
    return check(books, ledger, letters, mails_sent=1, names={"cus_1": "Anna"}).differences


def with_books(**changes: Any) -> Accounts:  # noqa: ANN401 - whatever the books take
    return BOOKS.model_copy(update=changes)


def test_books_that_agree() -> None:
    assert differences() == ()


def test_a_charge_that_the_books_do_not_know() -> None:
    stranger = {"id": "ch_2", "amount": 100, "currency": "eur"}
    assert differences(charges=(CHARGE, stranger)) == (
        "charge ch_2: Stripe took 1.00 EUR, the books know nothing of it",
        "total: Stripe has 59.80 EUR, the books 58.80 EUR",
    )


def test_a_payment_that_stripe_does_not_know() -> None:
    assert differences(charges=()) == (
        "Anna, F-000001, attempt 2: the books say 58.80 EUR was taken, Stripe has no such charge",
        "total: Stripe has 0.00 EUR, the books 58.80 EUR",
    )


@pytest.mark.parametrize(
    ("books", "said"),
    [
        (
            with_books(payments=(PAYMENT.model_copy(update={"booked_minor": 5879}),)),
            "charge ch_1 (Anna, F-000001, attempt 2): the attempt says 58.80 EUR, the journal 58.79 EUR",
        ),
        (
            with_books(invoices=(INVOICE.model_copy(update={"booked_paid_minor": 0}),)),
            "invoice F-000001 (Anna), paid: 58.80 EUR on the document, 0.00 EUR in the journal",
        ),
        (
            with_books(invoices=(INVOICE.model_copy(update={"status": "open"}),)),
            "invoice F-000001 is open, and 0.00 EUR is open",
        ),
        (
            with_books(customers=(ANNA.model_copy(update={"invoiced_minor": 5881}),)),
            "Anna: invoices, credits and payments do not add up to what is open",
        ),
        (
            with_books(customers=(ANNA.model_copy(update={"open_minor": 1, "invoiced_minor": 5881}),)),
            "Anna: 0.00 EUR open on invoices, 0.01 EUR in the journal",
        ),
        (with_books(unbalanced=("invoice/in_1",)), "journal entry invoice/in_1 does not sum to zero"),
        (
            with_books(series=(NumberedSeries(series="F", numbers=(1, 3)),)),
            "series F: number 2 is missing",
        ),
        (
            with_books(series=(NumberedSeries(series="F", numbers=(1, 2, 2)),)),
            "series F: number 2 was given twice",
        ),
    ],
)
def test_books_that_differ_from_themselves(books: Accounts, said: str) -> None:
    assert differences(books) == (said,)


def test_mails_that_came_twice_or_not_at_all() -> None:
    assert differences(letters=(LETTER, LETTER)) == ("mail msg_1 came 2 times",)
    assert differences(letters=()) == ("the books say that 1 mails were sent, the mailbox has 0",)
