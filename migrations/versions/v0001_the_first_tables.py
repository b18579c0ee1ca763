"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.types import BIG_KEY, INSTANT, JSON

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "dunning_policy_version",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("policy", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dunning_policy_version")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_dunning_policy_version_name_version")),
    )
    op.create_table(
        "incoming_event",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("handed_on_at", INSTANT, nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incoming_event")),
    )
    op.create_table(
        "invoice_line",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("document_id", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line", JSON, nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_line")),
        sa.UniqueConstraint("document_id", "position", name=op.f("uq_invoice_line_document_id_position")),
    )
    op.create_index(op.f("ix_invoice_line_document_id"), "invoice_line", ["document_id"], unique=False)
    op.create_table(
        "legal_entity",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("legal_form", sa.String(), nullable=False),
        sa.Column("capital", sa.String(), nullable=False),
        sa.Column("siren", sa.String(), nullable=False),
        sa.Column("vat_number", sa.String(), nullable=False),
        sa.Column("address", JSON, nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("iban", sa.String(), nullable=False),
        sa.Column("invoice_series", sa.String(), nullable=False),
        sa.Column("credit_series", sa.String(), nullable=False),
        sa.Column("vat_percent", sa.Numeric(precision=6, scale=3), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("vat_percent BETWEEN 0 AND 100", name=op.f("ck_legal_entity_vat_percent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_entity")),
    )
    op.create_table(
        "test_clock",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("now", INSTANT, nullable=False),
        sa.Column("advancing_to", INSTANT, nullable=True),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_clock")),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("vat_number", sa.String(), nullable=False),
        sa.Column("siren", sa.String(), nullable=False),
        sa.Column("address", JSON, nullable=True),
        sa.Column("contacts", JSON, nullable=False),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("default_method_id", sa.String(), nullable=True),
        sa.Column("clock_id", sa.String(), nullable=True),
        sa.Column("custom", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('consumer', 'non_professional', 'business', 'public_body')",
            name=op.f("ck_customer_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["test_clock.id"],
            name=op.f("fk_customer_clock_id_test_clock"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_customer_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("entity_id", "reference", name=op.f("uq_customer_entity_id_reference")),
    )
    op.create_index(op.f("ix_customer_clock_id"), "customer", ["clock_id"], unique=False)
    op.create_index(op.f("ix_customer_entity_id"), "customer", ["entity_id"], unique=False)
    op.create_table(
        "number_series",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("last_issued_on", sa.Date(), nullable=True),
        sa.CheckConstraint("last_number >= 0", name=op.f("ck_number_series_amounts")),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_number_series_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_series")),
        sa.UniqueConstraint("entity_id", "series", name=op.f("uq_number_series_entity_id_series")),
    )
    op.create_table(
        "plan",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("terms", JSON, nullable=False),
        sa.Column("archived_at", INSTANT, nullable=True),
        sa.Column("custom", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_plan_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("entity_id", "reference", name=op.f("uq_plan_entity_id_reference")),
    )
    op.create_index(op.f("ix_plan_entity_id"), "plan", ["entity_id"], unique=False)
    op.create_table(
        "payment_method",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("brand", sa.String(), nullable=False),
        sa.Column("last4", sa.String(), nullable=False),
        sa.Column("exp_month", sa.Integer(), nullable=True),
        sa.Column("exp_year", sa.Integer(), nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("detached_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_payment_method_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_method")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_payment_method_provider_id")),
    )
    op.create_index(op.f("ix_payment_method_customer_id"), "payment_method", ["customer_id"], unique=False)
    op.create_index(op.f("ix_payment_method_fingerprint"), "payment_method", ["fingerprint"], unique=False)
    op.create_table(
        "subscription",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("clock_id", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("entitled", sa.Boolean(), nullable=False),
        sa.Column("access_until", INSTANT, nullable=True),
        sa.Column("next_billing_at", INSTANT, nullable=True),
        sa.Column("state", JSON, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("automatic_collecting", sa.Boolean(), nullable=False),
        sa.Column("event_seq", sa.Integer(), nullable=False),
        sa.Column("custom", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "status IN ('scheduled', 'trialing', 'incomplete', 'active', 'past_due', 'unpaid', 'paused', 'canceled', 'incomplete_expired')",
            name=op.f("ck_subscription_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["test_clock.id"],
            name=op.f("fk_subscription_clock_id_test_clock"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_subscription_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_subscription_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("entity_id", "reference", name=op.f("uq_subscription_entity_id_reference")),
    )
    op.create_index(op.f("ix_subscription_clock_id"), "subscription", ["clock_id"], unique=False)
    op.create_index(op.f("ix_subscription_customer_id"), "subscription", ["customer_id"], unique=False)
    op.create_index(op.f("ix_subscription_entity_id"), "subscription", ["entity_id"], unique=False)
    op.create_index(
        op.f("ix_subscription_next_billing_at"), "subscription", ["next_billing_at"], unique=False
    )
    op.create_index(op.f("ix_subscription_plan_id"), "subscription", ["plan_id"], unique=False)
    op.create_index(op.f("ix_subscription_status"), "subscription", ["status"], unique=False)
    op.create_table(
        "command",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_command_subscription_id_subscription"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_command")),
    )
    op.create_index(op.f("ix_command_subscription_id"), "command", ["subscription_id"], unique=False)
    op.create_table(
        "invoice",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("clock_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("period_index", sa.Integer(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("covers_until", sa.Date(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("payment_state", sa.String(32), nullable=False),
        sa.Column("gated", sa.Boolean(), nullable=False),
        sa.Column("gate_closes_at", INSTANT, nullable=True),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("issued_at", INSTANT, nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("tax_included", sa.Boolean(), nullable=False),
        sa.Column("rate", JSON, nullable=False),
        sa.Column("totals", JSON, nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("credited_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("seller", JSON, nullable=False),
        sa.Column("buyer", JSON, nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("first_payment", sa.Boolean(), nullable=False),
        sa.Column("delay_days", sa.Integer(), nullable=False),
        sa.Column("chase", sa.Integer(), nullable=False),
        sa.Column("in_arrears", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("payment_intent", sa.String(), nullable=True),
        sa.Column("automatic_collecting", sa.Boolean(), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.Column("paid_at", INSTANT, nullable=True),
        sa.Column("closed_by", sa.String(), nullable=False),
        sa.CheckConstraint(
            "(number IS NULL) = (status IN ('draft', 'void'))", name=op.f("ck_invoice_numbered")
        ),
        sa.CheckConstraint(
            "payment_state IN ('none', 'processing', 'action_required', 'declined', 'unknown')",
            name=op.f("ck_invoice_payment_state"),
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'open', 'paid', 'uncollectible', 'void')", name=op.f("ck_invoice_status")
        ),
        sa.CheckConstraint(
            "credited_minor + paid_minor <= total_minor", name=op.f("ck_invoice_no_more_than_owed")
        ),
        sa.CheckConstraint("net_minor + vat_minor = total_minor", name=op.f("ck_invoice_adds_up")),
        sa.CheckConstraint(
            "net_minor >= 0 AND vat_minor >= 0 AND total_minor >= 0 AND credited_minor >= 0 AND paid_minor >= 0",
            name=op.f("ck_invoice_amounts"),
        ),
        sa.CheckConstraint("period_start < period_end", name=op.f("ck_invoice_period")),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["test_clock.id"],
            name=op.f("fk_invoice_clock_id_test_clock"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_invoice_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_invoice_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_invoice_subscription_id_subscription"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
        sa.UniqueConstraint("entity_id", "number", name=op.f("uq_invoice_entity_id_number")),
    )
    op.create_index(op.f("ix_invoice_clock_id"), "invoice", ["clock_id"], unique=False)
    op.create_index(op.f("ix_invoice_customer_id"), "invoice", ["customer_id"], unique=False)
    op.create_index(op.f("ix_invoice_entity_id"), "invoice", ["entity_id"], unique=False)
    op.create_index(op.f("ix_invoice_payment_intent"), "invoice", ["payment_intent"], unique=False)
    op.create_index(op.f("ix_invoice_status"), "invoice", ["status"], unique=False)
    op.create_index(op.f("ix_invoice_subscription_id"), "invoice", ["subscription_id"], unique=False)
    op.create_index(
        "one_invoice_per_period",
        "invoice",
        ["subscription_id", "period_start", "reason", "command_id"],
        unique=True,
        sqlite_where=sa.text("status <> 'void'"),
        postgresql_where=sa.text("status <> 'void'"),
    )
    op.create_table(
        "outgoing_event",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("data", JSON, nullable=False),
        sa.Column("entitled", sa.Boolean(), nullable=False),
        sa.Column("access_until", INSTANT, nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("delivered_at", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_outgoing_event_subscription_id_subscription"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outgoing_event")),
        sa.UniqueConstraint(
            "subscription_id", "sequence", name=op.f("uq_outgoing_event_subscription_id_sequence")
        ),
    )
    op.create_index(
        op.f("ix_outgoing_event_subscription_id"), "outgoing_event", ["subscription_id"], unique=False
    )
    op.create_table(
        "collection",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("clock_id", sa.String(), nullable=True),
        sa.Column("chase", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("policy_version_id", sa.String(), nullable=False),
        sa.Column("day0", sa.Date(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("done_through_day", sa.Integer(), nullable=False),
        sa.Column("noticed_through_day", sa.Integer(), nullable=False),
        sa.Column("last_notice_on", sa.Date(), nullable=True),
        sa.Column("end_on", sa.Date(), nullable=True),
        sa.Column("promise_on", sa.Date(), nullable=True),
        sa.Column("held_until", sa.Date(), nullable=True),
        sa.Column("asked", JSON, nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("started_at", INSTANT, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["test_clock.id"],
            name=op.f("fk_collection_clock_id_test_clock"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_collection_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_collection_invoice_id_invoice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["policy_version_id"],
            ["dunning_policy_version.id"],
            name=op.f("fk_collection_policy_version_id_dunning_policy_version"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_collection_subscription_id_subscription"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
        sa.UniqueConstraint("invoice_id", "chase", name=op.f("uq_collection_invoice_id_chase")),
    )
    op.create_index(op.f("ix_collection_clock_id"), "collection", ["clock_id"], unique=False)
    op.create_index(op.f("ix_collection_customer_id"), "collection", ["customer_id"], unique=False)
    op.create_index(op.f("ix_collection_invoice_id"), "collection", ["invoice_id"], unique=False)
    op.create_index(op.f("ix_collection_subscription_id"), "collection", ["subscription_id"], unique=False)
    op.create_table(
        "credit_note",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("command_id", sa.String(), nullable=False),
        sa.Column("series", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("issued_at", INSTANT, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("totals", JSON, nullable=False),
        sa.Column("net_minor", sa.BigInteger(), nullable=False),
        sa.Column("vat_minor", sa.BigInteger(), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("closes_minor", sa.BigInteger(), nullable=False),
        sa.Column("balance_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("seller", JSON, nullable=False),
        sa.Column("buyer", JSON, nullable=False),
        sa.CheckConstraint("closes_minor + balance_minor = total_minor", name=op.f("ck_credit_note_used_up")),
        sa.CheckConstraint("net_minor + vat_minor = total_minor", name=op.f("ck_credit_note_adds_up")),
        sa.CheckConstraint(
            "net_minor >= 0 AND vat_minor >= 0 AND total_minor >= 0 AND closes_minor >= 0 AND balance_minor >= 0",
            name=op.f("ck_credit_note_amounts"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_credit_note_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_credit_note_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_credit_note_invoice_id_invoice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_note")),
        sa.UniqueConstraint("entity_id", "number", name=op.f("uq_credit_note_entity_id_number")),
        sa.UniqueConstraint("invoice_id", "command_id", name=op.f("uq_credit_note_invoice_id_command_id")),
    )
    op.create_index(op.f("ix_credit_note_customer_id"), "credit_note", ["customer_id"], unique=False)
    op.create_index(op.f("ix_credit_note_invoice_id"), "credit_note", ["invoice_id"], unique=False)
    op.create_table(
        "journal_line",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("entry", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("entity_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=True),
        sa.Column("on", sa.Date(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("amount_minor <> 0", name=op.f("ck_journal_line_amount")),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_journal_line_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["entity_id"],
            ["legal_entity.id"],
            name=op.f("fk_journal_line_entity_id_legal_entity"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_journal_line_invoice_id_invoice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_line")),
        sa.UniqueConstraint("entry", "account", name=op.f("uq_journal_line_entry_account")),
    )
    op.create_index(op.f("ix_journal_line_customer_id"), "journal_line", ["customer_id"], unique=False)
    op.create_index(op.f("ix_journal_line_entry"), "journal_line", ["entry"], unique=False)
    op.create_index(op.f("ix_journal_line_invoice_id"), "journal_line", ["invoice_id"], unique=False)
    op.create_table(
        "message",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("occurrence", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=True),
        sa.Column("invoice_id", sa.String(), nullable=True),
        sa.Column("clock_id", sa.String(), nullable=True),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("recipients", JSON, nullable=False),
        sa.Column("context", JSON, nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("body_text", sa.String(), nullable=False),
        sa.Column("body_html", sa.String(), nullable=False),
        sa.CheckConstraint(
            "state IN ('queued', 'sending', 'sent', 'delivery_unknown', 'refused', 'withdrawn')",
            name=op.f("ck_message_state"),
        ),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["test_clock.id"],
            name=op.f("fk_message_clock_id_test_clock"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_message_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_message_invoice_id_invoice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_message_subscription_id_subscription"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("scope", "step", "occurrence", name=op.f("uq_message_scope_step_occurrence")),
    )
    op.create_index(op.f("ix_message_customer_id"), "message", ["customer_id"], unique=False)
    op.create_index(op.f("ix_message_invoice_id"), "message", ["invoice_id"], unique=False)
    op.create_index(op.f("ix_message_state"), "message", ["state"], unique=False)
    op.create_index(op.f("ix_message_subscription_id"), "message", ["subscription_id"], unique=False)
    op.create_table(
        "payment_attempt",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("subscription_id", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("chase", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("method_id", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=False),
        sa.Column("request", JSON, nullable=False),
        sa.Column("payment_intent", sa.String(), nullable=True),
        sa.Column("charge", sa.String(), nullable=True),
        sa.Column("decline_code", sa.String(), nullable=True),
        sa.Column("decline_class", sa.String(32), nullable=True),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("begun_at", INSTANT, nullable=False),
        sa.Column("settled_at", INSTANT, nullable=True),
        sa.Column("looked_at", INSTANT, nullable=True),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "decline_class IN ('retry', 'retry_later', 'needs_customer', 'new_payment_method', 'fraud_stop')",
            name=op.f("ck_payment_attempt_decline_class"),
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'started', 'processing', 'action_required', 'unknown', 'succeeded', 'declined', 'abandoned', 'returned')",
            name=op.f("ck_payment_attempt_state"),
        ),
        sa.CheckConstraint(
            "trigger IN ('first', 'repeat', 'retry', 'promise', 'method_replaced', 'customer', 'support')",
            name=op.f("ck_payment_attempt_trigger"),
        ),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payment_attempt_amount")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_payment_attempt_number")),
        sa.ForeignKeyConstraint(
            ["customer_id"],
            ["customer.id"],
            name=op.f("fk_payment_attempt_customer_id_customer"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_payment_attempt_invoice_id_invoice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["method_id"],
            ["payment_method.id"],
            name=op.f("fk_payment_attempt_method_id_payment_method"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_payment_attempt_subscription_id_subscription"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_attempt")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_payment_attempt_idempotency_key")),
        sa.UniqueConstraint("invoice_id", "number", name=op.f("uq_payment_attempt_invoice_id_number")),
    )
    op.create_index(op.f("ix_payment_attempt_customer_id"), "payment_attempt", ["customer_id"], unique=False)
    op.create_index(op.f("ix_payment_attempt_fingerprint"), "payment_attempt", ["fingerprint"], unique=False)
    op.create_index(op.f("ix_payment_attempt_invoice_id"), "payment_attempt", ["invoice_id"], unique=False)
    op.create_index(
        op.f("ix_payment_attempt_subscription_id"), "payment_attempt", ["subscription_id"], unique=False
    )
    op.create_index(
        "one_live_attempt",
        "payment_attempt",
        ["invoice_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('queued', 'started', 'processing', 'action_required', 'unknown')"),
        postgresql_where=sa.text(
            "state IN ('queued', 'started', 'processing', 'action_required', 'unknown')"
        ),
    )
    op.create_index(
        "one_succeeded_attempt",
        "payment_attempt",
        ["invoice_id"],
        unique=True,
        sqlite_where=sa.text("state = 'succeeded'"),
        postgresql_where=sa.text("state = 'succeeded'"),
    )
    op.create_table(
        "refund",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("attempt_id", sa.String(), nullable=False),
        sa.Column("invoice_id", sa.String(), nullable=False),
        sa.Column("credit_note_id", sa.String(), nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refund_amount")),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["payment_attempt.id"],
            name=op.f("fk_refund_attempt_id_payment_attempt"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["credit_note_id"],
            ["credit_note.id"],
            name=op.f("fk_refund_credit_note_id_credit_note"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_refund_invoice_id_invoice"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint("provider_id", name=op.f("uq_refund_provider_id")),
    )
    op.create_index(op.f("ix_refund_attempt_id"), "refund", ["attempt_id"], unique=False)
    op.create_index(op.f("ix_refund_invoice_id"), "refund", ["invoice_id"], unique=False)
