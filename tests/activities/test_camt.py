"""Bank files are read strictly: what they say, what makes an entry unique, and what is refused."""

from __future__ import annotations

from datetime import date

import pytest
from support.bank_files import ACCOUNT, Entry, Tx, came, camt

from activities.camt import MOST_BYTES, BadBankFile, read_camt
from billing.bank_entries import BankEntry


def entries(content: bytes) -> tuple[BankEntry, ...]:
    (statement,) = read_camt(content)
    return statement.entries


def keys(content: bytes) -> list[tuple[str, ...]]:
    return [entry.key for entry in entries(content)]


@pytest.mark.parametrize("version", ["02", "03", "04", "05", "06", "07", "08"])
def test_every_version_says_the_same(version: str) -> None:
    content = camt(
        came("588.00", "Facture F-000012", reference="B20270310-7", end_to_end="E2E-4"), version=version
    )
    (statement,) = read_camt(content)
    (entry,) = statement.entries
    assert (statement.id, statement.account) == ("2027-069", ACCOUNT)
    assert (entry.amount_minor, entry.currency) == (58800, "EUR")
    assert (entry.booked_on, entry.value_on) == (date(2027, 3, 10), date(2027, 3, 10))
    assert (entry.payer_name, entry.payer_account) == ("ACME SARL", "DE89370400440532013000")
    assert entry.reference == "B20270310-7"
    assert entry.remittance == "Facture F-000012 E2E-4"


def test_a_structured_reference_is_what_the_payer_wrote_too() -> None:
    (entry,) = entries(
        camt(Entry("588.00", transactions=[Tx(structured="F-000012", text=("merci", "bonne journée"))]))
    )
    assert entry.remittance == "F-000012 merci bonne journée"


def test_a_batch_is_read_payment_by_payment_where_the_bank_says_what_each_brought() -> None:
    batch = Entry(
        "150.00",
        reference="BATCH-1",
        transactions=[
            Tx(amount="100.00", text=("F-000001",)),
            Tx(amount="50.00", text=("F-000002",), payer="Beta SAS"),
        ],
    )
    for version in ("02", "08"):
        first, second = entries(camt(batch, version=version))
        assert (first.amount_minor, first.remittance) == (10000, "F-000001")
        assert (second.amount_minor, second.remittance, second.payer_name) == (5000, "F-000002", "Beta SAS")


@pytest.mark.parametrize("second", ["", "49.00"], ids=["no amount", "amounts that do not add up"])
def test_a_batch_that_can_not_be_told_apart_is_one_payment_of_nobody(second: str) -> None:
    batch = Entry(
        "150.00",
        reference="BATCH-1",
        transactions=[Tx(amount="100.00", text=("F-000001",)), Tx(amount=second, text=("F-000002",))],
    )
    (entry,) = entries(camt(batch))
    assert (entry.amount_minor, entry.remittance, entry.payer_name) == (15000, "F-000001 F-000002", "")


def test_the_banks_reference_makes_an_entry_unique_whatever_else_is_told_of_it() -> None:
    daily = camt(came("588.00", "F-000012", reference="B-7"), statement="2027-069")
    monthly = camt(came("588.00", "F-000012 (suite)", reference="B-7"), statement="2027-M03")
    assert keys(daily) == keys(monthly)
    assert keys(daily) != keys(camt(came("588.00", "F-000012", reference="B-8")))
    assert keys(daily) != keys(camt(came("588.00", "F-000012", reference="B-7", on="2027-03-11")))


def test_without_a_reference_it_is_all_that_is_known_of_it_and_twins_are_counted() -> None:
    one = came("49.00", "abonnement")
    daily = camt(one, one, came("49.00", "autre"), statement="2027-069")
    assert len(set(keys(daily))) == 3
    assert keys(daily) == keys(camt(one, one, came("49.00", "autre"), statement="2027-M03"))


@pytest.mark.parametrize("reference", ["NONREF", "NOTPROVIDED", ""])
def test_a_reference_that_says_there_is_none_is_none(reference: str) -> None:
    (entry,) = entries(camt(came("49.00", "abonnement", reference=reference)))
    assert entry.reference == ""


def test_debits_and_what_is_not_booked_yet_are_passed_over_and_told() -> None:
    (statement,) = read_camt(
        camt(
            Entry("10.00", direction="DBIT"),
            Entry("20.00", status="PDNG"),
            Entry("30.00", direction="DBIT", reversal=True),
            Entry("40.00", reversal=True),
            came("50.00", "F-000001"),
        )
    )
    assert [passed.why for passed in statement.passed] == [
        "a debit",
        "not booked yet",
        "a credit that was reversed",
        "a debit that was reversed",
    ]
    assert [entry.amount_minor for entry in statement.entries] == [5000]


def test_amounts_have_the_decimals_of_their_currency() -> None:
    found = entries(
        camt(
            Entry("1234.5", transactions=[Tx()]),
            Entry("1500", currency="JPY", transactions=[Tx()]),
            Entry("1.250", currency="KWD", transactions=[Tx()]),
            Entry("12.00000", transactions=[Tx()]),
        )
    )
    assert [(one.amount_minor, one.currency) for one in found] == [
        (123450, "EUR"),
        (1500, "JPY"),
        (1250, "KWD"),
        (1200, "EUR"),
    ]


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        (
            '<Amt Ccy="EUR">588.00</Amt>',
            '<Amt Ccy="EUR">588.001</Amt>',
            r"Line 10: '588.001' is no amount of EUR",
        ),
        (
            '<Amt Ccy="EUR">588.00</Amt>',
            '<Amt Ccy="EUR">-588.00</Amt>',
            r"Line 10: '-588.00' is no amount of EUR",
        ),
        (
            '<Amt Ccy="EUR">588.00</Amt>',
            '<Amt Ccy="EURO">588.00</Amt>',
            r"Line 10: 'EURO' is no currency in use",
        ),
        ('<Amt Ccy="EUR">588.00</Amt>', "", r"Line 9: Ntry has no Amt"),
        ("<CdtDbtInd>CRDT</CdtDbtInd>", "", r"Line 9: Ntry has no CdtDbtInd"),
        ("<CdtDbtInd>CRDT</CdtDbtInd>", "<CdtDbtInd>C</CdtDbtInd>", r"Line 9: 'C' is neither CRDT nor DBIT"),
        ("<Sts><Cd>BOOK</Cd></Sts>", "", r"Line 9: the entry has no status"),
        ("<BookgDt><Dt>2027-03-10</Dt></BookgDt>", "", r"Line 9: the entry has no booking date"),
        (
            "<BookgDt><Dt>2027-03-10</Dt></BookgDt>",
            "<BookgDt><Dt>10.03.2027</Dt></BookgDt>",
            r"Line 9: '10.03.2027' is no date",
        ),
        (f"<IBAN>{ACCOUNT}</IBAN>", "<IBAN>FR00</IBAN>", r"Line 5: 'FR00' is no IBAN"),
        (f"<IBAN>{ACCOUNT}</IBAN>", "", r"Line 5: the statement does not say of which account"),
        ("</Stmt>", "", r"Line \d+: it is no XML"),
        ("camt.053.001.08", "camt.053.001.13", r"Line 2: it is camt.053.001.13. Ask the bank for CAMT.053"),
        ("camt.053.001.08", "camt.054.001.08", r"Line 2: it is camt.054.001.08. Ask the bank for CAMT.053"),
        (
            "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08",
            "https://example.com",
            r"Line 2: it is no CAMT file",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_line_and_refuses_the_whole_file(
    was: str, becomes: str, message: str
) -> None:
    content = camt(came("588.00", "F-000012")).decode()
    assert was in content
    with pytest.raises(BadBankFile, match=message) as refused:
        read_camt(content.replace(was, becomes).encode())
    assert refused.value.code == "bad_bank_file"
    assert refused.value.field == "file"


def test_a_file_without_any_statement_is_refused() -> None:
    content = camt().decode()
    start, end = content.index("<Stmt>"), content.index("</Stmt>") + len("</Stmt>")
    with pytest.raises(BadBankFile, match="Line 3: there is no statement in it"):
        read_camt((content[:start] + content[end:]).encode())


def test_a_file_that_defines_entities_is_refused_before_it_is_parsed() -> None:
    laughs = b"".join(
        b'<!ENTITY l%d "%s">' % (depth, b"&l%d;" % (depth - 1) * 10 if depth else b"ha")
        for depth in range(12)
    )
    content = camt(came("588.00", "&l11;")).replace(b"?>", b"?><!DOCTYPE Document [" + laughs + b"]>", 1)
    with pytest.raises(BadBankFile, match="defines a document type"):
        read_camt(content)
    with pytest.raises(BadBankFile, match="defines a document type"):
        read_camt(content.decode().replace("UTF-8", "UTF-16").encode("utf-16"))


def test_a_file_that_is_too_large_is_not_read() -> None:
    with pytest.raises(BadBankFile, match=rf"more than {MOST_BYTES}. Ask the bank for a file a day"):
        read_camt(b" " * (MOST_BYTES + 1))


def test_what_is_no_xml_at_all_is_refused() -> None:
    for content in (b"", b"hello", b"\x00\x01", b"<a/>"):
        with pytest.raises(BadBankFile):
            read_camt(content)
