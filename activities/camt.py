"""Bank statements in CAMT.053 (ISO 20022), versions 001.02 to 001.08.

Read strictly: an entry that is not right refuses the whole file, by line. And safely: files come from outside, so there
is a limit to their size, and they may define no entities.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Final, NamedTuple

from lxml import etree

from billing.bank_accounts import InvalidIban, iban
from billing.bank_entries import BankEntry, Passed, Statement
from billing.errors import InvalidInput
from billing.money import UnknownCurrency, exponent

if TYPE_CHECKING:
    from lxml.etree import _Element as Element

MOST_BYTES: Final = 20_000_000
MOST_REMITTANCE: Final = 2_000
"""Characters that are kept of what a payer wrote."""
VERSIONS: Final = tuple(f"{number:02d}" for number in range(2, 9))
_NAMESPACE: Final = re.compile(r"urn:iso:std:iso:20022:tech:xsd:(camt\.[0-9]{3})\.001\.([0-9]{2})")
_AMOUNT: Final = re.compile(r"[0-9]{1,13}(?:\.[0-9]{1,5})?")
_NONE_GIVEN: Final = frozenset({"", "NOTPROVIDED", "NONREF", "NOREF"})
"""What stands where a bank or a payer had no reference."""
_AGAIN: Final = "Fetch the file from the bank again and leave it as it is."


class BadBankFile(InvalidInput):
    """A bank file that can't be read. Nothing of it is booked."""

    def __init__(self, what: str, remedy: str = _AGAIN, *, line: int | None = None) -> None:
        where = "" if line is None else f"Line {line}: "
        super().__init__(f"{where}{what}. {remedy}", field="file")
        self.line = line


def read_camt(content: bytes) -> tuple[Statement, ...]:
    """The statements of a file.

    Raises:
        BadBankFile: it is no CAMT.053 of a version that we read, or something in it is missing or wrong.
    """
    root = _parsed(content)
    reader = _Reader(_namespace_of(root))
    report = reader.need(root, "BkToCstmrStmt")
    statements = tuple(_statement(reader, one) for one in reader.all(report, "Stmt"))
    if not statements:
        raise BadBankFile("there is no statement in it", line=report.sourceline)
    return statements


def _parsed(content: bytes) -> Element:
    if len(content) > MOST_BYTES:
        raise BadBankFile(
            f"The file has {len(content)} bytes, more than {MOST_BYTES}", "Ask the bank for a file a day."
        )
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        if b"<!DOCTYPE" in content:  # before it is parsed: what it defines could fill the memory
            raise BadBankFile("The file defines a document type, which no bank's does")
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as problem:
        raise BadBankFile(f"it is no XML: {problem.msg}", line=problem.lineno) from None
    if root.getroottree().docinfo.doctype:
        raise BadBankFile("The file defines a document type, which no bank's does")
    return root


def _namespace_of(root: Element) -> str:
    namespace = etree.QName(root).namespace or ""
    found = _NAMESPACE.fullmatch(namespace)
    line = root.sourceline
    if found is None:
        raise BadBankFile(
            "it is no CAMT file", "Ask the bank for CAMT.053, version 001.02 to 001.08.", line=line
        )
    message, version = found.groups()
    if message != "camt.053" or version not in VERSIONS:
        raise BadBankFile(
            f"it is {message}.001.{version}",
            "Ask the bank for CAMT.053, version 001.02 to 001.08.",
            line=line,
        )
    return namespace


class _Reader:
    """Finds elements by their path of names, all of one namespace."""

    def __init__(self, namespace: str) -> None:
        self._prefix = f"{{{namespace}}}"

    def all(self, element: Element, path: str) -> list[Element]:
        found: list[Element] = element.findall("/".join(self._prefix + name for name in path.split("/")))
        return found

    def need(self, element: Element, path: str) -> Element:
        """The one element there.

        Raises:
            BadBankFile: there is none, or there are several.
        """
        found = self.all(element, path)
        if len(found) != 1:
            name = etree.QName(element).localname
            raise BadBankFile(
                f"{name} has {'no' if not found else 'more than one'} {path}", line=element.sourceline
            )
        return found[0]

    def text(self, element: Element, *paths: str) -> str:
        """The text at the first of these paths that has any; empty where none does."""
        texts = (_text(found) for path in paths for found in self.all(element, path))
        return next(filter(None, texts), "")

    def texts(self, element: Element, *paths: str) -> list[str]:
        return [text for path in paths for found in self.all(element, path) if (text := _text(found))]


def _text(element: Element) -> str:
    return " ".join((element.text or "").split())


def _statement(reader: _Reader, statement: Element) -> Statement:
    account = _account(reader, statement)
    seen: Counter[tuple[str, ...]] = Counter()
    entries: list[BankEntry] = []
    passed: list[Passed] = []
    for entry in reader.all(statement, "Ntry"):
        why = _why_passed(reader, entry)
        if why is not None:
            passed.append(Passed(line=entry.sourceline, why=why))
            continue
        for one in _payments(reader, account, entry):
            seen[one.key] += 1
            entries.append(one.model_copy(update={"key": (*one.key, str(seen[one.key]))}))
    return Statement(
        id=reader.text(statement, "Id"),
        account=account,
        line=statement.sourceline,
        entries=tuple(entries),
        passed=tuple(passed),
    )


def _account(reader: _Reader, statement: Element) -> str:
    number = reader.text(statement, "Acct/Id/IBAN")
    try:
        account = iban(number) or reader.text(statement, "Acct/Id/Othr/Id")
    except InvalidIban as problem:
        raise BadBankFile(problem.message.removesuffix("."), line=statement.sourceline) from None
    if not account:
        raise BadBankFile("the statement does not say of which account it is", line=statement.sourceline)
    return account


def _why_passed(reader: _Reader, entry: Element) -> str | None:
    """Why an entry is no payment that came in; None where it is one."""
    line = entry.sourceline
    status = reader.text(entry, "Sts/Cd", "Sts/Prtry", "Sts")
    if not status:
        raise BadBankFile("the entry has no status (Sts)", line=line)
    direction = _text(reader.need(entry, "CdtDbtInd"))
    if direction not in ("CRDT", "DBIT"):
        raise BadBankFile(f"{direction!r} is neither CRDT nor DBIT", line=line)
    is_reversal = reader.text(entry, "RvslInd") in ("true", "1")
    if status != "BOOK":
        return "not booked yet"
    if is_reversal:
        return "a debit that was reversed" if direction == "CRDT" else "a credit that was reversed"
    return "a debit" if direction == "DBIT" else None


class _Money(NamedTuple):
    minor: int
    currency: str


def _money(amount: Element) -> _Money:
    text, currency = _text(amount), (amount.get("Ccy") or "").strip()
    try:
        places = exponent(currency)
    except UnknownCurrency:
        raise BadBankFile(f"{currency!r} is no currency in use", line=amount.sourceline) from None
    whole, _, fraction = text.partition(".")
    if not _AMOUNT.fullmatch(text) or fraction[places:].strip("0"):
        raise BadBankFile(f"{text!r} is no amount of {currency}", line=amount.sourceline)
    return _Money(int(whole + fraction[:places].ljust(places, "0")), currency)


def _payments(reader: _Reader, account: str, entry: Element) -> Iterator[BankEntry]:
    """The payments of an entry: one, or those of a batch where the bank says what each of them brought."""
    total = _money(reader.need(entry, "Amt"))
    details = reader.all(entry, "NtryDtls/TxDtls")
    parts = [_part(reader, one) for one in details] if len(details) > 1 else []
    is_split = bool(parts) and all(part is not None and part.currency == total.currency for part in parts)
    split = [part for part in parts if part is not None] if is_split else []
    if split and sum(part.minor for part in split) == total.minor:
        for detail, part in zip(details, split, strict=True):
            yield from _payment(reader, account, entry, part, [detail])
    else:
        yield from _payment(reader, account, entry, total, details)


def _part(reader: _Reader, detail: Element) -> _Money | None:
    if reader.text(detail, "CdtDbtInd") == "DBIT":
        return None
    amounts = [*reader.all(detail, "Amt"), *reader.all(detail, "AmtDtls/TxAmt/Amt")]
    return _money(amounts[0]) if amounts else None


def _payment(
    reader: _Reader, account: str, entry: Element, money: _Money, details: list[Element]
) -> Iterator[BankEntry]:
    """One payment; none where nothing came.

    What makes it unique is the bank's reference with date and amount. Where the bank gives none, it is all that is
    known of it: a daily and a monthly statement then say the same.
    """
    if money.minor == 0:
        return
    booked_on = _date(reader, entry, "BookgDt")
    if booked_on is None:
        raise BadBankFile("the entry has no booking date (BookgDt)", line=entry.sourceline)
    own = _given(reader.texts(entry, "AcctSvcrRef"))
    theirs = _given(reader.texts(details[0], "Refs/AcctSvcrRef", "Refs/TxId")) if len(details) == 1 else []
    value_on = _date(reader, entry, "ValDt")
    payer = details[0] if len(details) == 1 else entry
    name = reader.text(
        payer,
        "RltdPties/Dbtr/Nm",
        "RltdPties/Dbtr/Pty/Nm",
        "RltdPties/UltmtDbtr/Nm",
        "RltdPties/UltmtDbtr/Pty/Nm",
    )
    payer_account = reader.text(payer, "RltdPties/DbtrAcct/Id/IBAN", "RltdPties/DbtrAcct/Id/Othr/Id")
    remittance = _remittance(reader, entry, details)
    facts = (account, str(booked_on), str(money.minor), money.currency)
    known_by = [*own[:1], *theirs[:1]]
    content = () if known_by else (str(value_on), name, payer_account, remittance)
    end_to_end = _given(reader.texts(payer, "Refs/EndToEndId"))
    yield BankEntry(
        key=(*facts, *(known_by or content)),
        amount_minor=money.minor,
        currency=money.currency,
        booked_on=booked_on,
        value_on=value_on,
        reference=next(iter([*theirs, *own, *end_to_end]), ""),
        payer_name=name,
        payer_account=payer_account.replace(" ", ""),
        remittance=remittance,
        line=entry.sourceline,
    )


def _remittance(reader: _Reader, entry: Element, details: list[Element]) -> str:
    """All that the payer wrote: references first, then the text, then what the bank made of it."""
    written: list[str] = []
    for detail in details:
        written += reader.texts(detail, "RmtInf/Strd/CdtrRefInf/Ref", "RmtInf/Strd/RfrdDocInf/Nb")
        written += reader.texts(detail, "RmtInf/Ustrd", "RmtInf/Strd/AddtlRmtInf")
        written += _given(reader.texts(detail, "Refs/EndToEndId"))
        written += reader.texts(detail, "AddtlTxInf")
    if len(details) <= 1:
        written += reader.texts(entry, "AddtlNtryInf")
    return " ".join(dict.fromkeys(written))[:MOST_REMITTANCE]


def _given(references: Iterable[str]) -> list[str]:
    return [reference for reference in references if reference.upper() not in _NONE_GIVEN]


def _date(reader: _Reader, entry: Element, name: str) -> date | None:
    """A date, or the date of an instant as the bank wrote it.

    Raises:
        BadBankFile: it is none.
    """
    text = reader.text(entry, f"{name}/Dt", f"{name}/DtTm")
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise BadBankFile(f"{text!r} is no date ({name})", line=entry.sourceline) from None
