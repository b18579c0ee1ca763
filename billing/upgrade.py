"""The shape of a subscription's state has a number. What an earlier release wrote is brought up when it is read.

States sleep for a year in rows and in executions, so a change of shape that a default cannot cover needs a step here:
raise `SCHEMA_NUMBER`, add the step under the number that it starts from, and keep an example of the old shape in
the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

SCHEMA_NUMBER: Final = 1
"""The shape that this release writes."""

Step = Callable[[dict[str, Any]], dict[str, Any]]

STEPS: Final[Mapping[int, Step]] = {}
"""By the number that a step starts from: it turns a state of shape n into one of shape n + 1."""


def upgraded(
    state: Mapping[str, Any], *, steps: Mapping[int, Step] = STEPS, to: int = SCHEMA_NUMBER
) -> dict[str, Any]:
    """A stored state in the shape of this release.

    A state without a number was made in code, by this release, and is in its shape already: everything that is
    stored names its number.

    Args:
        state: as it was read.
        steps: from one number to the next.
        to: the shape that is wanted.

    Raises:
        ValueError: a newer release wrote it. To guess what its fields mean could cost money.
    """
    number = state.get("schema_number", to)
    if number not in range(1, to + 1):
        raise ValueError(
            f"This state has schema number {number}; this release knows 1 to {to}. Run the release that wrote it."
        )
    grown = dict(state)
    for start in range(number, to):
        grown = steps[start](grown)
    return grown | {"schema_number": to}
