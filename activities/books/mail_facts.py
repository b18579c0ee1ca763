"""Looking up what a mail says: the seller, the method, the lines, and what is still owed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.chasing import collection_key, load_case
from activities.books.config import BookRules
from activities.books.issuing import treatment_now
from activities.books.rows import customer_of, entity_of, get, invoices_of, usable_method
from activities.links import Links
from billing.calendar import local_date
from billing.chase import StepKind
from billing.lines import Line, LineKind
from billing.progress import timeline
from billing.subscription import Subscription
from billing.taxation import TaxTreatment
from billing.terms import CollectionMethod
from billing.upcoming import Upcoming, upcoming
from billing.values import Value
from documents.sentences import grouped
from mails.context import BankAccount, MailLine, MailMerchant, OpenInvoice
from mails.formats import Language
from models.tables import (
    Collection,
    CommandRow,
    CreditNote,
    Customer,
    Invoice,
    InvoiceLine,
    InvoiceStatus,
    LegalEntity,
    Message,
    PaymentAttempt,
    PaymentMethod,
    PaymentState,
    SubscriptionRow,
)

_BRANDS: Final = {"amex": "American Express", "cartes_bancaires": "CB", "diners": "Diners Club", "jcb": "JCB"}
IBAN_GROUP: Final = 4
_UNDER_WAY: Final = (PaymentState.PROCESSING, PaymentState.UNKNOWN)


@dataclass(frozen=True)
class MailFacts:
    """One queued mail and the rows around it.

    Attributes:
        session: for looking only.
        message: the row; its `context` holds what could not be looked up later.
        links: makes the addresses in it.
        rules: the seller's.
        now: real time, for the life of links.
        customer: who reads it.
        entity: who sells.
        row: the subscription.
        invoice: what it is about, if it is about one.
    """

    session: AsyncSession
    message: Message
    links: Links
    rules: BookRules
    now: datetime
    customer: Customer
    entity: LegalEntity
    row: SubscriptionRow
    invoice: Invoice | None
    treatment: TaxTreatment

    @classmethod
    async def load(
        cls, session: AsyncSession, message: Message, *, links: Links, rules: BookRules, now: datetime
    ) -> MailFacts:
        """Read the rows around a queued mail.

        Raises:
            NotFound: one of them is missing.
        """
        row = await get(session, SubscriptionRow, message.subscription_id or "", field="subscription")
        invoice = None
        if message.invoice_id is not None:
            invoice = await get(session, Invoice, message.invoice_id, field="invoice")
        return cls(
            session=session,
            message=message,
            links=links,
            rules=rules,
            now=now,
            customer=await customer_of(session, row),
            entity=await entity_of(session, row),
            row=row,
            invoice=invoice,
            treatment=await treatment_now(session, row, now, rules),
        )

    @property
    def sub(self) -> Subscription:
        """The subscription as it is now."""
        return self.row.state

    @property
    def language(self) -> Language:
        """The reader's."""
        return Language.of(self.message.locale)

    @property
    def written_on(self) -> date:
        """The reader's date when the mail was queued."""
        return self.local(self.message.at)

    def local(self, at: datetime) -> date:
        """The reader's date at an instant."""
        return local_date(at, self.sub.timezone)

    def day(self, key: str) -> date | None:
        """A date from the row's own context."""
        said = self.message.context.get(key)
        return date.fromisoformat(said) if said else None

    def occurrence_day(self) -> date:
        """The date that the row's occurrence begins with."""
        return date.fromisoformat(self.message.occurrence.partition(":")[0])

    def pay_url(self, invoice_id: str | None) -> str | None:
        """The link under which an invoice is paid."""
        return None if invoice_id is None else self.links.pay(invoice_id, now=self.now)

    def merchant(self) -> MailMerchant:
        """The seller, in the reader's language."""
        entity = self.entity
        french = self.language is Language.FR
        form = entity.legal_form
        if form and entity.capital:
            form += f" au capital de {entity.capital}" if french else f", share capital {entity.capital}"
        parts = (
            form,
            f"SIREN {entity.siren}" if entity.siren else "",
            f"{'TVA' if french else 'VAT'} {entity.vat_number}" if entity.vat_number else "",
        )
        return MailMerchant(
            name=entity.name,
            address_lines=entity.address.lines(),
            support_mail=entity.sender,
            legal_line=", ".join(part for part in parts if part) or None,
        )

    async def lines(self, invoice: Invoice) -> tuple[Line, ...]:
        """The lines of an invoice, as they are stored."""
        return tuple(stored.line for stored in await self._stored_lines(invoice))

    async def mail_lines(self, invoice: Invoice) -> tuple[MailLine, ...]:
        """The lines of an invoice in the reader's words."""
        stored = await self._stored_lines(invoice)
        return tuple(
            MailLine(description=describe(row.line, self.language), net_minor=row.net_minor) for row in stored
        )

    async def _stored_lines(self, invoice: Invoice) -> list[InvoiceLine]:
        query = (
            select(InvoiceLine)
            .where(InvoiceLine.document_id == invoice.id)
            .order_by(col(InvoiceLine.position))
        )
        return list((await self.session.exec(query)).all())

    async def attempt(self, invoice: Invoice, number: int | None = None) -> PaymentAttempt | None:
        """An attempt on an invoice by its number, or the latest."""
        query = (
            select(PaymentAttempt)
            .where(PaymentAttempt.invoice_id == invoice.id)
            .order_by(col(PaymentAttempt.number).desc())
        )
        attempts = (await self.session.exec(query)).all()
        return next((a for a in attempts if number is None or a.number == number), None)

    async def label_of(self, attempt: PaymentAttempt | None) -> str | None:
        """The method that an attempt charged."""
        if attempt is None:
            return None
        return label(await self.session.get(PaymentMethod, attempt.method_id))

    async def present_label(self) -> str | None:
        """The method that would be charged now; None where there is none."""
        return label(await usable_method(self.session, self.customer))

    def upcoming(self, sub: Subscription | None = None) -> Upcoming | None:
        """The subscription's next invoice."""
        return upcoming(sub or self.sub, self.treatment)

    def next_charge(self) -> dict[str, Any]:
        """The next payment, as the mail's fields."""
        found = self.upcoming()
        if found is None:
            return {}
        return {
            "currency": found.currency,
            "next_charge_on": found.on,
            "next_amount_minor": found.total_minor,
        }

    async def open_invoices(self, *, of_customer: bool = False, written_off: bool = False) -> list[Invoice]:
        """Issued invoices on which something is left to pay, oldest first.

        Left out are those that need nothing from the reader now: a payment is under way, or the subscription
        is about to make the first charge itself.

        Args:
            of_customer: of all subscriptions of the customer and not of this one only (rules 26).
            written_off: also debts that we stopped asking for, and that are still owed (U11).
        """
        of = (
            Invoice.customer_id == self.customer.id if of_customer else Invoice.subscription_id == self.row.id
        )
        statuses = [InvoiceStatus.OPEN, *([InvoiceStatus.UNCOLLECTIBLE] if written_off else [])]
        query = (
            select(Invoice)
            .where(of, col(Invoice.status).in_(statuses), Invoice.owner == "collection")
            .order_by(col(Invoice.issued_on), col(Invoice.series), col(Invoice.number))
        )
        found = (await self.session.exec(query)).all()
        return [i for i in found if i.open_minor > 0 and i.payment_state not in _UNDER_WAY]

    async def listed(self, invoices: list[Invoice]) -> tuple[OpenInvoice, ...]:
        """Open invoices as a mail lists them."""
        references = {
            key: (await get(self.session, SubscriptionRow, key, field="subscription")).reference or key
            for key in {invoice.subscription_id for invoice in invoices}
        }
        return tuple(
            OpenInvoice(
                number=invoice.number or "",
                issued_on=invoice.issued_on or self.written_on,
                currency=invoice.currency,
                open_minor=invoice.open_minor,
                subscription_reference=references[invoice.subscription_id],
                due_on=invoice.due_on if invoice.due_on != invoice.issued_on else None,
            )
            for invoice in invoices
        )

    async def next_try_on(self, invoices: list[Invoice]) -> date | None:
        """The first date on which one of these invoices is charged without the customer; None for never."""
        days = []
        for invoice in invoices:
            collection = await self.session.get(Collection, collection_key(invoice))
            if collection is None or collection.closed_at is not None:
                continue
            case = await load_case(self.session, self.row, invoice, collection, self.rules)
            steps = timeline(case, self.message.at)
            days += [self.local(step.due) for step in steps if step.kind is StepKind.CHARGE and step.due]
        return min(days, default=None)

    async def command(self, kind: str) -> CommandRow | None:
        """The last command of a kind that was carried out on the subscription."""
        query = (
            select(CommandRow)
            .where(
                CommandRow.subscription_id == self.row.id,
                CommandRow.kind == kind,
                CommandRow.outcome == "applied",
            )
            .order_by(col(CommandRow.at).desc(), col(CommandRow.id).desc())
        )
        return (await self.session.exec(query)).first()

    async def credited_by(self, command: CommandRow | None) -> int | None:
        """What a command credited of days not used, in minor units; None for nothing."""
        return sum(note.total_minor for note in await self._notes_of(command)) or None

    async def refunded_by(self, command: CommandRow | None) -> int:
        """What a command sent back on payments, in minor units."""
        return sum(note.refund_minor for note in await self._notes_of(command))

    async def _notes_of(self, command: CommandRow | None) -> Sequence[CreditNote]:
        if command is None:
            return ()
        query = (
            select(CreditNote)
            .join(Invoice, col(CreditNote.invoice_id) == col(Invoice.id))
            .where(CreditNote.command_id == command.id, Invoice.subscription_id == self.row.id)
        )
        return (await self.session.exec(query)).all()

    async def paid_in_all(self) -> int:
        """What was paid on the subscription's invoices, in minor units, refunds not taken off."""
        return sum(invoice.paid_minor for invoice in await invoices_of(self.session, self.row.id))


def label(method: PaymentMethod | None) -> str | None:
    """A payment method as its owner knows it: `Visa •••• 4242`."""
    if method is None:
        return None
    if method.kind == "sepa_debit":
        return f"SEPA •••• {method.last4}"
    brand = _BRANDS.get(method.brand, method.brand.replace("_", " ").capitalize())
    return f"{brand} •••• {method.last4}".strip()


def describe(line: Line, language: Language) -> str:
    """An invoice line in the reader's words: `Pro, Seats (12 of 31 days)`."""
    french = language is Language.FR
    name = f"{line.plan_name}, {line.description}" if line.description else line.plan_name
    if line.quantity != 1:
        name += f" × {line.quantity}"  # noqa: RUF001 - the sign that invoices are printed with
    if line.is_part and french:
        name += f" ({line.days} jours sur {line.whole_days})"
    elif line.is_part:
        name += f" ({line.days} of {line.whole_days} days)"
    if line.kind in (LineKind.PRORATION_CREDIT, LineKind.CREDIT):
        return f"Déduction, {name}" if french else f"Credit, {name}"
    return name


def day_before(day: date) -> date:
    """The last day of something whose end is exclusive."""
    return day - timedelta(days=1)


class Moot(Value):
    """There is nothing left to say: what the mail asks for was settled before it was sent."""

    reason: str


def how_to_transfer(facts: MailFacts, invoices: Sequence[Invoice]) -> Fields:
    """The seller's account and the numbers to quote; nothing for those who are charged."""
    if facts.sub.terms.collection_method is not CollectionMethod.TRANSFER:
        return {}
    entity = facts.entity
    bank = None
    if entity.iban:
        iban = grouped(entity.iban, IBAN_GROUP)
        bank = BankAccount(holder=entity.name, iban=iban, bic=entity.bic or None)
    numbers = [invoice.number for invoice in invoices if invoice.number]
    return {"by_transfer": True, "bank": bank, "transfer_reference": ", ".join(numbers) or None}


async def still_open(facts: MailFacts, invoices: list[Invoice]) -> Fields:
    """What remains to be paid, and the link of the oldest."""
    return {
        "open_invoices": await facts.listed(invoices),
        "pay_url": facts.pay_url(invoices[0].id) if invoices else None,
        **how_to_transfer(facts, invoices),
    }


Fields = dict[str, Any]
"""What a mail says, by the fields of its context."""
Says = Callable[[MailFacts], Awaitable[Fields | Moot]]
