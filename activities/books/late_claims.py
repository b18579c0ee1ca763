"""Claiming what late payment costs, and letting it go: a person's decision, booked outside VAT (rules 31)."""

from __future__ import annotations

from pydantic import Field
from sqlmodel import col, select

from activities.books.correcting import NotNow
from activities.books.journal import (
    LATE_CLAIM,
    LATE_CLAIM_WAIVED,
    LATE_INTEREST,
    LATE_RECEIVABLE,
    RECOVERY_COSTS,
    book,
)
from activities.books.late_payment import LatePayment, late_payment_of
from activities.books.notices import emit, write_mail
from activities.books.rows import customer_of, entity_of, lock_with_subscription
from activities.books.transfers import Desk
from activities.books.work import Work
from billing.calendar import local_date
from billing.transfers import ClaimState
from billing.values import Value
from models.ids import derived_id
from models.tables import Invoice, LateClaim


class ClaimInterest(Value):
    """Asks a business for what its late payment costs."""

    command_id: str = Field(min_length=1, max_length=100)
    invoice_id: str
    by: str = Field(default="api", max_length=100)


class WaiveInterest(Value):
    """Lets go of what was claimed and is not paid."""

    invoice_id: str
    reason: str = Field(min_length=1, max_length=200)
    by: str = Field(default="api", max_length=100)


class ClaimStanding(Value):
    """What was claimed for an invoice, as it stands now."""

    invoice_id: str
    number: str | None
    interest_minor: int
    """Of all claims for it."""
    recovery_minor: int
    paid_minor: int
    waived_minor: int
    open_minor: int
    currency: str


async def claim_interest(desk: Desk, asked: ClaimInterest) -> ClaimStanding:
    """Claim what the lateness of an invoice costs up to now, less what was claimed before; once for each command id.

    It is a debt beside the invoice: no document and no VAT, an account of its own. A transfer that names the invoice
    pays it after the invoice.

    Raises:
        NotFound: there is no such invoice.
        NotNow: it was paid in time, the customer is no business that pays by transfer, or all was claimed before.
        InterestRateMissing: the rate of a half-year is not known.
    """
    row, invoice = await lock_with_subscription(desk.session, asked.invoice_id)
    claim_id = derived_id("lc", invoice.id, asked.command_id)
    if await desk.session.get(LateClaim, claim_id) is None:
        await _claim(desk.work(row), invoice, claim_id, asked)
    return await _standing(desk, invoice)


async def _claim(work: Work, invoice: Invoice, claim_id: str, asked: ClaimInterest) -> None:
    entity = await entity_of(work.session, invoice)
    late = await late_payment_of(work.session, invoice, work.rules, local_date(work.at, entity.timezone))
    interest, recovery = _still_to_claim(late)
    assert late is not None  # noqa: S101 - nothing could be claimed else
    claim = LateClaim(
        id=claim_id,
        invoice_id=invoice.id,
        entity_id=invoice.entity_id,
        customer_id=invoice.customer_id,
        command_id=asked.command_id,
        state=ClaimState.OPEN,
        until_on=late.until_on,
        interest_minor=interest,
        recovery_minor=recovery,
        currency=invoice.currency,
        parts=[stretch.model_dump(mode="json") for stretch in late.stretches],
        by=asked.by,
        at=work.at,
    )
    work.session.add(claim)
    book(
        work.session,
        entity,
        invoice,
        entry=f"{LATE_CLAIM}/{claim.id}",
        amounts={LATE_RECEIVABLE: interest + recovery, LATE_INTEREST: -interest, RECOVERY_COSTS: -recovery},
        at=work.at,
    )
    _tell(work, "late_claim.made", invoice, claim)
    await work.session.flush()
    await write_mail(
        work.session,
        await customer_of(work.session, invoice),
        kind="late_interest_claimed",
        step="late_interest_claimed",
        occurrence=claim.id,
        at=work.at,
        subscription=work.row,
        invoice=invoice,
        context={"claim": claim.id},
    )


def _still_to_claim(late: LatePayment | None) -> tuple[int, int]:
    """Interest and recovery costs that were not claimed yet.

    Raises:
        NotNow: there is nothing.
    """
    if late is None:
        raise NotNow("This invoice was paid in time, or is not overdue yet.", field="invoice")
    if not late.bears_interest:
        raise NotNow(
            "Interest is claimed from businesses that pay by transfer in EUR, never from consumers.",
            field="invoice",
        )
    if late.interest_minor is None:
        raise NotNow(late.problem, field="interest_rates")
    interest = max(0, late.interest_minor - late.claimed_interest_minor)
    recovery = max(0, late.recovery_minor - late.claimed_recovery_minor)
    if interest + recovery == 0:
        raise NotNow("All that its lateness costs was claimed before.", field="invoice")
    return interest, recovery


async def waive_interest(desk: Desk, asked: WaiveInterest) -> ClaimStanding:
    """Let go of what was claimed for an invoice and is not paid. It is not claimed again.

    Raises:
        NotFound: there is no such invoice.
        NotNow: nothing is claimed and unpaid.
    """
    row, invoice = await lock_with_subscription(desk.session, asked.invoice_id)
    work = desk.work(row)
    waived = [claim for claim in await _claims_of(desk, invoice) if claim.open_minor]
    if not waived:
        raise NotNow("Nothing that was claimed for this invoice is unpaid.", field="invoice")
    for claim in waived:
        await _waive(work, invoice, claim, asked.reason)
        _tell(work, "late_claim.waived", invoice, claim)
    return await _standing(desk, invoice)


async def _waive(work: Work, invoice: Invoice, claim: LateClaim, reason: str) -> None:
    let_go = claim.open_minor
    recovery = min(let_go, claim.recovery_minor)
    claim.waived_minor += let_go
    claim.state = ClaimState.PAID if claim.paid_minor else ClaimState.WAIVED
    claim.reason, claim.closed_at = reason, work.at
    book(
        work.session,
        await entity_of(work.session, invoice),
        invoice,
        entry=f"{LATE_CLAIM_WAIVED}/{claim.id}/{claim.waived_minor}",
        amounts={LATE_RECEIVABLE: -let_go, RECOVERY_COSTS: recovery, LATE_INTEREST: let_go - recovery},
        at=work.at,
    )


def _tell(work: Work, name: str, invoice: Invoice, claim: LateClaim) -> None:
    facts = {
        "invoice": invoice.id,
        "number": invoice.number,
        "claim": claim.id,
        "interest_minor": claim.interest_minor,
        "recovery_minor": claim.recovery_minor,
        "waived_minor": claim.waived_minor,
    }
    emit(work.session, work.row, name, facts, work.at, work.rules.access)


async def _claims_of(desk: Desk, invoice: Invoice) -> list[LateClaim]:
    query = (
        select(LateClaim)
        .where(LateClaim.invoice_id == invoice.id)
        .order_by(col(LateClaim.at), col(LateClaim.id))
    )
    return list((await desk.session.exec(query)).all())


async def _standing(desk: Desk, invoice: Invoice) -> ClaimStanding:
    await desk.session.flush()
    claims = await _claims_of(desk, invoice)
    return ClaimStanding(
        invoice_id=invoice.id,
        number=invoice.number,
        interest_minor=sum(claim.interest_minor for claim in claims),
        recovery_minor=sum(claim.recovery_minor for claim in claims),
        paid_minor=sum(claim.paid_minor for claim in claims),
        waived_minor=sum(claim.waived_minor for claim in claims),
        open_minor=sum(claim.open_minor for claim in claims),
        currency=invoice.currency,
    )
