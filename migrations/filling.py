"""Adding columns that may not be empty to tables that hold rows already."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op


def add_filled(table: str, column: sa.Column[Any], value: str) -> None:
    """Add a column that must not be null.

    Args:
        table: its table.
        column: with its name and type.
        value: what the rows that are there get, as a SQL expression over the row.
    """
    name = str(column.name)
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.add_column(sa.Column(name, column.type, nullable=True))
    op.execute(sa.text(f'UPDATE {table} SET "{name}" = {value}'))  # noqa: S608 - our own words
    if op.get_bind().dialect.name == "postgresql":
        # Foreign keys are looked at when a transaction ends, and a table with rows still to be looked at can't change.
        op.execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.alter_column(name, existing_type=column.type, nullable=False)
