"""Events out: where they are sent, how far each receiver is, and what was tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.filling import add_filled
from migrations.types import BIG_KEY, INSTANT, JSON

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("types", JSON, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("disabled_at", INSTANT, nullable=True),
        sa.Column("disabled_because", sa.String(32), nullable=True),
        sa.Column("owner_told", sa.Boolean(), nullable=False),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("previous_until", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('enabled', 'disabled')", name=op.f("ck_webhook_endpoint_state")),
        sa.CheckConstraint(
            "disabled_because IN ('person', 'silent', 'gone')",
            name=op.f("ck_webhook_endpoint_disabled_because"),
        ),
        sa.CheckConstraint("generation >= 1", name=op.f("ck_webhook_endpoint_generation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoint")),
    )
    op.create_table(
        "event_lane",
        sa.Column("endpoint_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("delivered_through", sa.Integer(), nullable=False),
        sa.Column("wanted_through", sa.Integer(), nullable=False),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name=op.f("fk_event_lane_endpoint_id_webhook_endpoint"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_event_lane_subscription_id_subscription"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("endpoint_id", "subscription_id", name=op.f("pk_event_lane")),
    )
    with op.batch_alter_table("event_lane", schema=None) as batch_op:
        batch_op.create_index(
            "lanes_behind",
            ["endpoint_id", "leased_until"],
            unique=False,
            sqlite_where=sa.text("delivered_through < wanted_through"),
            postgresql_where=sa.text("delivered_through < wanted_through"),
        )

    op.create_table(
        "event_delivery",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("endpoint_id", sa.String(), nullable=False),
        sa.Column("event_id", BIG_KEY, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('delivered', 'failed', 'given_up')", name=op.f("ck_event_delivery_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoint.id"],
            name=op.f("fk_event_delivery_endpoint_id_webhook_endpoint"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["outgoing_event.id"],
            name=op.f("fk_event_delivery_event_id_outgoing_event"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_delivery")),
    )
    with op.batch_alter_table("event_delivery", schema=None) as batch_op:
        batch_op.create_index("deliveries_of_an_endpoint", ["endpoint_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_event_delivery_event_id"), ["event_id"], unique=False)

    # Of events from before it is not known any more.
    for name in ("status", "plan_id", "reason"):
        add_filled("outgoing_event", sa.Column(name, sa.String()), "''")
    with op.batch_alter_table("outgoing_event", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cursor", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "not_published",
            ["id"],
            unique=False,
            sqlite_where=sa.text("cursor IS NULL"),
            postgresql_where=sa.text("cursor IS NULL"),
        )
        batch_op.create_unique_constraint(batch_op.f("uq_outgoing_event_cursor"), ["cursor"])
