"""`relance db`: the version of the database."""

from __future__ import annotations

import typer

from settings import load_settings
from starter.cli import output

app = typer.Typer(no_args_is_help=True)


@app.callback()
def db() -> None:
    """The database of the books."""


@app.command()
def migrate(*, as_json: output.JsonFlag = False) -> None:
    """Bring the tables of DATABASE_URL up to date. Safe to repeat, and from several places at once."""
    from models import schema

    before = schema.migrate(load_settings().database_url)
    if as_json:
        output.show_json({"before": before.revision, "now": before.head})
    elif before.is_current:
        output.say(f"The database is up to date, at version {before.head}.")
    else:
        output.say(f"The database went from {_named(before.revision)} to version {before.head}.")


@app.command()
def current(*, as_json: output.JsonFlag = False) -> None:
    """Show the version of DATABASE_URL and the one that this release needs."""
    from models import schema

    found = schema.standing(load_settings().database_url)
    if as_json:
        output.show_json({"now": found.revision, "needed": found.head, "is_current": found.is_current})
    elif found.is_current:
        output.say(f"The database is up to date, at version {found.head}.")
    else:
        output.say(
            f"The database is {_named(found.revision, at='at ')}; this release needs version {found.head}."
        )


def _named(revision: str | None, *, at: str = "") -> str:
    return "empty" if revision is None else f"{at}version {revision}"
