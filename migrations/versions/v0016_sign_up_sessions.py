"""Sign-up sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.types import INSTANT, JSON

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "signup_session",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("coupons", JSON, nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("customer_reference", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("clock_id", sa.String(), nullable=True),
        sa.Column("success_url", sa.String(), nullable=False),
        sa.Column("cancel_url", sa.String(), nullable=True),
        sa.Column("terms_url", sa.String(), nullable=False),
        sa.Column("terms_version", sa.String(), nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("is_filled_in", sa.Boolean(), nullable=False),
        sa.Column("vat_reply", JSON, nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("setup_page", sa.String(), nullable=True),
        sa.Column("method", JSON, nullable=False),
        sa.Column("consent", JSON, nullable=True),
        sa.Column("ordered_at", INSTANT, nullable=True),
        sa.Column("completed_at", INSTANT, nullable=True),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("subscription_id", sa.String(), nullable=True),
        sa.Column("custom", JSON, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["test_clock.id"],
            name=op.f("fk_signup_session_clock_id_test_clock"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_signup_session_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"],
            ["plan.id"],
            name=op.f("fk_signup_session_plan_id_plan"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signup_session")),
    )
    with op.batch_alter_table("signup_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signup_session_entity_id"), ["entity_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_signup_session_reference"), ["reference"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_signup_session_subscription_id"), ["subscription_id"], unique=False
        )
