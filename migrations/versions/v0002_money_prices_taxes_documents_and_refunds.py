"""Money: prices, taxes, documents and refunds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.filling import add_filled
from migrations.types import INSTANT, JSON

revision = "0002"
down_revision = "0001"


_LINE_INVOICE = """COALESCE(
    (SELECT invoice.id FROM invoice WHERE invoice.id = invoice_line.document_id),
    (SELECT credit_note.invoice_id FROM credit_note WHERE credit_note.id = invoice_line.document_id)
)"""
"""The invoice of a line, also where it stands on a credit note."""
_LINE_RATE = "(SELECT invoice.rate FROM invoice WHERE invoice.id = invoice_line.invoice_id)"
"""Until here an invoice had one rate."""


def upgrade() -> None:
    op.create_table(
        "exchange_rate",
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("per_eur", sa.Numeric(precision=18, scale=8), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.CheckConstraint("per_eur > 0", name=op.f("ck_exchange_rate_positive")),
        sa.PrimaryKeyConstraint("currency", "on", name=op.f("pk_exchange_rate")),
    )
    op.create_table(
        "rendered_document",
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("form", sa.String(), nullable=False),
        sa.Column("template_version", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("rendered_at", INSTANT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("next_try_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(state = 'rendered') = (content IS NOT NULL)", name=op.f("ck_rendered_document_content")
        ),
        sa.CheckConstraint("state IN ('rendered', 'failed')", name=op.f("ck_rendered_document_state")),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_rendered_document")),
    )
    with op.batch_alter_table("rendered_document", schema=None) as batch_op:
        batch_op.create_index("ix_rendered_document_failed", ["next_try_at"], unique=False)

    op.create_table(
        "vat_check",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("answer", sa.String(32), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("counts_as_valid", sa.Boolean(), nullable=False),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("checked_at", INSTANT, nullable=False),
        sa.Column("consultation", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.CheckConstraint("answer IN ('valid', 'invalid', 'unavailable')", name=op.f("ck_vat_check_answer")),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_vat_check_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vat_check")),
    )
    with op.batch_alter_table("vat_check", schema=None) as batch_op:
        batch_op.create_index("ix_vat_check_of_number", ["customer_id", "number", "checked_at"], unique=False)

    add_filled("credit_note", sa.Column("refund_minor", sa.BigInteger()), "0")
    add_filled("credit_note", sa.Column("moved_minor", sa.BigInteger()), "0")
    add_filled("credit_note", sa.Column("made_good_minor", sa.BigInteger()), "0")
    add_filled("credit_note", sa.Column("unfunded_minor", sa.BigInteger()), "0")
    add_filled("customer", sa.Column("purchase_order", sa.String()), "''")
    add_filled("invoice", sa.Column("waits_for_usage", sa.Boolean()), "false")
    add_filled("invoice", sa.Column("balance_minor", sa.BigInteger()), "0")
    add_filled("invoice_line", sa.Column("invoice_id", sa.String()), _LINE_INVOICE)
    add_filled("invoice_line", sa.Column("rate", JSON), _LINE_RATE)
    add_filled("legal_entity", sa.Column("registration", sa.String()), "''")
    add_filled("legal_entity", sa.Column("vat_on_debits", sa.Boolean()), "false")
    add_filled("legal_entity", sa.Column("small_business", sa.Boolean()), "false")
    add_filled("legal_entity", sa.Column("oss_opted_in", sa.Boolean()), "false")
    add_filled("payment_attempt", sa.Column("also", JSON), "'[]'")
    add_filled(
        "refund",
        sa.Column("customer_id", sa.String()),
        "(SELECT customer_id FROM invoice WHERE invoice.id = refund.invoice_id)",
    )
    add_filled("refund", sa.Column("command_id", sa.String()), "''")
    add_filled("refund", sa.Column("source", sa.String(32)), "'balance'")
    add_filled("refund", sa.Column("reason", sa.String()), "''")
    add_filled("refund", sa.Column("by", sa.String()), "''")
    add_filled("refund", sa.Column("failure", sa.String()), "''")
    add_filled("refund", sa.Column("tries", sa.Integer()), "0")
    add_filled("refund", sa.Column("last_error", sa.String()), "''")

    with op.batch_alter_table("credit_note", schema=None) as batch_op:
        batch_op.add_column(sa.Column("vat_eur_minor", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("exchange_rate", sa.Numeric(precision=18, scale=8), nullable=True))
        batch_op.add_column(sa.Column("exchange_rate_on", sa.Date(), nullable=True))
        batch_op.drop_constraint(batch_op.f("ck_credit_note_used_up"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_credit_note_all_used"),
            "closes_minor + balance_minor + refund_minor + moved_minor + made_good_minor + unfunded_minor = total_minor",
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_credit_note_parts"),
            "closes_minor >= 0 AND balance_minor >= 0 AND refund_minor >= 0 AND moved_minor >= 0 AND made_good_minor >= 0 AND unfunded_minor >= 0",
        )

    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("evidence", JSON, nullable=True))

    with op.batch_alter_table("invoice", schema=None) as batch_op:
        batch_op.add_column(sa.Column("treatment", JSON, nullable=True))
        batch_op.add_column(sa.Column("vat_eur_minor", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("exchange_rate", sa.Numeric(precision=18, scale=8), nullable=True))
        batch_op.add_column(sa.Column("exchange_rate_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("tax_kind", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("consumed_in", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("replaces_id", sa.String(), nullable=True))
        batch_op.create_index(batch_op.f("ix_invoice_consumed_in"), ["consumed_in"], unique=False)
        batch_op.create_index(batch_op.f("ix_invoice_replaces_id"), ["replaces_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_invoice_replaces_id_invoice"),
            "invoice",
            ["replaces_id"],
            ["id"],
            initially="DEFERRED",
            deferrable=True,
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_invoice_balance"), "balance_minor BETWEEN 0 AND paid_minor"
        )
        batch_op.drop_column("rate")

    with op.batch_alter_table("invoice_line", schema=None) as batch_op:
        batch_op.add_column(sa.Column("covers_until", sa.Date(), nullable=True))
        batch_op.create_index(batch_op.f("ix_invoice_line_invoice_id"), ["invoice_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_invoice_line_invoice_id_invoice"),
            "invoice",
            ["invoice_id"],
            ["id"],
            initially="DEFERRED",
            deferrable=True,
        )

    with op.batch_alter_table("legal_entity", schema=None) as batch_op:
        batch_op.add_column(sa.Column("live_since", INSTANT, nullable=True))
        batch_op.alter_column("vat_percent", existing_type=sa.NUMERIC(precision=6, scale=3), nullable=True)

    with op.batch_alter_table("refund", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settled_at", INSTANT, nullable=True))
        batch_op.add_column(sa.Column("sent_at", INSTANT, nullable=True))
        batch_op.add_column(sa.Column("leased_until", INSTANT, nullable=True))
        batch_op.alter_column("attempt_id", existing_type=sa.VARCHAR(), nullable=True)
        batch_op.create_index(batch_op.f("ix_refund_command_id"), ["command_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refund_credit_note_id"), ["credit_note_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refund_customer_id"), ["customer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refund_state"), ["state"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_refund_customer_id_customer"),
            "customer",
            ["customer_id"],
            ["id"],
            initially="DEFERRED",
            deferrable=True,
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_refund_source"), "source IN ('balance', 'unapplied_cash')"
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_refund_state"),
            "state IN ('queued', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled')",
        )

    with op.batch_alter_table("subscription", schema=None) as batch_op:
        batch_op.add_column(sa.Column("conditional", JSON, nullable=True))
