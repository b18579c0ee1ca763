"""Orders of the sign-up page that a crash cut off are looked for every few seconds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_index(
        "unfinished_order",
        "signup_session",
        ["ordered_at"],
        sqlite_where=sa.text("ordered_at IS NOT NULL AND completed_at IS NULL"),
        postgresql_where=sa.text("ordered_at IS NOT NULL AND completed_at IS NULL"),
    )
