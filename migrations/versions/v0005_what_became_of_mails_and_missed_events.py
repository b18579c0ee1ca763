"""What became of mails, and how far events were read back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.filling import add_filled
from migrations.types import INSTANT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "event_cursor",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("read_until", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_event_cursor")),
    )
    op.create_table(
        "mail_address",
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("arrives", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("as_of", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_mail_address")),
    )
    add_filled("message", sa.Column("delivery", sa.String()), "''")
    add_filled("message", sa.Column("delivery_detail", sa.String()), "''")
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("delivery_at", INSTANT, nullable=True))
