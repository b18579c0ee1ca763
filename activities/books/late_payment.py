"""How late an invoice is, and what its lateness costs a business that pays by transfer (rules 31)."""

from __future__ import annotations

from datetime import date, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.journal import INVOICE, RECEIVABLE
from activities.books.rows import customer_of, get
from billing.interest import (
    RECOVERY_COSTS_MINOR,
    InterestRateMissing,
    Reduction,
    Stretch,
    interest_on,
    late_stretches,
    unpaid_stretches,
)
from billing.subscription import CustomerKind
from billing.terms import CollectionMethod
from billing.values import Value
from models.tables import Invoice, JournalLine, LateClaim, SubscriptionRow


class Claimed(Value):
    """What a person claimed of it."""

    claim_id: str
    on: date
    """Last day whose interest is in it."""
    state: str
    interest_minor: int
    recovery_minor: int
    paid_minor: int
    waived_minor: int
    open_minor: int


class LatePayment(Value):
    """An invoice that was not paid in time. Amounts in EUR cents, outside VAT."""

    due_on: date
    until_on: date
    """The day on which it was paid, or the day that is looked at."""
    days: int
    """On which something was unpaid."""
    bears_interest: bool
    """Whether the law lets us ask for it: never from consumers."""
    interest_minor: int | None = None
    """Up to that day; None where it bears none, or the rate of a half-year is not known."""
    recovery_minor: int = 0
    stretches: tuple[Stretch, ...] = ()
    problem: str = ""
    """Why the interest is not known, and what to do."""
    claims: tuple[Claimed, ...] = ()

    @property
    def claimed_interest_minor(self) -> int:
        """Of all claims, also what was waived since."""
        return sum(claim.interest_minor for claim in self.claims)

    @property
    def claimed_recovery_minor(self) -> int:
        """Likewise."""
        return sum(claim.recovery_minor for claim in self.claims)


async def late_payment_of(
    session: AsyncSession, invoice: Invoice, rules: BookRules, on: date
) -> LatePayment | None:
    """How late an invoice was paid, or is on this date; None where it is not late.

    Args:
        session: for looking.
        invoice: issued.
        rules: the seller's.
        on: today, where the seller is.
    """
    if invoice.due_on is None or on <= invoice.due_on:
        return None
    reductions = await _reductions(session, invoice)
    unpaid = unpaid_stretches(invoice.total_minor, invoice.due_on, reductions, on)
    if not unpaid:
        return None
    late = LatePayment(
        due_on=invoice.due_on,
        until_on=unpaid[-1][1],
        days=sum((last - first + timedelta(days=1)).days for first, last, _ in unpaid),
        bears_interest=await _bears_interest(session, invoice),
        claims=await _claims(session, invoice),
    )
    if not late.bears_interest:
        return late
    try:
        stretches = late_stretches(invoice.total_minor, invoice.due_on, reductions, on, rules.interest)
    except InterestRateMissing as missing:
        return late.model_copy(update={"recovery_minor": RECOVERY_COSTS_MINOR, "problem": missing.message})
    update = {
        "interest_minor": interest_on(stretches),
        "recovery_minor": RECOVERY_COSTS_MINOR,
        "stretches": stretches,
    }
    return late.model_copy(update=update)


async def _reductions(session: AsyncSession, invoice: Invoice) -> list[Reduction]:
    """All that took something off it, by the journal."""
    query = select(JournalLine).where(
        JournalLine.invoice_id == invoice.id,
        JournalLine.account == RECEIVABLE,
        JournalLine.kind != INVOICE,
    )
    return [
        Reduction(on=line.on, amount_minor=-line.amount_minor) for line in (await session.exec(query)).all()
    ]


async def _bears_interest(session: AsyncSession, invoice: Invoice) -> bool:
    """Businesses that pay by transfer, in the currency for which the law names the rate; never consumers (I5)."""
    customer = await customer_of(session, invoice)
    row = await get(session, SubscriptionRow, invoice.subscription_id, field="subscription")
    is_business = {invoice.buyer.kind, customer.kind} == {CustomerKind.BUSINESS.value}
    by_transfer = row.state.terms.collection_method is CollectionMethod.TRANSFER
    return is_business and by_transfer and invoice.currency == "EUR"


async def _claims(session: AsyncSession, invoice: Invoice) -> tuple[Claimed, ...]:
    query = (
        select(LateClaim)
        .where(LateClaim.invoice_id == invoice.id)
        .order_by(col(LateClaim.at), col(LateClaim.id))
    )
    return tuple(
        Claimed(
            claim_id=claim.id,
            on=claim.until_on,
            state=claim.state.value,
            interest_minor=claim.interest_minor,
            recovery_minor=claim.recovery_minor,
            paid_minor=claim.paid_minor,
            waived_minor=claim.waived_minor,
            open_minor=claim.open_minor,
        )
        for claim in (await session.exec(query)).all()
    )
