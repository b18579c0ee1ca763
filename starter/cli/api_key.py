"""`relance api-key`: who may use the HTTP API, and what was done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from billing.errors import InvalidInput
from starter.cli import output
from starter.cli.inputs import read_amount
from starter.cli.running import OPERATOR, By, with_client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.tables import ApiCall, ApiKey
    from starter.api_keys import MadeKey

app = typer.Typer(no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="KEY", help="Its id, key_...; the secret is not needed.")]


@app.callback()
def api_key() -> None:
    """Keys to the HTTP API, and what was done with them."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What its calls are signed with in the books.")],
    *,
    scope: Annotated[list[str], typer.Option(help="read, write, support or admin; may be repeated.")],
    limit: Annotated[
        list[str] | None,
        typer.Option(help="What support may give back in 24 hours, as EUR=100.00; may be repeated."),
    ] = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Make a key, for the mode of this configuration. It is shown this once."""
    from starter.api_keys import Scope

    known = {member.value: member for member in Scope}
    for word in scope:
        if word not in known:
            raise InvalidInput(f"{word!r} is no scope. Give one of: {', '.join(known)}.", field="scope")
    scopes = [known[word] for word in scope]
    limits = dict(map(_read_limit, limit or ()))
    _show(
        with_client(lambda client: client.api_keys.create(name, scopes, limits=limits, by=by)),
        as_json=as_json,
    )


@app.command("list")
def list_keys(
    *,
    revoked: Annotated[bool, typer.Option("--revoked", help="Those that were revoked too.")] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """List the keys, newest first. Their secrets are not kept."""
    rows = with_client(lambda client: client.api_keys.list(revoked=revoked))
    facts = [_facts(row) for row in rows]
    if as_json:
        output.show_json(facts)
    else:
        output.show_table(facts, empty="No key.")


@app.command()
def revoke(key: Key, *, by: By = OPERATOR, as_json: output.JsonFlag = False) -> None:
    """Let a key open nothing any more, from the next call on."""
    row = with_client(lambda client: client.api_keys.revoke(key, by=by))
    if as_json:
        output.show_json(_facts(row))
    else:
        output.say(f"The key {row.name} is revoked.")


@app.command()
def rotate(
    key: Key,
    *,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", help="How long the secret before still opens.")
    ] = 24,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Give a key another secret. The one before opens for a while, so that nothing stands still."""
    made = with_client(lambda client: client.api_keys.rotate(key, overlap_hours=overlap_hours, by=by))
    _show(made, as_json=as_json)


@app.command()
def log(
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="Of one key, by its id; by default of all.")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    as_json: output.JsonFlag = False,
) -> None:
    """Show who asked what when, of everything that changes something, and what came of it."""
    rows: Sequence[ApiCall] = with_client(lambda client: client.api_keys.calls(key, limit=limit))
    facts = [
        {
            "at": row.at.isoformat(timespec="seconds"),
            "by": row.by,
            "key": row.key_id,
            "action": row.action,
            "path": row.path,
            "status": row.status,
            "code": row.code,
            "command": row.id,
        }
        for row in rows
    ]
    if as_json:
        output.show_json(facts)
    else:
        output.show_table(facts, empty="Nothing was asked.")


def _read_limit(word: str) -> tuple[str, int]:
    currency, is_pair, amount = word.partition("=")
    if not is_pair:
        raise InvalidInput(f"{word!r} is no limit. Give one as EUR=100.00.", field="limit")
    return currency, read_amount(amount, currency, field="limit")


def _show(made: MadeKey, *, as_json: bool) -> None:
    if as_json:
        output.show_json(made.model_dump(mode="json"))
        return
    output.say(f"The key {made.name} ({made.id}, {' and '.join(made.scopes)}). It is shown this once:")
    output.say(made.key)


def _facts(row: ApiKey) -> dict[str, object]:
    return {
        "id": row.id,
        "name": row.name,
        "mode": "live" if row.live else "test",
        "scopes": ", ".join(row.scopes),
        "limits": ", ".join(f"{currency} {minor}" for currency, minor in sorted(row.limits.items())),
        "created_at": row.created_at.isoformat(timespec="seconds"),
        "rotated_at": row.rotated_at.isoformat(timespec="seconds") if row.rotated_at else None,
        "last_used_at": row.last_used_at.isoformat(timespec="minutes") if row.last_used_at else None,
        "revoked_at": row.revoked_at.isoformat(timespec="seconds") if row.revoked_at else None,
    }
