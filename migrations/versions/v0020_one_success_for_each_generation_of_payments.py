"""An invoice that is open again is paid by another PaymentIntent, beside the money of the first that was kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.drop_index("one_succeeded_attempt", table_name="payment_attempt")
    op.create_index(
        "one_succeeded_attempt",
        "payment_attempt",
        ["invoice_id", "generation"],
        unique=True,
        sqlite_where=sa.text("state = 'succeeded'"),
        postgresql_where=sa.text("state = 'succeeded'"),
    )
