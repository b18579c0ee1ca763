"""The base of all values in `billing`: immutable, strict about unknown fields, ready for JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value, compared by content. Crosses the Temporal boundary and JSON columns unchanged."""

    model_config = ConfigDict(frozen=True, extra="forbid")
