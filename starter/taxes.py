"""Taxes: what a customer is taxed and why, VAT numbers and their register, the one stop shop, exchange rates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.exchanging import load_rates
from activities.books.one_stop_shop import OssReturn, Quarter, oss_return, sold_across_borders
from activities.books.receipts import ReceivedAtRate, receipts_of
from activities.books.rows import lock
from activities.books.taxing import check_taxable, evidence_of, facts_of
from activities.vat_checks import (
    NoRegister,
    RegisterReply,
    VatRegister,
    keep_reply,
    last_check,
)
from billing.calendar import add_months, first_of_month, local_date
from billing.errors import InvalidInput
from billing.exchange import read_ecb
from billing.shown_prices import ShownPrices, shown_prices
from billing.subscription import CustomerKind
from billing.tax_numbers import state_of_vat_number, vat_number
from billing.taxation import LocationEvidence, TaxFacts, TaxTreatment, treatment_for
from billing.values import Value
from models.tables import Customer, LegalEntity, Plan, RegisterAnswer, VatCheck
from models.tax_identity import check_buyer
from starter.connections import Connections
from starter.finding import find, the_entity
from starter.invoiceable import check_keeps_mentions, missing_mentions_of
from starter.orders import TaxFactsChange


class TaxExplained(Value):
    """What a customer is taxed, and what that rests on."""

    customer_id: str
    on: date
    treatment: TaxTreatment
    facts: TaxFacts
    needs_review: bool
    """Nobody vouches for the VAT number but its check digits, although a register was asked."""
    evidence_contradicts: bool
    """Pieces of evidence name different countries."""


class NumberChecked(Value):
    """What is known of a VAT number."""

    number: str
    reply: RegisterReply
    customer_id: str | None = None
    counts_as_valid: bool
    needs_review: bool = False


class CrossBorderSales(Value):
    """Sales to buyers of other member states who are no business, in one calendar year."""

    year: int
    net_eur_minor: int


class Taxes:
    """What concerns VAT alone."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def explain(self, customer: str, *, on: date | None = None) -> TaxExplained:
        """What a customer would be taxed on a date, by default today where the seller is, and why.

        Raises:
            NotFound: there is no such customer.
            NoRate: no rate is known for a place.
        """
        async with self._to.database.read() as session:
            row = await find(session, Customer, customer, field="customer")
            entity = await the_entity(session, row.entity_id)
            day = on or local_date(await self._to.now(session, row.clock_id), entity.timezone)
            facts = await facts_of(session, entity, row, day)
            check = await last_check(session, row)
        evidence = evidence_of(row)
        treatment = treatment_for(facts, self._to.rules.rates)
        return TaxExplained(
            customer_id=row.id,
            on=day,
            treatment=treatment.model_copy(update={"evidence": evidence}),
            facts=facts,
            needs_review=check is not None and check.needs_review,
            evidence_contradicts=evidence is not None and len(set(evidence.proofs)) > 1,
        )

    async def prices_of(self, customer: str, plans: Sequence[Plan]) -> dict[str, ShownPrices]:
        """The prices of plans as a customer is shown them today, by the plan's id.

        Raises:
            NotFound: there is no such customer.
            NoRate: no rate is known for a place.
        """
        explained = await self.explain(customer)
        kind = explained.facts.buyer.kind
        return {plan.id: shown_prices(plan.terms, kind, explained.treatment) for plan in plans}

    async def change_facts(
        self, customer: str, change: TaxFactsChange, *, keeps_mentions: bool = False
    ) -> Customer:
        """Change what a customer is taxed by. It applies from the next document; a number is checked first.

        Args:
            customer: its id or reference.
            change: what becomes different.
            keeps_mentions: refuse to take away what the law wants on the customer's invoices (rules 18): without
                it no renewal can be billed, which is the seller's to decide and not the customer's.

        Raises:
            NotFound: there is no such customer.
            InvalidInput: what would come out contradicts itself, or lacks a mention; nothing is changed.
        """
        async with self._to.database.read() as session:
            row = await find(session, Customer, customer, field="customer")
            entity = await the_entity(session, row.entity_id)
        lacked = {missing.field for missing in missing_mentions_of(entity, row)}
        _apply(row, change)  # a row of a closed session: to see what would come out
        if keeps_mentions:
            check_keeps_mentions(entity, row, lacked)
        is_new = change.vat_number is not None
        number = row.vat_number if is_new else ""
        reply = await ask_register(self._to.register, number, entity=entity, clock_id=row.clock_id)
        async with self._to.database.write() as session:
            written = await lock(session, Customer, row.id, field="customer")
            _apply(written, change)
            if reply is not None:
                await self._keep(session, written, reply)
            return written

    async def check_number(self, number: str, *, entity: str | None = None) -> NumberChecked:
        """What is known of a number that need not be a customer's; nothing is kept.

        Raises:
            InvalidInput: it cannot be a VAT number.
        """
        normal = vat_number(number)
        if not normal:
            raise InvalidInput("Give a VAT number, as FR40303265045.", field="vat_number")
        requester = ""
        if self._to.settings.vies == "on":
            async with self._to.database.read() as session:
                requester = (await the_entity(session, entity)).vat_number
        register = self._to.register if state_of_vat_number(normal) else NoRegister()
        reply = await register.ask(normal, requester=requester)
        return NumberChecked(number=normal, reply=reply, counts_as_valid=reply.answer is RegisterAnswer.VALID)

    async def check_customer(self, customer: str) -> NumberChecked:
        """Ask the register about a customer's number again, and keep its answer.

        Raises:
            NotFound: there is no such customer.
            InvalidInput: they have no number of a member state.
        """
        async with self._to.database.read() as session:
            row = await find(session, Customer, customer, field="customer")
            entity = await the_entity(session, row.entity_id)
        reply = await ask_register(self._to.register, row.vat_number, entity=entity, clock_id=row.clock_id)
        if reply is None:
            raise InvalidInput(
                f"Customer {row.reference or row.id} has no VAT number of a member state.", field="customer"
            )
        return await self._recheck(row, reply)

    async def check_customers(self, *, older_than_days: int) -> list[NumberChecked]:
        """Ask again about every customer's number of which nothing was heard for so many days, one after the other."""
        async with self._to.database.read() as session:
            stale = await _unheard_of(session, await self._to.now(session, None), older_than_days)
        return [await self.check_customer(customer_id) for customer_id in stale]

    async def _recheck(self, row: Customer, reply: RegisterReply) -> NumberChecked:
        async with self._to.database.write() as session:
            current = await lock(session, Customer, row.id, field="customer")
            if current.vat_number != row.vat_number:
                raise InvalidInput("The number was changed meanwhile. Ask again.", field="vat_number")
            check = await self._keep(session, current, reply)
        return NumberChecked(
            number=row.vat_number,
            reply=reply,
            customer_id=row.id,
            counts_as_valid=check.counts_as_valid,
            needs_review=check.needs_review,
        )

    async def _keep(self, session: AsyncSession, customer: Customer, reply: RegisterReply) -> VatCheck:
        at = await self._to.now(session, customer.clock_id)
        return await keep_reply(session, customer, reply, at, keep_days=self._to.rules.vat_number_days)

    async def set_regime(
        self,
        entity: str | None = None,
        *,
        small_business: bool | None = None,
        oss_opted_in: bool | None = None,
        vat_percent: Decimal | None = None,
        rates_of_table: bool = False,
    ) -> LegalEntity:
        """Change how a seller is taxed, from its next document on.

        Args:
            entity: its id; not needed where there is one.
            small_business: whether it is exempt as a small business; None leaves it.
            oss_opted_in: whether consumers elsewhere are taxed at their rates from the first euro; None leaves it.
            vat_percent: replaces the standard rate of its place; None leaves it.
            rates_of_table: take that back: the table's rate again.

        Raises:
            NotFound: there is no such seller.
            NoRate: the table has no rate for its place.
        """
        async with self._to.database.write() as session:
            row = await lock(session, LegalEntity, (await the_entity(session, entity)).id, field="entity")
            if small_business is not None:
                row.small_business = small_business
            if oss_opted_in is not None:
                row.oss_opted_in = oss_opted_in
            if vat_percent is not None or rates_of_table:
                row.vat_percent = vat_percent
            check_taxable(row, (await self._to.now(session, None)).date(), self._to.rules)
            return row

    async def cross_border_sales(
        self, *, years: Sequence[int], entity: str | None = None, clock: str | None = None
    ) -> list[CrossBorderSales]:
        """The sales that the threshold of 10,000 EUR counts, by calendar year."""
        async with self._to.database.read() as session:
            seller = await the_entity(session, entity)
            return [
                CrossBorderSales(
                    year=year,
                    net_eur_minor=await sold_across_borders(
                        session, entity_id=seller.id, clock_id=clock, year=year
                    ),
                )
                for year in years
            ]

    async def oss_return(
        self, quarter: Quarter, *, entity: str | None = None, clock: str | None = None
    ) -> OssReturn:
        """The figures that a seller declares in the one stop shop for a quarter."""
        async with self._to.database.read() as session:
            seller = await the_entity(session, entity)
            return await oss_return(session, entity_id=seller.id, clock_id=clock, quarter=quarter)

    async def receipts(
        self, month: date, *, entity: str | None = None, clock: str | None = None
    ) -> tuple[ReceivedAtRate, ...]:
        """VAT on receipts of the month in which a date lies, at each rate; see `receipts_of`.

        Raises:
            NotFound: there is no such seller.
        """
        first = first_of_month(month)
        async with self._to.database.read() as session:
            seller = await the_entity(session, entity)
            return await receipts_of(
                session, entity_id=seller.id, clock_id=clock, first=first, after=add_months(first, 1)
            )

    async def load_exchange_rates(self, text: str, *, source: str) -> int:
        """Write down the exchange rates of a file of the European Central Bank; how many are new.

        Raises:
            UnreadableRates: it is no such file.
        """
        rates = read_ecb(text)
        async with self._to.database.write() as session:
            return await load_rates(session, rates, source=source)

    async def today(self, clock: str | None = None) -> date:
        """The date in UTC, on a test clock its own."""
        async with self._to.database.read() as session:
            return (await self._to.now(session, clock)).date()


async def ask_register(
    register: VatRegister, number: str, *, entity: LegalEntity, clock_id: str | None
) -> RegisterReply | None:
    """What the register says of a customer's number; None where there is none of a member state.

    Nobody is asked for a customer on a test clock. Call it outside of any transaction: it may take half a minute.
    """
    if state_of_vat_number(number) is None:
        return None
    asked = register if clock_id is None else NoRegister()
    return await asked.ask(number, requester=entity.vat_number)


def _apply(row: Customer, change: TaxFactsChange) -> None:
    """Change a customer's row.

    Raises:
        InvalidInput: what comes out contradicts itself.
    """
    kind = change.kind or CustomerKind(row.kind)
    number = row.vat_number if change.vat_number is None else change.vat_number
    siren = row.siren if change.siren is None else change.siren
    address = change.address or row.address
    check_buyer(kind, vat_number=number, siren=siren, address=address)
    row.kind, row.vat_number, row.siren, row.address = kind.value, number, siren, address
    if change.evidence is not None:
        row.evidence = _merged(row.evidence, change.evidence)


def _merged(known: LocationEvidence | None, new: LocationEvidence) -> LocationEvidence:
    return (known or LocationEvidence()).model_copy(update=new.model_dump(exclude_none=True))


async def _unheard_of(session: AsyncSession, now: datetime, days: int) -> list[str]:
    """Customers with a number, in real life, whose newest answer is older than this."""
    heard = (
        select(VatCheck.customer_id)
        .where(
            VatCheck.customer_id == Customer.id,
            VatCheck.number == Customer.vat_number,
            VatCheck.answer != RegisterAnswer.UNAVAILABLE,
            VatCheck.checked_at > now - timedelta(days=days),
        )
        .exists()
    )
    query = (
        select(Customer)
        .where(Customer.vat_number != "", col(Customer.clock_id).is_(None), ~heard)
        .order_by(col(Customer.id))
    )
    rows = (await session.exec(query)).all()
    return [row.id for row in rows if state_of_vat_number(row.vat_number) is not None]
