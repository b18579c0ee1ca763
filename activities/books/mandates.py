"""SEPA mandates in the books: which one an account is debited under, when it was used, and how it ends."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.gateway import MandateFacts
from billing.calendar import local_date
from billing.errors import InvalidInput
from billing.mandates import Mandate
from billing.policy_choice import MethodKind
from billing.values import Value
from models.ids import derived_id
from models.tables import Customer, LegalEntity, MandateRow, PaymentMethod, TestClock

EXPIRED = "nothing was collected under it for 36 months"
REPLACED = "replaced by another mandate"
REVOKED = "revoked at the provider"


class Agreed(Value):
    """What the seller knows of a mandate and the provider does not."""

    notice_days: int
    text: str = ""
    text_version: str = ""
    evidence: str = ""


class BroughtIn(Value):
    """A mandate that was given in another system and goes on here, under the same reference."""

    facts: MandateFacts
    agreed: Agreed
    creditor_id: str
    last_debit_on: date | None = None
    """Its last use there, from which the 36 months are counted."""


def is_direct_debit(method: PaymentMethod) -> bool:
    """Whether a method is charged by debits of an account."""
    return method.kind == MethodKind.SEPA_DEBIT.value


async def mandate_of(session: AsyncSession, method: PaymentMethod) -> MandateRow | None:
    """The mandate under which an account may be debited; None where there is none, or it has ended."""
    query = (
        select(MandateRow)
        .where(MandateRow.method_id == method.id, col(MandateRow.ended_at).is_(None))
        .order_by(col(MandateRow.accepted_at).desc(), col(MandateRow.id))
    )
    return (await session.exec(query)).first()


async def mandates_of(session: AsyncSession, customer_id: str) -> list[MandateRow]:
    """All mandates of a customer, newest first."""
    query = (
        select(MandateRow)
        .where(MandateRow.customer_id == customer_id)
        .order_by(col(MandateRow.accepted_at).desc(), col(MandateRow.id))
    )
    return list((await session.exec(query)).all())


def as_value(row: MandateRow, timezone: str) -> Mandate:
    """A row as the rules read it, with the customer's dates."""
    return Mandate(
        accepted_on=local_date(row.accepted_at, timezone),
        notice_days=row.notice_days,
        last_debit_on=row.last_debit_on,
        ended_on=local_date(row.ended_at, timezone) if row.ended_at is not None else None,
    )


def is_in_force(row: MandateRow, customer: Customer, at: datetime) -> bool:
    """Whether a customer's account may be debited under it now."""
    return as_value(row, customer.timezone).is_valid_on(local_date(at, customer.timezone))


async def keep_mandate(
    session: AsyncSession,
    method: PaymentMethod,
    facts: MandateFacts,
    agreed: Agreed,
    *,
    creditor_id: str,
    at: datetime,
) -> MandateRow:
    """Write a mandate down; the one that the account had before ends with it. The same one is kept once."""
    known = await session.get(MandateRow, derived_id("mdt", facts.id))
    if known is not None:
        return known
    before = await mandate_of(session, method)
    if before is not None:
        end_mandate(before, at, REPLACED)
    row = MandateRow(
        id=derived_id("mdt", facts.id),
        method_id=method.id,
        customer_id=method.customer_id,
        provider_id=facts.id,
        reference=facts.reference,
        creditor_id=creditor_id,
        accepted_at=facts.accepted_at or at,
        ip_address=facts.ip_address,
        user_agent=facts.user_agent,
        document_url=facts.document_url,
        created_at=at,
        **agreed.model_dump(),
    )
    session.add(row)
    await session.flush()
    return row


async def bring_in_mandate(
    session: AsyncSession, method: PaymentMethod, brought: BroughtIn, at: datetime
) -> MandateRow:
    """Write down a mandate that was given elsewhere; one that was brought in before is as it is said now."""
    row = await keep_mandate(
        session, method, brought.facts, brought.agreed, creditor_id=brought.creditor_id, at=at
    )
    row.accepted_at = brought.facts.accepted_at or row.accepted_at
    for name, value in brought.agreed:
        setattr(row, name, value)
    uses = [day for day in (row.last_debit_on, brought.last_debit_on) if day is not None]
    row.last_debit_on = max(uses, default=None)
    return row


def end_mandate(row: MandateRow, at: datetime, why: str) -> None:
    """No debit is made under it any more; the first end stays."""
    if row.ended_at is None:
        row.ended_at, row.ended_because = at, why


async def look_again(session: AsyncSession, provider_id: str, *, is_active: bool, heard_at: datetime) -> str:
    """What the provider says of a mandate. One that was revoked never holds again, whatever comes later.

    Returns:
        What was done, for whoever looks at the event.
    """
    query = select(MandateRow).where(MandateRow.provider_id == provider_id).with_for_update()
    row = (await session.exec(query)).first()
    if row is None:
        return f"noted: mandate {provider_id} is none of ours"
    if is_active:
        return f"noted: mandate {row.id} is {'over' if row.ended_at is not None else 'in force'} here"
    customer = await session.get_one(Customer, row.customer_id)
    clock = await session.get(TestClock, customer.clock_id or "")
    end_mandate(row, clock.now if clock is not None else heard_at, REVOKED)
    return f"ended {row.id}"


async def lapse_if_unused(session: AsyncSession, customer: Customer, at: datetime) -> None:
    """End the mandate of a customer's account where nobody has used it for too long.

    Looked at whenever something is about to be charged: until then it makes no difference.
    """
    method = await session.get(PaymentMethod, customer.default_method_id or "")
    row = await mandate_of(session, method) if method is not None and is_direct_debit(method) else None
    if row is not None and not is_in_force(row, customer, at):
        end_mandate(row, at, EXPIRED)
        await session.flush()


async def note_debit(session: AsyncSession, method: PaymentMethod, on: date) -> None:
    """A debit is made today: the mandate is in use."""
    row = await mandate_of(session, method) if is_direct_debit(method) else None
    if row is not None:
        row.last_debit_on = max(on, row.last_debit_on or on)


def creditor_id_of(entity: LegalEntity) -> str:
    """The identifier under which a seller debits accounts.

    Raises:
        InvalidInput: it has none; field `creditor_id`.
    """
    if not entity.creditor_id:
        raise InvalidInput(
            f"{entity.name} has no SEPA creditor identifier, which every notice of a debit names. Set it: "
            "relance entity update --creditor-id ...; Stripe's dashboard shows the one that your debits carry.",
            field="creditor_id",
        )
    return entity.creditor_id
