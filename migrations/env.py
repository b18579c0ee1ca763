"""What Alembic runs to apply versions: on the connection that it is given, in the transaction already begun."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import SQLModel

import models.tables  # noqa: F401 - so that the metadata has every table
from models.columns import BIG_KEY, JSON_TYPE, Instant, OneOf, Stored


def _as_frozen_type(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:  # noqa: ANN401 - Alembic's
    """How a column type is written into a version: by a name of `migrations.types`, or in plain SQLAlchemy."""
    if kind != "type":
        return False
    if isinstance(item, Instant):
        return "INSTANT"
    if isinstance(item, Stored) or item is JSON_TYPE:
        return "JSON"
    if item is BIG_KEY:
        return "BIG_KEY"
    if isinstance(item, OneOf):
        return "sa.String(32)"
    return "sa.String()" if type(item).__name__ == "AutoString" else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_item=_as_frozen_type,
    # SQLite alters a table by making it anew; to create tables no such batch is needed.
    render_as_batch=context.config.attributes.get("alters", True),
    user_module_prefix="sa.",
    # CHECK constraints are compared by their names: give one whose text changes a new name.
    autogenerate_plugins=["alembic.autogenerate.*", "alembic.ext.checkconstraint_byname"],
)
context.run_migrations()
