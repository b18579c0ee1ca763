"""The rehearsal itself: policies over the same populations, whole, and cut so that they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from billing.dunning import DunningPolicy
from billing.errors import InvalidInput
from billing.values import Value
from rehearsal.chase import Chases
from rehearsal.measures import Rehearsed, summed_up, tally
from rehearsal.payers import draw_payers
from rehearsal.policies import cut_to_equal
from rehearsal.population import Population

POPULATIONS: Final = 4
"""Into which the failed payments are divided, each with a seed of its own: their results span the range."""
NOT_VALIDATED: Final = (
    "Presets are calibrated, not validated: their fitted parameters were set by hand to meet published recoveries. "
    "Differences between policies are properties of this model, not field evidence."
)


class EqualCut(Value):
    """The policies at equal retries and span."""

    retries: int
    span_days: int
    policies: tuple[Rehearsed, ...]


class Rehearsal(Value):
    """All that was rehearsed."""

    preset: str
    title: str
    invoices: int
    """Failed payments that each policy was played over."""
    seeds: tuple[int, ...]
    policies: tuple[Rehearsed, ...]
    cut: EqualCut | None = None
    """None for a single policy, or where one never retries."""
    caution: str = NOT_VALIDATED


def rehearse(
    policies: Sequence[DunningPolicy], population: Population, *, invoices: int, seed: int
) -> Rehearsal:
    """Play policies over the same payers.

    Args:
        policies: at least one, each charging; their titles differ.
        population: from which the payers are drawn.
        invoices: failed payments for each policy, at least one for each population.
        seed: of the first population; the others have the seeds after it.

    Raises:
        InvalidInput: a policy cannot be rehearsed, or there are too few invoices; `field` says which.
    """
    _check(policies, invoices)
    seeds = tuple(seed + nth for nth in range(POPULATIONS))
    size = invoices // POPULATIONS

    def rehearsed(policy: DunningPolicy) -> Rehearsed:
        chases = Chases(policy)
        stories = ((chases.play(p) for p in draw_payers(population, seed=s, size=size)) for s in seeds)
        return summed_up([tally(population, policy, some) for some in stories])

    cut = cut_to_equal(policies) if len(policies) > 1 else None
    return Rehearsal(
        preset=population.name,
        title=population.title,
        invoices=size * POPULATIONS,
        seeds=seeds,
        policies=tuple(rehearsed(policy) for policy in policies),
        cut=cut
        and EqualCut(
            retries=cut.retries,
            span_days=cut.span_days,
            policies=tuple(rehearsed(policy) for policy in cut.policies),
        ),
    )


def _check(policies: Sequence[DunningPolicy], invoices: int) -> None:
    if invoices < POPULATIONS:
        raise InvalidInput(f"Rehearse at least {POPULATIONS} invoices.", field="invoices")
    titles = [policy.title for policy in policies]
    for policy in policies:
        if not policy.charges:
            raise InvalidInput(
                f"The policy {policy.name} charges nothing, so there is nothing to rehearse. "
                "Take one for cards or debits.",
                field="policy",
            )
        if titles.count(policy.title) > 1:
            raise InvalidInput(
                f"{policy.title} is there twice. Give one of them another name or version.", field="policy"
            )
