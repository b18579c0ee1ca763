"""What was taken off usage when it was billed first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.types import JSON

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    with op.batch_alter_table("meter_stretch", schema=None) as batch_op:
        batch_op.add_column(sa.Column("taken_off", JSON, nullable=True))
