"""What is brought in from other systems."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.types import INSTANT, JSON

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.create_table(
        "import_batch",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("clock_id", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("folder", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("problems", JSON, nullable=False),
        sa.Column("staged_at", INSTANT, nullable=False),
        sa.Column("live_at", INSTANT, nullable=True),
        sa.Column("undone_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "state IN ('staged', 'going_live', 'live', 'undoing', 'undone')",
            name=op.f("ck_import_batch_state"),
        ),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["test_clock.id"],
            name=op.f("fk_import_batch_clock_id_test_clock"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_import_batch_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
    )
    with op.batch_alter_table("import_batch", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_import_batch_clock_id"), ["clock_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_import_batch_entity_id"), ["entity_id"], unique=False)

    op.create_table(
        "import_row",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("problems", JSON, nullable=False),
        sa.Column("preview", JSON, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("live_at", INSTANT, nullable=True),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "kind IN ('plan', 'coupon', 'customer', 'payment_method', 'sepa_mandate', 'subscription', 'balance', 'debt')",
            name=op.f("ck_import_row_kind"),
        ),
        sa.CheckConstraint("state <> 'live' OR subject_id IS NOT NULL", name=op.f("ck_import_row_subject")),
        sa.CheckConstraint(
            "state IN ('staged', 'refused', 'live', 'undone')", name=op.f("ck_import_row_state")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["import_batch.id"],
            name=op.f("fk_import_row_batch_id_import_batch"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_import_row_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_row")),
        sa.UniqueConstraint("entity_id", "kind", "key", name=op.f("uq_import_row_entity_id_kind_key")),
    )
    with op.batch_alter_table("import_row", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_import_row_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_import_row_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_import_row_subject_id"), ["subject_id"], unique=False)
