"""The row of a collection, and the `Case` that decides what it does next (engine 5, 8, 22)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.cards import Card, allows_no_repeat, as_value, good_days, is_stopped, tries_on, turn_of
from activities.books.config import BookRules
from activities.books.gate import attempts_of, is_collectable
from activities.books.mandates import is_direct_debit, mandate_of
from activities.books.methods import backup_for
from activities.books.policies import policy_for
from activities.books.rows import customer_of, is_in_dispute, lock, method_on_file, usable_method
from activities.books.work import Work
from billing.calendar import local_date
from billing.caps import on_card
from billing.case import Backup, Case, Role, tried_with
from billing.debits import collection_date
from billing.payment import AttemptState, Trigger
from billing.progress import Progress, after_charge
from billing.terms import CollectionMethod
from billing.timing import NO_MONEY
from models.boundary import Wish
from models.ids import derived_id
from models.tables import (
    Collection,
    DunningPolicyVersion,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
    PaymentMethod,
    SubscriptionRow,
)


def collection_key(invoice: Invoice) -> str:
    """The id of the row of an invoice's present chase."""
    return derived_id("col", invoice.id, invoice.chase)


async def open_collection(
    session: AsyncSession,
    row: SubscriptionRow,
    invoice: Invoice,
    at: datetime,
    *,
    on_delay: bool = False,
) -> Collection:
    """Hand an invoice over to a collection; the row is there before its workflow starts (engine 24).

    Args:
        session: the transaction of the fact that hands it over.
        row: the subscription.
        invoice: becomes owned by the collection.
        at: the business instant.
        on_delay: no first charge was tried on day 0 (catch-up): the collection makes it.
    """
    key = collection_key(invoice)
    existing = await session.get(Collection, key)
    if existing is not None:
        return existing
    version = await policy_for(session, row, invoice)
    collection = Collection(
        id=key,
        invoice_id=invoice.id,
        subscription_id=row.id,
        customer_id=row.customer_id,
        clock_id=row.clock_id,
        chase=invoice.chase,
        role=await _role(session, row, invoice),
        policy_version_id=version.id,
        day0=await _announced_day0(session, row, invoice, at) if on_delay else _day0(row, invoice, at),
        timezone=row.state.timezone,
        done_through_day=-1 if on_delay else 0,
    )
    invoice.owner = "collection"
    session.add(collection)
    await session.flush()
    return collection


def _day0(row: SubscriptionRow, invoice: Invoice, at: datetime) -> date:
    """Rules 22: the customer's date at the issue for a card, the due date for a transfer; never past once reopened.

    Nor where the debt was brought in: what another system asked before is no part of our chase.
    """
    by_transfer = row.state.terms.collection_method is CollectionMethod.TRANSFER
    was_reopened, today = invoice.chase > 1, local_date(at, row.state.timezone)
    if invoice.is_brought_in and not was_reopened:
        return today + timedelta(days=invoice.delay_days)
    if by_transfer and invoice.due_on is not None:
        return max(invoice.due_on, today) if was_reopened else invoice.due_on
    if was_reopened:
        return today
    return local_date(invoice.issued_at or at, row.state.timezone) + timedelta(days=invoice.delay_days)


async def _announced_day0(
    session: AsyncSession, row: SubscriptionRow, invoice: Invoice, at: datetime
) -> date:
    """As `_day0`; a direct debit that is still to come is made when its notice is over (rules 22)."""
    day0 = _day0(row, invoice, at)
    if row.state.terms.collection_method is CollectionMethod.TRANSFER:
        return day0
    method = await usable_method(session, await customer_of(session, invoice))
    mandate = await mandate_of(session, method) if method is not None else None
    return day0 if mandate is None else collection_date(day0, mandate.notice_days)


async def _role(session: AsyncSession, row: SubscriptionRow, invoice: Invoice) -> str:
    """The oldest invoice that is chased drives; a younger one joins it (engine 8).

    One whose policy has ended drives nothing any more: each later invoice runs its own (rules 24).
    """
    if invoice.gated and invoice.status is InvoiceStatus.DRAFT:
        return Role.GATED.value
    query = select(Collection).where(
        Collection.subscription_id == row.id,
        Collection.role == Role.DRIVING.value,
        col(Collection.closed_at).is_(None),
        col(Collection.ended).is_(False),
    )
    driver = (await session.exec(query)).first()
    if driver is None:
        return Role.DRIVING.value
    driven = await session.get_one(Invoice, driver.invoice_id)
    is_older = invoice.period_start < driven.period_start
    if is_older and invoice.in_arrears and not driven.in_arrears:
        driver.role = Role.JOINED.value  # a debit that is only announced, or under way, drives nothing
        return Role.DRIVING.value
    return Role.JOINED.value


async def pass_gate(work: Work, invoice: Invoice) -> None:
    """A gated draft was issued after all: if its payment fails later, it is chased as a first payment (U4)."""
    collection = await work.session.get(Collection, collection_key(invoice))
    if collection is not None:
        collection.role = await _role(work.session, work.row, invoice)
        collection.policy_version_id = (await policy_for(work.session, work.row, invoice)).id
        collection.day0 = _day0(work.row, invoice, work.at)


async def lock_collection(session: AsyncSession, invoice: Invoice) -> Collection:
    """The row of an invoice's present chase, locked."""
    return await lock(session, Collection, collection_key(invoice), field="collection")


async def load_case(
    session: AsyncSession, row: SubscriptionRow, invoice: Invoice, collection: Collection, rules: BookRules
) -> Case:
    """The chase of an invoice as one value, read from the rows."""
    version = await session.get_one(DunningPolicyVersion, collection.policy_version_id)
    customer = await customer_of(session, invoice)
    method = await method_on_file(session, customer)
    disputed = method is not None and await is_in_dispute(session, method)
    mandate = await mandate_of(session, method) if method is not None and is_direct_debit(method) else None
    attempts = await attempts_of(session, invoice.id)
    is_open = is_collectable(invoice)
    case = Case(
        invoice_id=invoice.id,
        role=Role(collection.role),
        is_open=is_open,
        due_minor=max(0, invoice.open_minor) if is_open else 0,
        minimum_minor=rules.minimum(invoice.currency),
        in_arrears=invoice.in_arrears,
        policy=version.policy,
        day0=collection.day0,
        timezone=collection.timezone,
        attempts=tuple(
            as_value(attempt).model_copy(
                update={"is_of_earlier_payment": attempt.generation != invoice.generation}
            )
            for attempt in attempts
            if attempt.chase == invoice.chase
        ),
        done_through_day=collection.done_through_day,
        noticed_through_day=collection.noticed_through_day,
        method=method.id if method is not None and not disputed else None,
        method_disputed=disputed,
        by_direct_debit=mandate is not None,
        notice_days=mandate.notice_days if mandate is not None else 0,
        debit_on=collection.debit_on,
        turn=await turn_of(session, collection, invoice),
        country=customer.address.country if customer.address is not None else "",
        by_transfer=row.state.terms.collection_method is CollectionMethod.TRANSFER,
        stopped=not (invoice.automatic_collecting and row.automatic_collecting),
        frozen=invoice.frozen,
        end_held=row.state.parked is not None,
        promise_on=collection.promise_on,
        held_until=collection.held_until,
        last_notice_on=collection.last_notice_on,
        end_on=collection.end_on,
        ended=collection.ended,
        deadline_at=invoice.gate_closes_at if collection.role == Role.GATED.value else None,
        asked=tuple(Trigger(wish["trigger"]) for wish in collection.asked),
        payer_present=is_payer_present(collection),
    )
    if method is not None and not disputed:
        case = await _with_card(session, case, invoice, method)
    backup = await backup_for(session, customer, invoice)
    return case if backup is None else await _with_backup(session, case, invoice, backup)


async def _with_card(session: AsyncSession, case: Case, invoice: Invoice, method: PaymentMethod) -> Case:
    """What was tried on the card for whichever invoices, and on which days this payer has money (rules 26, 27)."""
    card = Card.of(method, invoice.clock_id)
    case = case.model_copy(update={"elsewhere": await tries_on(session, card, but=(invoice, method))})
    failure = case.last_failure
    has_no_money = failure is not None and failure.decline_code == NO_MONEY
    known = has_no_money and case.policy.good_days
    return case.model_copy(
        update={
            "method_stopped": await is_stopped(session, card),
            "repeats_forbidden": await allows_no_repeat(session, card, on_card(case)),
            "good_days": await good_days(session, invoice.customer_id, case.timezone) if known else (),
        }
    )


async def _with_backup(session: AsyncSession, case: Case, invoice: Invoice, method: PaymentMethod) -> Case:
    """What may stand in for the default method, with what is known of its card."""
    card = Card.of(method, invoice.clock_id)
    elsewhere = await tries_on(session, card, but=(invoice, method))
    tries = (*tried_with(method.id, case.attempts), *elsewhere)
    backup = Backup(
        method=method.id,
        elsewhere=elsewhere,
        method_stopped=await is_stopped(session, card),
        repeats_forbidden=await allows_no_repeat(session, card, tries),
    )
    return case.model_copy(update={"backup": backup})


async def chase_of(work: Work, invoice: Invoice) -> Case | None:
    """The chase of an invoice as one value; None where no collection owns it."""
    collection = await work.session.get(Collection, collection_key(invoice))
    if collection is None:
        return None
    return await load_case(work.session, work.row, invoice, collection, work.rules)


def store_progress(collection: Collection, progress: Progress) -> None:
    """Keep how far a chase has come: the step index is stored, never counted."""
    collection.done_through_day = progress.done_through_day
    collection.noticed_through_day = progress.noticed_through_day
    collection.last_notice_on = progress.last_notice_on
    collection.end_on = progress.end_on
    collection.day0 = progress.day0 or collection.day0
    collection.debit_on = progress.debit_on


async def follow_attempt(work: Work, invoice: Invoice, before: Case, attempt: PaymentAttempt) -> None:
    """Advance the chase for an attempt that was written, begun or settled; wishes that it met are done.

    It meets them as it begins. What is asked while it waits for the payer is a wish for the next one, also where
    a test clock stands still between the two.
    """
    collection = await work.session.get(Collection, collection_key(invoice))
    if collection is None:
        return
    after = as_value(attempt)
    store_progress(collection, after_charge(before, after))
    had_begun = any(
        a.number == attempt.number and a.state is not AttemptState.QUEUED for a in before.attempts
    )
    if not had_begun and attempt.state is not AttemptState.QUEUED:
        collection.asked = [wish for wish in collection.asked if wish["at"] > attempt.begun_at.isoformat()]


async def resting_collections(work: Work, invoice: Invoice) -> list[Collection]:
    """The other chases of the subscription, oldest invoice first."""
    query = (
        select(Collection)
        .join(Invoice, col(Collection.invoice_id) == col(Invoice.id))
        .where(
            Collection.subscription_id == work.row.id,
            Collection.invoice_id != invoice.id,
            col(Collection.closed_at).is_(None),
            Collection.role != Role.GATED.value,
        )
        .order_by(col(Invoice.period_start))
    )
    return list((await work.session.exec(query)).all())


def take_down(collection: Collection, wish: Wish) -> None:
    """Keep a wish until it is charged; the same command twice is one wish."""
    known = {entry["command_id"] for entry in collection.asked}
    if wish.command_id in known or wish.as_of is None:
        return
    entry: dict[str, Any] = {
        "trigger": wish.trigger.value,
        "command_id": wish.command_id,
        "at": wish.as_of.isoformat(),
        "by": wish.by,
        "present": wish.present,
    }
    collection.asked = [*collection.asked, entry]


async def ask_others(work: Work, paid: Invoice) -> None:
    """A payment came: what else is open is charged once, oldest first (engine 8).

    An invoice whose first charge is still to come keeps its own day (rules 4).
    """
    for other in await resting_collections(work, paid):
        if other.done_through_day < 0:
            continue
        wish = Wish(trigger=Trigger.RETRY, command_id=f"after/{paid.id}/{paid.chase}", as_of=work.at)
        take_down(other, wish)


async def to_wake(work: Work, invoice: Invoice) -> tuple[str, ...]:
    """Other invoices of the subscription that somebody wants charged now."""
    return tuple(other.invoice_id for other in await resting_collections(work, invoice) if other.asked)


async def first_wish(session: AsyncSession, invoice: Invoice, trigger: Trigger) -> str:
    """The command that asked for a charge of this kind, oldest first; empty where nobody did."""
    collection = await session.get(Collection, collection_key(invoice))
    wishes = _wishes(collection, trigger) if collection is not None else []
    return wishes[0]["command_id"] if wishes else ""


def is_payer_present(collection: Collection | None) -> bool:
    """Whether the customer who asked first for a charge waits at a browser."""
    wishes = _wishes(collection, Trigger.CUSTOMER) if collection is not None else []
    return bool(wishes) and bool(wishes[0].get("present"))


def _wishes(collection: Collection, trigger: Trigger) -> list[dict[str, Any]]:
    return [wish for wish in collection.asked if wish["trigger"] == trigger.value]
