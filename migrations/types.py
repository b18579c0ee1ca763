"""Column types that versions use: frozen here, so that no old version depends on today's models."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

INSTANT: Final = sa.String(32).with_variant(postgresql.TIMESTAMP(timezone=True), "postgresql")
"""An aware instant; text of fixed width on SQLite."""
JSON: Final = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
"""A JSON value."""
BIG_KEY: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A key that the database counts up."""
