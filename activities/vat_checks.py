"""What is known of customers' VAT numbers: asking a register, keeping its answers, and what follows for the tax.

Nobody is asked while a document is issued: the register's answer is a row by then.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from billing.errors import InvalidInput
from billing.tax_numbers import state_of_vat_number, vat_number
from billing.taxation import NumberProof
from billing.values import Value
from models.ids import new_id
from models.tables import Customer, RegisterAnswer, VatCheck

OFFLINE: Final = "offline"
"""Source of an answer that nobody gave: the check digits alone."""


class RegisterReply(Value):
    """What a register of VAT numbers replied, or that it did not."""

    answer: RegisterAnswer
    source: str
    consultation: str = ""
    name: str = ""
    detail: str = ""


class VatRegister(Protocol):
    """Knows which VAT numbers are in force. Never raises: not to answer is a reply."""

    async def ask(self, number: str, *, requester: str) -> RegisterReply:
        """Ask whether a number is in force.

        Args:
            number: normalised, of a member state.
            requester: the seller's own number, which makes the reply a proof; empty for none.
        """
        ...


class NoRegister:
    """Asks nobody: a number whose check digits are right counts."""

    async def ask(self, number: str, *, requester: str) -> RegisterReply:
        """Judge by the check digits."""
        del requester
        answer = RegisterAnswer.VALID if _is_well_formed(number) else RegisterAnswer.INVALID
        return RegisterReply(answer=answer, source=OFFLINE)


async def keep_reply(
    session: AsyncSession, customer: Customer, reply: RegisterReply, at: datetime, *, keep_days: int
) -> VatCheck:
    """Write down what a register replied about the customer's present number, and what follows.

    Without an answer the last one that said valid holds for `keep_days`; after them the check digits decide, and
    the row is marked for a person.

    Args:
        session: a transaction.
        customer: has a number.
        reply: about it.
        at: the instant of the reply.
        keep_days: a setting of the seller.
    """
    check = VatCheck(
        id=new_id("vat"),
        customer_id=customer.id,
        number=customer.vat_number,
        answer=reply.answer,
        source=reply.source,
        counts_as_valid=reply.answer is RegisterAnswer.VALID,
        checked_at=at,
        consultation=reply.consultation,
        name=reply.name,
        detail=reply.detail,
    )
    if reply.answer is RegisterAnswer.UNAVAILABLE:
        before = await _last_answer(session, customer)
        if before is not None and at - before.checked_at <= timedelta(days=keep_days):
            check.counts_as_valid, check.consultation = before.counts_as_valid, before.consultation
        else:
            check.source, check.needs_review = OFFLINE, True
            check.counts_as_valid = _is_well_formed(customer.vat_number)
    session.add(check)
    await session.flush()
    return check


async def proof_of(session: AsyncSession, customer: Customer) -> NumberProof | None:
    """What is known of the customer's number now; None where they have none that matters in the Union."""
    if state_of_vat_number(customer.vat_number) is None:
        return None
    check = await last_check(session, customer)
    if check is None:  # written before numbers were checked
        return NumberProof(
            number=customer.vat_number, valid=_is_well_formed(customer.vat_number), source=OFFLINE
        )
    return NumberProof(
        number=check.number,
        valid=check.counts_as_valid,
        source=check.source,
        checked_at=check.checked_at,
        consultation=check.consultation,
    )


def first_proof(number: str, reply: RegisterReply) -> NumberProof:
    """What a first reply about a number proves; without an answer the check digits decide, as in `keep_reply`."""
    is_valid = reply.answer is RegisterAnswer.VALID
    if reply.answer is RegisterAnswer.UNAVAILABLE:
        is_valid = _is_well_formed(number)
    return NumberProof(number=number, valid=is_valid, source=reply.source, consultation=reply.consultation)


async def last_check(session: AsyncSession, customer: Customer) -> VatCheck | None:
    """The newest inquiry about the number that the customer has."""
    query = (
        select(VatCheck)
        .where(VatCheck.customer_id == customer.id, VatCheck.number == customer.vat_number)
        .order_by(col(VatCheck.checked_at).desc(), col(VatCheck.id).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


async def _last_answer(session: AsyncSession, customer: Customer) -> VatCheck | None:
    """The newest inquiry that a register answered."""
    query = (
        select(VatCheck)
        .where(
            VatCheck.customer_id == customer.id,
            VatCheck.number == customer.vat_number,
            VatCheck.answer != RegisterAnswer.UNAVAILABLE,
            VatCheck.source != OFFLINE,
        )
        .order_by(col(VatCheck.checked_at).desc(), col(VatCheck.id).desc())
        .limit(1)
    )
    return (await session.exec(query)).first()


def _is_well_formed(number: str) -> bool:
    try:
        return vat_number(number) == number
    except InvalidInput:
        return False
