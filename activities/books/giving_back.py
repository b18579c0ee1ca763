"""Money that we hold for a customer goes back: on their payments, or paid out by hand. Each order once (rules 11)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.balance import ACCOUNT_OF, currencies_held, held_for
from activities.books.config import BookRules
from activities.books.correcting import DONE, CommandIdTaken
from activities.books.numbering import wait_for_turn
from activities.books.refunding import payments_of_customer, refundable, write_payout, write_refunds
from activities.books.rows import lock, lock_invoice, lock_subscription
from billing.errors import InvalidInput
from billing.money_back import BaseMoneyBack, MoneyBack, NotHeld, PayOut, SendBack
from billing.refund import MoneySource, spread
from billing.values import Value
from models.tables import CommandRow, Customer, Invoice, JournalLine, Refund, SubscriptionRow


class GivenBack(Value):
    """What became of an order."""

    command_id: str
    customer_id: str
    source: MoneySource
    amount_minor: int
    currency: str
    refunds: tuple[str, ...]
    """Ids of what was written: one for each payment on which it goes back."""
    held_minor: int
    """What is still held there."""


async def give_back(session: AsyncSession, rules: BookRules, order: MoneyBack, *, at: datetime) -> GivenBack:
    """Carry an order out, unless it was before.

    Args:
        session: a transaction of its own.
        rules: the seller's.
        order: what is asked.
        at: the business instant.

    Raises:
        NotFound: there is no such customer.
        NotHeld: we do not hold that much.
        RefundExceedsPayments: it can't all go back on payments; the rest is to be paid out by hand.
        InvalidInput: several currencies are held and none is named, or the command id is taken.
    """
    customer = await lock(session, Customer, order.customer_id, field="customer")
    known = await session.get(CommandRow, order.command_id)
    if known is not None:
        return await _answered_before(session, known, order)
    currency = order.currency or await _only_currency(session, customer)
    for subscription_id in await _subscriptions(session, customer):
        await lock_subscription(session, subscription_id)
    if isinstance(order, SendBack):
        refunds = await _send_back(session, rules, customer, order, currency, at)
    else:
        refunds = [await _pay_out(session, rules, customer, order, currency, at)]
    session.add(_command(order, await session.get_one(Invoice, refunds[0].invoice_id), at))
    return await _answer(session, order, refunds)


async def _send_back(
    session: AsyncSession,
    rules: BookRules,
    customer: Customer,
    order: SendBack,
    currency: str,
    at: datetime,
) -> list[Refund]:
    payments = await payments_of_customer(session, customer.id, currency)
    for invoice_id in sorted({payment.invoice_id for payment in payments}):
        await lock_invoice(session, invoice_id)
    left = await refundable(session, payments)
    parts = spread(await _amount(session, customer, order, currency), left)
    return await write_refunds(
        session,
        parts,
        source=order.source,
        command_id=order.command_id,
        reason=order.reason,
        by=order.by,
        at=at,
        rules=rules.access,
    )


async def _pay_out(
    session: AsyncSession,
    rules: BookRules,
    customer: Customer,
    order: PayOut,
    currency: str,
    at: datetime,
) -> Refund:
    """Booked with the invoice by which the money last came to be held."""
    amount = await _amount(session, customer, order, currency)
    query = select(JournalLine.invoice_id).where(
        JournalLine.customer_id == customer.id,
        JournalLine.currency == currency,
        JournalLine.account == ACCOUNT_OF[order.source],
        JournalLine.amount_minor < 0,
    )
    invoice_id = (await session.exec(query.order_by(col(JournalLine.id).desc()))).first()
    invoice = await session.get_one(Invoice, invoice_id)
    return await write_payout(
        session,
        await session.get_one(SubscriptionRow, invoice.subscription_id),
        invoice,
        amount,
        source=order.source,
        command_id=order.command_id,
        reason=order.reason,
        by=order.by,
        at=at,
        rules=rules.access,
    )


async def _amount(session: AsyncSession, customer: Customer, order: MoneyBack, currency: str) -> int:
    """What is to go back; nobody else takes from what is held until this transaction ends."""
    await wait_for_turn(session, customer.entity_id)
    held = (await held_for(session, customer.id, currency)).of(order.source)
    amount = held if order.amount_minor is None else order.amount_minor
    if not 0 < amount <= held:
        raise NotHeld(order.amount_minor, held, currency=currency, source=order.source)
    return amount


async def _only_currency(session: AsyncSession, customer: Customer) -> str:
    held = await currencies_held(session, customer.id)
    if len(held) != 1:
        wanted = "Nothing is held for this customer" if not held else f"Money is held in {', '.join(held)}"
        raise InvalidInput(f"{wanted}. Name the currency.", field="currency")
    return held[0]


async def _subscriptions(session: AsyncSession, customer: Customer) -> list[str]:
    query = select(SubscriptionRow.id).where(SubscriptionRow.customer_id == customer.id)
    return list((await session.exec(query.order_by(col(SubscriptionRow.id)))).all())


def _command(order: BaseMoneyBack, invoice: Invoice, at: datetime) -> CommandRow:
    """The row that makes the command's id unique, with its effect (engine 14)."""
    payload = order.model_dump(mode="json")
    return CommandRow(
        id=order.command_id,
        subscription_id=invoice.subscription_id,
        kind=payload["kind"],
        payload=payload,
        by=order.by,
        reason=order.reason,
        outcome=DONE,
        at=at,
    )


async def _answered_before(session: AsyncSession, known: CommandRow, order: MoneyBack) -> GivenBack:
    ignored = {"by", "reason"}
    asked = order.model_dump(mode="json", exclude=ignored)
    if {name: value for name, value in known.payload.items() if name not in ignored} != asked:
        raise CommandIdTaken(
            f"The command id {known.id} was used for another command. Take a new one.", field="command_id"
        )
    query = select(Refund).where(Refund.command_id == order.command_id).order_by(col(Refund.id))
    return await _answer(session, order, list((await session.exec(query)).all()))


async def _answer(session: AsyncSession, order: MoneyBack, refunds: list[Refund]) -> GivenBack:
    held = await held_for(session, order.customer_id, refunds[0].currency)
    return GivenBack(
        command_id=order.command_id,
        customer_id=order.customer_id,
        source=order.source,
        amount_minor=sum(refund.amount_minor for refund in refunds),
        currency=refunds[0].currency,
        refunds=tuple(sorted(refund.id for refund in refunds)),
        held_minor=held.of(order.source),
    )
