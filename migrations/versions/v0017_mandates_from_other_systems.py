"""Where the proof of a mandate is that another system took."""

from __future__ import annotations

import sqlalchemy as sa

from migrations.filling import add_filled

revision = "0017"
down_revision = "0015"


def upgrade() -> None:
    add_filled("mandate", sa.Column("evidence", sa.String()), "''")
