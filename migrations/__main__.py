"""`python -m migrations "why"`: write the next version, from the difference between versions and models.

Reads no settings and touches no database of yours. Read what it wrote: it sees a CHECK by its name alone and no change
of a partial index's condition, and it never moves rows.
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory

from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from models.schema import alembic_config


def main(message: str) -> None:
    """Brings a scratch database up to date and writes down what the models have more."""
    with TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/scratch.db")
        with engine.begin() as connection:
            config = alembic_config(connection)
            config.set_main_option("file_template", "v%%(rev)s_%%(slug)s")
            command.upgrade(config, "head")
            earlier = len(list(ScriptDirectory.from_config(config).walk_revisions()))
            config.attributes["alters"] = earlier > 0
            command.revision(config, message, autogenerate=True, rev_id=f"{earlier + 1:04d}")
        engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit('Say why: python -m migrations "Add ..."')
    main(sys.argv[1])
