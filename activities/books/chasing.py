"""The row of a collection, and the `Case` that decides what it does next (engine 5, 8, 22)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.config import BookRules
from activities.books.gate import attempts_of, is_collectable
from activities.books.rows import customer_of, insert_unless_there, lock, usable_method
from activities.books.work import Work
from billing.calendar import local_date
from billing.case import Attempt, Case, Role
from billing.dunning import DEFAULT_POLICIES, GATED, DunningPolicy, default_policy
from billing.payment import AttemptState, Trigger
from billing.progress import Progress, after_charge
from billing.terms import CollectionMethod
from models.boundary import Wish
from models.ids import derived_id
from models.tables import (
    Collection,
    DunningPolicyVersion,
    Invoice,
    InvoiceStatus,
    PaymentAttempt,
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
    reopened: bool = False,
) -> Collection:
    """Hand an invoice over to a collection; the row is there before its workflow starts (engine 24).

    Args:
        session: the transaction of the fact that hands it over.
        row: the subscription.
        invoice: becomes owned by the collection.
        at: the business instant.
        on_delay: no first charge was tried on day 0 (catch-up): the collection makes it.
        reopened: it was paid, and is not any more: days count from now (rules 22).
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
        day0=_day0(row, invoice, at, reopened=reopened),
        timezone=row.state.timezone,
        done_through_day=-1 if on_delay else 0,
    )
    invoice.owner = "collection"
    session.add(collection)
    await session.flush()
    return collection


def _day0(row: SubscriptionRow, invoice: Invoice, at: datetime, *, reopened: bool = False) -> date:
    """Rules 22: the customer's date at the issue for a card, the due date for a transfer; never past once reopened."""
    by_transfer = row.state.terms.collection_method is CollectionMethod.TRANSFER
    today = local_date(at, row.state.timezone)
    if by_transfer and invoice.due_on is not None:
        return max(invoice.due_on, today) if reopened else invoice.due_on
    if reopened:
        return today
    return local_date(invoice.issued_at or at, row.state.timezone) + timedelta(days=invoice.delay_days)


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
    return Role.DRIVING.value if driver is None else Role.JOINED.value


async def pass_gate(work: Work, invoice: Invoice) -> None:
    """A gated draft was issued after all: if its payment fails later, it is chased as a first payment (U4)."""
    collection = await work.session.get(Collection, collection_key(invoice))
    if collection is not None:
        collection.role = await _role(work.session, work.row, invoice)
        collection.policy_version_id = (await policy_for(work.session, work.row, invoice)).id
        collection.day0 = _day0(work.row, invoice, work.at)


async def policy_for(session: AsyncSession, row: SubscriptionRow, invoice: Invoice) -> DunningPolicyVersion:
    """The latest version of the policy that an invoice starts its chase with, and keeps."""
    if invoice.gated and invoice.status is InvoiceStatus.DRAFT:
        return await latest_version(session, GATED.name, GATED)
    terms = row.state.terms
    default = default_policy(
        terms.interval,
        is_first_payment=invoice.first_payment,
        by_transfer=terms.collection_method is CollectionMethod.TRANSFER,
    )
    return await latest_version(session, terms.dunning_policy or default.name, default)


async def latest_version(session: AsyncSession, name: str, default: DunningPolicy) -> DunningPolicyVersion:
    """The newest version of a policy by name, or `default` where nobody wrote one."""
    query = (
        select(DunningPolicyVersion)
        .where(DunningPolicyVersion.name == name)
        .order_by(col(DunningPolicyVersion.version).desc())
    )
    found = (await session.exec(query)).first()
    policy = DEFAULT_POLICIES.get(name, default)
    if found is not None and found.version >= policy.version:
        return found
    return await _written(session, policy)


async def _written(session: AsyncSession, policy: DunningPolicy) -> DunningPolicyVersion:
    """The row of a default policy; two transactions that need it first write it once."""
    key = derived_id("pol", policy.name, policy.version)
    row = {
        "id": key,
        "name": policy.name,
        "version": policy.version,
        "policy": policy,
        "created_at": datetime.now(UTC),
    }
    await insert_unless_there(session, DunningPolicyVersion, row)
    return await session.get_one(DunningPolicyVersion, key)


async def lock_collection(session: AsyncSession, invoice: Invoice) -> Collection:
    """The row of an invoice's present chase, locked."""
    return await lock(session, Collection, collection_key(invoice), field="collection")


async def load_case(
    session: AsyncSession, row: SubscriptionRow, invoice: Invoice, collection: Collection, rules: BookRules
) -> Case:
    """The chase of an invoice as one value, read from the rows."""
    version = await session.get_one(DunningPolicyVersion, collection.policy_version_id)
    method = await usable_method(session, await customer_of(session, invoice))
    attempts = await attempts_of(session, invoice.id)
    is_open = is_collectable(invoice)
    return Case(
        invoice_id=invoice.id,
        role=Role(collection.role),
        is_open=is_open,
        due_minor=max(0, invoice.open_minor) if is_open else 0,
        minimum_minor=rules.minimum(invoice.currency),
        in_arrears=invoice.in_arrears,
        policy=version.policy,
        day0=collection.day0,
        timezone=collection.timezone,
        attempts=tuple(_attempt(attempt) for attempt in attempts if attempt.chase == invoice.chase),
        done_through_day=collection.done_through_day,
        noticed_through_day=collection.noticed_through_day,
        method=method.id if method is not None else None,
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
    )


def _attempt(attempt: PaymentAttempt) -> Attempt:
    return Attempt(
        number=attempt.number,
        trigger=attempt.trigger,
        state=attempt.state,
        begun_at=attempt.begun_at,
        settled_at=attempt.settled_at,
        decline_class=attempt.decline_class,
        decline_code=attempt.decline_code,
        payment_method_id=attempt.method_id,
        not_before=attempt.not_before,
        looked_at=attempt.looked_at,
    )


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


async def follow_attempt(work: Work, invoice: Invoice, before: Case, attempt: PaymentAttempt) -> None:
    """Advance the chase for an attempt that was written, begun or settled; wishes that it met are done.

    It meets them as it begins. What is asked while it waits for the payer is a wish for the next one, also where
    a test clock stands still between the two.
    """
    collection = await work.session.get(Collection, collection_key(invoice))
    if collection is None:
        return
    after = _attempt(attempt)
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
    asked = collection.asked if collection is not None else []
    return next((wish["command_id"] for wish in asked if wish["trigger"] == trigger.value), "")
