"""A backup method that the customer agreed to, and cards that their banks renew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.filling import add_filled
from migrations.types import INSTANT

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("backup_method_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("backup_agreed_at", INSTANT, nullable=True))
        batch_op.add_column(sa.Column("backup_agreed_by", sa.String(), nullable=True))
    with op.batch_alter_table("payment_method", schema=None) as batch_op:
        batch_op.add_column(sa.Column("told_at", INSTANT, nullable=True))
    add_filled("payment_attempt", sa.Column("card_renewed", sa.Boolean()), "false")
    with op.batch_alter_table("payment_attempt", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_payment_attempt_trigger"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_payment_attempt_trigger"),
            "trigger IN ('first', 'repeat', 'retry', 'promise', 'backup', 'renewed', 'method_replaced', 'customer', "
            "'support')",
        )
