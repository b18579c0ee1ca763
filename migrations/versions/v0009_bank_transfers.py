"""Bank transfers, and what is claimed for late ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.filling import add_filled
from migrations.types import INSTANT, JSON

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "transfer",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("clock_id", sa.String(), nullable=True),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("value_on", sa.Date(), nullable=True),
        sa.Column("bank_reference", sa.String(), nullable=False),
        sa.Column("payer_name", sa.String(), nullable=False),
        sa.Column("payer_account", sa.String(), nullable=False),
        sa.Column("remittance", sa.String(), nullable=False),
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("same_as_id", sa.String(), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.CheckConstraint("source IN ('bank_file', 'person')", name=op.f("ck_transfer_source")),
        sa.CheckConstraint("state <> 'matched' OR customer_id IS NOT NULL", name=op.f("ck_transfer_whose")),
        sa.CheckConstraint(
            "state IN ('unmatched', 'matched', 'dismissed', 'taken_back')", name=op.f("ck_transfer_state")
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_transfer_amount")),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["test_clock.id"],
            name=op.f("fk_transfer_clock_id_test_clock"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_transfer_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_transfer_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["same_as_id"],
            ["transfer.id"],
            name=op.f("fk_transfer_same_as_id_transfer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer")),
    )
    with op.batch_alter_table("transfer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_transfer_bank_reference"), ["bank_reference"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfer_clock_id"), ["clock_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfer_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfer_entity_id"), ["entity_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfer_payer_account"), ["payer_account"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfer_same_as_id"), ["same_as_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfer_state"), ["state"], unique=False)

    op.create_table(
        "late_claim",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=False),
        sa.Column("interest_minor", sa.BigInteger(), nullable=False),
        sa.Column("recovery_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("waived_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("parts", JSON, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.CheckConstraint("state IN ('open', 'paid', 'waived')", name=op.f("ck_late_claim_state")),
        sa.CheckConstraint(
            "interest_minor >= 0 AND recovery_minor >= 0 AND paid_minor >= 0 AND waived_minor >= 0",
            name=op.f("ck_late_claim_amounts"),
        ),
        sa.CheckConstraint(
            "paid_minor + waived_minor <= interest_minor + recovery_minor",
            name=op.f("ck_late_claim_no_more_than_claimed"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_late_claim_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_late_claim_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_late_claim_invoice_id_invoice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_late_claim")),
        sa.UniqueConstraint("invoice_id", "command_id", name=op.f("uq_late_claim_invoice_id_command_id")),
    )
    with op.batch_alter_table("late_claim", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_late_claim_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_late_claim_invoice_id"), ["invoice_id"], unique=False)

    op.create_table(
        "transfer_share",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("transfer_id", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("pays_minor", sa.BigInteger(), nullable=False),
        sa.Column("small_difference_minor", sa.BigInteger(), nullable=False),
        sa.Column("claim_minor", sa.BigInteger(), nullable=False),
        sa.Column("unapplied_minor", sa.BigInteger(), nullable=False),
        sa.Column("status_before", sa.String(32), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("taken_back_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "status_before IN ('draft', 'open', 'paid', 'uncollectible', 'void')",
            name=op.f("ck_transfer_share_status_before"),
        ),
        sa.CheckConstraint(
            "pays_minor >= 0 AND small_difference_minor >= 0 AND claim_minor >= 0 AND unapplied_minor >= 0",
            name=op.f("ck_transfer_share_amounts"),
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_transfer_share_invoice_id_invoice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"],
            ["transfer.id"],
            name=op.f("fk_transfer_share_transfer_id_transfer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfer_share")),
        sa.UniqueConstraint(
            "transfer_id", "turn", "invoice_id", name=op.f("uq_transfer_share_transfer_id_turn_invoice_id")
        ),
    )
    with op.batch_alter_table("transfer_share", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_transfer_share_invoice_id"), ["invoice_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_transfer_share_transfer_id"), ["transfer_id"], unique=False)

    add_filled("invoice", sa.Column("small_difference_minor", sa.BigInteger()), "0")
    add_filled("legal_entity", sa.Column("bic", sa.String()), "''")
    with op.batch_alter_table("invoice", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_invoice_no_more_than_owed"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_invoice_not_more_than_total"),
            "credited_minor + paid_minor + small_difference_minor <= total_minor",
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_invoice_small_difference"), "small_difference_minor >= 0"
        )
