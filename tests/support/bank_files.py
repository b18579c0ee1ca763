"""Bank files as banks write them: CAMT.053 in its versions, one entry after the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

ACCOUNT = "FR7630006000011234567890189"
"""Of the seller."""


@dataclass
class Tx:
    """One transaction of an entry."""

    amount: str = ""
    text: tuple[str, ...] = ()
    reference: str = ""
    """The bank's own."""
    end_to_end: str = "NOTPROVIDED"
    structured: str = ""
    payer: str = "ACME SARL"
    payer_account: str = "DE89370400440532013000"


@dataclass
class Entry:
    """One entry of a statement."""

    amount: str
    on: str = "2027-03-10"
    reference: str = ""
    transactions: list[Tx] = field(default_factory=list)
    currency: str = "EUR"
    direction: str = "CRDT"
    status: str = "BOOK"
    reversal: bool = False


def came(
    amount: str, text: str = "", *, reference: str = "", on: str = "2027-03-10", **changes: str
) -> Entry:
    """A payment that came, with what the payer wrote."""
    return Entry(amount=amount, on=on, reference=reference, transactions=[Tx(text=(text,), **changes)])


def camt(*entries: Entry, version: str = "08", account: str = ACCOUNT, statement: str = "2027-069") -> bytes:
    """A file with one statement."""
    body = "\n".join(_entry(entry, version) for entry in entries)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">
  <BkToCstmrStmt>
    <GrpHdr><MsgId>MSG-1</MsgId><CreDtTm>2027-03-11T05:00:00</CreDtTm></GrpHdr>
    <Stmt>
      <Id>{statement}</Id>
      <CreDtTm>2027-03-11T05:00:00</CreDtTm>
      <Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>
{body}
    </Stmt>
  </BkToCstmrStmt>
</Document>
""".encode()


def _entry(entry: Entry, version: str) -> str:
    status = f"<Cd>{entry.status}</Cd>" if version >= "07" else entry.status
    reference = f"<AcctSvcrRef>{entry.reference}</AcctSvcrRef>" if entry.reference else ""
    reversal = "<RvslInd>true</RvslInd>" if entry.reversal else ""
    details = "\n".join(_transaction(one, entry, version) for one in entry.transactions)
    return f"""      <Ntry>
        <Amt Ccy="{entry.currency}">{entry.amount}</Amt>
        <CdtDbtInd>{entry.direction}</CdtDbtInd>{reversal}
        <Sts>{status}</Sts>
        <BookgDt><Dt>{entry.on}</Dt></BookgDt>
        <ValDt><Dt>{entry.on}</Dt></ValDt>
        {reference}
        <NtryDtls>{details}</NtryDtls>
      </Ntry>"""


def _transaction(one: Tx, entry: Entry, version: str) -> str:
    name = f"<Nm>{escape(one.payer)}</Nm>"
    party = f"<Pty>{name}</Pty>" if version >= "08" else name
    money = f'<Amt Ccy="{entry.currency}">{one.amount}</Amt>' if one.amount else ""
    amount = f"<AmtDtls><TxAmt>{money}</TxAmt></AmtDtls>" if money and version < "03" else money
    reference = f"<AcctSvcrRef>{one.reference}</AcctSvcrRef>" if one.reference else ""
    structured = (
        f"<Strd><CdtrRefInf><Ref>{escape(one.structured)}</Ref></CdtrRefInf></Strd>" if one.structured else ""
    )
    text = "".join(f"<Ustrd>{escape(line)}</Ustrd>" for line in one.text)
    return f"""
          <TxDtls>
            <Refs>{reference}<EndToEndId>{one.end_to_end}</EndToEndId></Refs>
            {amount}
            <RltdPties><Dbtr>{party}</Dbtr><DbtrAcct><Id><IBAN>{one.payer_account}</IBAN></Id></DbtrAcct></RltdPties>
            <RmtInf>{text}{structured}</RmtInf>
          </TxDtls>"""
