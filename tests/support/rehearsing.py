"""Populations in which something is certain, and the stories of their payers as diaries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rehearsal.chase import Story
from rehearsal.population import Cause, Population, presets

FAILED_AT = datetime(2027, 2, 1, 1, 0, tzinfo=UTC)
"""Two o'clock on a Monday in Paris."""


def everybody(cause: Cause, *, preset: str = "card-global", **changes: Any) -> Population:
    """A population in which every charge fails for this reason, said openly, and no mail moves anybody."""
    usual: dict[str, Any] = {
        "causes": {cause: 1.0},
        "hidden_share": 0.0,
        "acts_on_mail": {0: 0.0},
        "renewed": 0.0,
    }
    return Population.model_validate({**presets()[preset].model_dump(), **usual, **changes})


def diary(story: Story) -> list[str]:
    """Every charge and mail, in Universal Time; a charge on the day on which its outcome was known."""
    lines = [(one.known_at, f"{one.trigger} {one.answer}") for one in story.tries]
    lines += [(at, "mail") for at in story.mails]
    lines += [(story.ended_at, "end")] if story.ended_at else []
    return [f"{at:%m-%d %H:%M} {what}" for at, what in sorted(lines, key=lambda line: line[0])]
