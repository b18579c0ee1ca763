"""Words for where events are sent and what came of it; light, since whoever speaks HTTP only reads them too."""

from __future__ import annotations

from enum import StrEnum


class EndpointState(StrEnum):
    """Whether an endpoint is sent anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    """It keeps its place for when it is enabled again."""


class DisabledBecause(StrEnum):
    """Why an endpoint is disabled."""

    PERSON = "person"
    """Somebody wanted it."""
    SILENT = "silent"
    """It took nothing for three days."""
    GONE = "gone"
    """It answered 410: it wants no more."""


class DeliveryOutcome(StrEnum):
    """What came of one try."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """It is tried again."""
    GIVEN_UP = "given_up"
    """It had failed for three days while others of the endpoint went through; the next one has its turn."""
