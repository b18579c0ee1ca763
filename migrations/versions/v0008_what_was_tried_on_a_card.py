"""What was tried on a card, over all invoices, and repeats that its network forbids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.filling import add_filled

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    add_filled("payment_attempt", sa.Column("never_again", sa.Boolean()), "false")
    with op.batch_alter_table("payment_attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_payment_attempt_fingerprint"))
        batch_op.create_index("tries_of_a_card", ["fingerprint", "begun_at"], unique=False)
