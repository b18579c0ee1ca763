"""What the demo sells: the seller and the plans of `catalogue.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from sandbox.demo import files
from starter.client import RelanceClient
from starter.orders import NewEntity, NewPlan

FILE: Final = Path(__file__).with_name("catalogue.toml")


class Catalogue(BaseModel):
    """A seller and what is on offer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seller: NewEntity
    plan: tuple[NewPlan, ...] = Field(min_length=1)


def read_catalogue(file: Path = FILE) -> Catalogue:
    """Reads the catalogue.

    Raises:
        SandboxProblem: something in it cannot be billed.
    """
    return files.read(file, Catalogue)


async def load(catalogue: Catalogue, relance: RelanceClient) -> None:
    """Puts everything on offer, under ids that one recognises in the Temporal UI."""
    await relance.create_entity(catalogue.seller)
    await relance.create_plans(
        [
            plan
            if plan.id or not plan.reference
            else plan.model_copy(update={"id": f"plan_{plan.reference}"})
            for plan in catalogue.plan
        ]
    )
