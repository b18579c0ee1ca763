"""Dunning policies as saved data: versions that are only added to, what they apply to, and taking them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from activities.books.policies import latest_versions, policy_key
from activities.books.rows import NotFound
from billing.agreed import Agreed, terms_agreed
from billing.dunning import DEFAULT_POLICIES, GATED, DunningPolicy
from billing.errors import InvalidInput
from billing.policy_choice import (
    AppliesTo,
    SavedPolicy,
    check_no_ties,
    check_suits,
    in_words,
    suits_terms,
)
from billing.terms import Terms
from billing.values import Value
from models.tables import DunningPolicyVersion, Plan, SubscriptionRow
from starter.connections import Connections
from starter.finding import in_one_transaction


class Change(StrEnum):
    """What saving a policy does."""

    NEW = "new"
    CHANGED = "changed"
    """The next version. Invoices in dunning keep theirs."""
    BACK = "back"
    """It was retired, and is used again as it was."""
    UNCHANGED = "unchanged"


class KnownPolicy(Value):
    """One version of a policy, a default one too."""

    name: str
    version: int
    policy: DunningPolicy
    applies_to: AppliesTo | None = None
    """None: where terms name it, or as the default for an interval."""
    is_default: bool = False
    created_at: datetime | None = None
    by: str | None = None
    retired_at: datetime | None = None

    @property
    def title(self) -> str:
        """Name and version for people."""
        return self.policy.title

    @property
    def applies_to_in_words(self) -> str:
        """What it applies to, for people."""
        if self.is_default:
            return "where no saved policy fits"
        return in_words(SavedPolicy(policy=self.policy, applies_to=self.applies_to))


class PolicySaved(KnownPolicy):
    """A policy as it is after saving it, or as it would be."""

    change: Change


class Policies:
    """The saved policies. Rows only: a chase keeps the version that it began with."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def save(self, policies: Sequence[SavedPolicy], *, by: str = "api") -> list[PolicySaved]:
        """Save policies, all or none. An equal one is the same version; a change makes the next.

        Args:
            policies: their own versions do not count.
            by: who saves them.

        Raises:
            InvalidInput: a policy does not suit what it applies to, has the name of a default one, or would be as
                right as another; `field` says where.
        """

        async def work(session: AsyncSession) -> list[PolicySaved]:
            now = await self._to.now(session, None)
            latest = await _latest_saved(session)
            saved = _outcomes(latest, policies, by=by, now=now)
            for each in saved:
                _write(session, latest.get(each.name), each)
            await session.flush()
            return saved

        return await in_one_transaction(self._to.database, work)

    async def check(self, policies: Sequence[SavedPolicy], *, by: str = "api") -> list[PolicySaved]:
        """What saving them would do; nothing is written. Raises as `save`."""
        async with self._to.database.read() as session:
            now = await self._to.now(session, None)
            return _outcomes(await _latest_saved(session), policies, by=by, now=now)

    async def list(self) -> list[KnownPolicy]:
        """The newest version of each saved policy, by name, then the default ones."""
        async with self._to.database.read() as session:
            saved = await _latest_saved(session)
        return [*map(_known, saved.values()), *map(_default, DEFAULT_POLICIES.values())]

    async def show(self, key: str) -> KnownPolicy:
        """One policy.

        Args:
            key: its name, or `name@version`; without a version the newest.

        Raises:
            NotFound: there is no such policy, or no such version of it.
        """
        name, _, version = key.partition("@")
        query = select(DunningPolicyVersion).where(DunningPolicyVersion.name == name)
        async with self._to.database.read() as session:
            rows = (await session.exec(query.order_by(col(DunningPolicyVersion.version)))).all()
        known = [_known(row) for row in rows]
        default = DEFAULT_POLICIES.get(name)
        if default is not None and default.version not in [each.version for each in known]:
            known.append(_default(default))
        if not known:
            raise NotFound(f"There is no dunning policy {name}.", field="policy")
        found = [each for each in known if not version or str(each.version) == version.removeprefix("v")]
        if not found:
            versions = ", ".join(str(each.version) for each in known)
            raise NotFound(
                f"The dunning policy {name} has no version {version}. It has {versions}.", field="policy"
            )
        return found[-1]

    async def retire(self, name: str) -> KnownPolicy:
        """Take a policy out of use: it is neither chosen nor named anew. Who has it by their terms keeps it.

        Raises:
            NotFound: there is no such saved policy.
            InvalidInput: it is a default one, a plan on offer names it, or it decides between two others.
        """
        if name in DEFAULT_POLICIES:
            raise InvalidInput(
                f"{name} is a default policy. Save one that applies to the same invoices to use that instead.",
                field="policy",
            )
        async with self._to.database.write() as session:
            latest = await _latest_saved(session)
            row = latest.pop(name, None)
            if row is None:
                raise NotFound(f"There is no saved dunning policy {name}.", field="policy")
            await _check_unnamed(session, name)
            check_no_ties(_in_use(latest))
            row.retired_at = row.retired_at or await self._to.now(session, None)
            return _known(row)


async def check_named_policy(session: AsyncSession, terms: Terms) -> None:
    """Refuse terms that name a dunning policy which does not exist, was retired, or is for another way to pay.

    Its days are the seller's own choice, also where they are more than a period has: a younger invoice joins the
    chase of the older one (engine 8).

    Raises:
        InvalidInput: with the names that there are for these terms; `field` is `dunning_policy`.
    """
    name = terms.dunning_policy
    if name is None:
        return
    in_use = [row.policy for row in (await _latest_saved(session)).values() if row.retired_at is None]
    known = {policy.name: policy for policy in (*DEFAULT_POLICIES.values(), *in_use)}
    suiting = {key for key, policy in known.items() if suits_terms(policy, terms.collection_method)}
    if name in suiting:
        return
    there_are = f"There are: {', '.join(sorted(suiting))}."
    if name not in known:
        message = f"There is no dunning policy {name!r}. {there_are}"
    elif name == GATED.name:
        message = f"The dunning policy {name} is for first payments that have no invoice yet. {there_are}"
    else:
        does = "charges" if known[name].charges else "charges nothing"
        message = (
            f"The dunning policy {name} {does}, and these terms are collected by {terms.collection_method}. "
            f"{there_are}"
        )
    raise InvalidInput(message, field="dunning_policy")


async def check_changed_policy(session: AsyncSession, row: SubscriptionRow, agreed: Agreed) -> None:
    """The same for terms that are agreed on for a running subscription; those that say nothing of it are free.

    Raises:
        InvalidInput: as `check_named_policy`.
    """
    if agreed.dunning_policy is None and agreed.collection_method is None:
        return
    about = Agreed(dunning_policy=agreed.dunning_policy, collection_method=agreed.collection_method)
    await check_named_policy(session, terms_agreed(row.state.pending_terms or row.state.terms, about))


async def _latest_saved(session: AsyncSession) -> dict[str, DunningPolicyVersion]:
    return {row.name: row for row in await latest_versions(session) if row.name not in DEFAULT_POLICIES}


def _in_use(rows: Mapping[str, DunningPolicyVersion]) -> list[SavedPolicy]:
    return [_saved(row) for row in rows.values() if row.retired_at is None]


def _saved(row: DunningPolicyVersion) -> SavedPolicy:
    return SavedPolicy(policy=row.policy, applies_to=row.applies_to)


def _outcomes(
    latest: Mapping[str, DunningPolicyVersion], policies: Iterable[SavedPolicy], *, by: str, now: datetime
) -> list[PolicySaved]:
    """What becomes of each policy that is to be saved; refused where they do not go together."""
    outcomes = [_outcome(latest.get(each.policy.name), each, by=by, now=now) for each in policies]
    together = {each.policy.name: each for each in _in_use(latest)}
    together |= {each.name: SavedPolicy(policy=each.policy, applies_to=each.applies_to) for each in outcomes}
    check_no_ties([*together.values()])
    return outcomes


def _outcome(row: DunningPolicyVersion | None, given: SavedPolicy, *, by: str, now: datetime) -> PolicySaved:
    name = given.policy.name
    if name in DEFAULT_POLICIES:
        raise InvalidInput(
            f"{name} is the name of a default policy. Take another, and say in applies_to where it is to be used.",
            field="name",
        )
    check_suits(given)
    if row is not None and _saved(row) == given.model_copy(update={"policy": _numbered(given, row.version)}):
        change = Change.UNCHANGED if row.retired_at is None else Change.BACK
        return PolicySaved(**dict(_known(row)) | {"retired_at": None}, change=change)
    policy = _numbered(given, 1 if row is None else row.version + 1)
    return PolicySaved(
        name=name,
        version=policy.version,
        policy=policy,
        applies_to=given.applies_to,
        created_at=now,
        by=by,
        change=Change.NEW if row is None else Change.CHANGED,
    )


def _numbered(given: SavedPolicy, version: int) -> DunningPolicy:
    return given.policy.model_copy(update={"version": version})


def _write(session: AsyncSession, row: DunningPolicyVersion | None, saved: PolicySaved) -> None:
    if saved.change in (Change.NEW, Change.CHANGED):
        columns = type(saved).model_fields.keys() & DunningPolicyVersion.model_fields.keys()
        content = {name: getattr(saved, name) for name in columns}
        session.add(DunningPolicyVersion(id=policy_key(saved.policy), **content))
    elif row is not None:
        row.retired_at = None


async def _check_unnamed(session: AsyncSession, name: str) -> None:
    plans = (await session.exec(select(Plan).where(col(Plan.archived_at).is_(None)))).all()
    named = sorted(plan.reference or plan.id for plan in plans if plan.terms.dunning_policy == name)
    if named:
        raise InvalidInput(
            f"The plan {named[0]} names this policy. Take the plan off the offer first: "
            f"relance plan archive {named[0]}",
            field="policy",
        )


def _known(row: DunningPolicyVersion) -> KnownPolicy:
    return KnownPolicy(
        name=row.name,
        version=row.version,
        policy=row.policy,
        applies_to=row.applies_to,
        is_default=row.name in DEFAULT_POLICIES,
        created_at=row.created_at,
        by=row.by,
        retired_at=row.retired_at,
    )


def _default(policy: DunningPolicy) -> KnownPolicy:
    return KnownPolicy(name=policy.name, version=policy.version, policy=policy, is_default=True)
