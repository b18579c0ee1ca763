"""Exchange rates in the books, and the VAT of documents in euro (rules 5; directive 2006/112/EC art. 230)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from billing.errors import RelanceError
from billing.exchange import EUR, EURO_STATES, DayRate, to_eur_minor
from billing.tax_places import place_of
from models.tables import CreditNote, ExchangeRate, Invoice, LegalEntity


class NoExchangeRate(RelanceError):
    """A document in another currency needs a rate that is not in the books. Nothing was issued."""


async def load_rates(session: AsyncSession, rates: Iterable[DayRate], *, source: str) -> int:
    """Write down exchange rates; one that is there for its day stays. Answers how many are new."""
    known = {(row.currency, row.on) for row in (await session.exec(select(ExchangeRate))).all()}
    new = {(rate.currency, rate.on): rate for rate in rates if (rate.currency, rate.on) not in known}
    session.add_all(
        ExchangeRate(currency=rate.currency, on=rate.on, per_eur=rate.per_eur, source=source)
        for rate in new.values()
    )
    await session.flush()
    return len(new)


async def last_rate(session: AsyncSession, currency: str, on: date) -> ExchangeRate | None:
    """The last rate that was published on a day or before it."""
    query = (
        select(ExchangeRate)
        .where(ExchangeRate.currency == currency, ExchangeRate.on <= on)
        .order_by(col(ExchangeRate.on).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def in_eur(session: AsyncSession, amount_minor: int, currency: str, on: date) -> int:
    """An amount in EUR cents, by the last rate of a day; 0 where none is known, which stops the issue elsewhere."""
    if currency == EUR:
        return amount_minor
    rate = await last_rate(session, currency, on)
    return 0 if rate is None else to_eur_minor(amount_minor, currency, rate.per_eur)


async def check_rate(
    session: AsyncSession, entity: LegalEntity, invoice: Invoice, on: date, rules: BookRules
) -> None:
    """Refuse to write an invoice whose VAT could not be stated in euro. Call it before a draft is written too.

    On a test clock an old rate is good enough: nobody publishes those of the future.

    Raises:
        NoExchangeRate: it says what to load.
    """
    if invoice.exchange_rate is not None or not _needs_rate(entity, invoice):
        return
    rate = await last_rate(session, invoice.currency, on)
    oldest = on - timedelta(days=rules.exchange_rate_days)
    if rate is None or (invoice.clock_id is None and rate.on < oldest):
        found = "none is known" if rate is None else f"the last one is of {rate.on}"
        raise NoExchangeRate(
            f"An invoice in {invoice.currency} dated {on} needs the exchange rate of that day to state its VAT in "
            f"EUR, and {found}. Load the European Central Bank's file: relance tax rates-load "
            "eurofxref-hist.csv; then resume.",
            field="exchange_rate",
        )


async def freeze_rate(session: AsyncSession, invoice: Invoice) -> None:
    """State the VAT of an invoice in euro by the last rate of its date, for ever; nothing where there is none.

    An invoice that replaces another has that one's rate already.
    """
    if invoice.currency == EUR or invoice.issued_on is None or invoice.exchange_rate is not None:
        return
    rate = await last_rate(session, invoice.currency, invoice.issued_on)
    if rate is not None:
        invoice.exchange_rate, invoice.exchange_rate_on = rate.per_eur, rate.on
        invoice.vat_eur_minor = to_eur_minor(invoice.vat_minor, invoice.currency, rate.per_eur)


async def freeze_credit(session: AsyncSession, invoice: Invoice, note: CreditNote) -> None:
    """State the VAT of a credit note in euro by the rate of its invoice; the last part takes what is left (rules 7)."""
    if invoice.exchange_rate is None or invoice.vat_eur_minor is None:
        return
    query = select(CreditNote).where(CreditNote.invoice_id == invoice.id, CreditNote.id != note.id)
    earlier = (await session.exec(query)).all()
    left_eur = invoice.vat_eur_minor - sum(other.vat_eur_minor or 0 for other in earlier)
    takes_all = note.vat_minor == invoice.vat_minor - sum(other.vat_minor for other in earlier)
    share = to_eur_minor(note.vat_minor, note.currency, invoice.exchange_rate)
    note.exchange_rate, note.exchange_rate_on = invoice.exchange_rate, invoice.exchange_rate_on
    note.vat_eur_minor = left_eur if takes_all else min(share, left_eur)


def _needs_rate(entity: LegalEntity, invoice: Invoice) -> bool:
    """A seller of the euro area who charges VAT, and sales that are counted or declared in euro."""
    if invoice.currency == EUR:
        return False
    seller = place_of(entity.address.country, entity.address.postal_code)
    states_in_eur = seller.has_member_state_law and seller.country in EURO_STATES
    return invoice.consumed_in is not None or (states_in_eur and invoice.vat_minor != 0)
