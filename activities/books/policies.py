"""The dunning policy that an invoice begins its chase with, and keeps: a saved one, else a default (rules 24)."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.rows import customer_of, insert_unless_there, usable_method
from billing.dunning import DEFAULT_POLICIES, GATED, DunningPolicy
from billing.policy_choice import Chased, MethodKind, SavedPolicy, choose_policy, suits_terms
from billing.terms import CollectionMethod
from models.ids import derived_id
from models.tables import DunningPolicyVersion, Invoice, InvoiceStatus, SubscriptionRow


async def policy_for(session: AsyncSession, row: SubscriptionRow, invoice: Invoice) -> DunningPolicyVersion:
    """The policy that an invoice begins its chase with: that of its terms, else the one that fits it best.

    One that charges is not taken for what is paid by transfer, whatever the terms name (rules 22).
    """
    if invoice.gated and invoice.status is InvoiceStatus.DRAFT:
        return await _latest_of(session, GATED)
    named = row.state.terms.dunning_policy
    found = await _latest_named(session, named) if named is not None else None
    if found is not None and suits_terms(found.policy, row.state.terms.collection_method):
        return found
    return await _latest_of(session, await _chosen(session, row, invoice))


async def _chosen(session: AsyncSession, row: SubscriptionRow, invoice: Invoice) -> DunningPolicy:
    saved = [
        SavedPolicy(policy=version.policy, applies_to=version.applies_to)
        for version in await latest_versions(session)
        if version.retired_at is None
    ]
    return choose_policy(saved, await _chased(session, row, invoice))


async def _chased(session: AsyncSession, row: SubscriptionRow, invoice: Invoice) -> Chased:
    customer = await customer_of(session, invoice)
    method = await usable_method(session, customer)
    kind = MethodKind(method.kind) if method is not None else None
    by_transfer = row.state.terms.collection_method is CollectionMethod.TRANSFER
    return Chased(
        interval=row.state.terms.interval,
        method=MethodKind.TRANSFER if by_transfer else kind,
        country=customer.address.country if customer.address is not None else None,
        segment=customer.segment,
        is_first_payment=invoice.first_payment and invoice.chase == 1,
    )


async def latest_versions(session: AsyncSession) -> list[DunningPolicyVersion]:
    """The newest version of each policy that was saved or used, by name; the retired ones too."""
    newest = (
        select(DunningPolicyVersion.name, func.max(DunningPolicyVersion.version).label("version"))
        .group_by(DunningPolicyVersion.name)
        .subquery()
    )
    query = (
        select(DunningPolicyVersion)
        .join(
            newest,
            (col(DunningPolicyVersion.name) == newest.c.name)
            & (col(DunningPolicyVersion.version) == newest.c.version),
        )
        .order_by(col(DunningPolicyVersion.name))
    )
    return list((await session.exec(query)).all())


async def _latest_named(session: AsyncSession, name: str) -> DunningPolicyVersion | None:
    """The newest version of a policy by name; None where there is none."""
    default = DEFAULT_POLICIES.get(name)
    return await _newest(session, name) if default is None else await _latest_of(session, default)


async def _latest_of(session: AsyncSession, policy: DunningPolicy) -> DunningPolicyVersion:
    """The newest version of a policy that is known; a default one is written where its version is not there yet."""
    found = await _newest(session, policy.name)
    if found is not None and found.version >= policy.version:
        return found
    key = policy_key(policy)
    row = {
        "id": key,
        "name": policy.name,
        "version": policy.version,
        "policy": policy,
        "created_at": datetime.now(UTC),
    }
    # Two transactions that need it first write it once.
    await insert_unless_there(session, DunningPolicyVersion, row)
    return await session.get_one(DunningPolicyVersion, key)


async def _newest(session: AsyncSession, name: str) -> DunningPolicyVersion | None:
    query = (
        select(DunningPolicyVersion)
        .where(DunningPolicyVersion.name == name)
        .order_by(col(DunningPolicyVersion.version).desc())
    )
    return (await session.exec(query)).first()


def policy_key(policy: DunningPolicy) -> str:
    """The id of the row of one version."""
    return derived_id("pol", policy.name, policy.version)
