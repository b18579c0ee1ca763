"""`relance customer portal-link` and `portal-revoke`: ways into the portal, made and ended by a person."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli import output
from starter.cli.running import OPERATOR, By, with_client

app = typer.Typer(no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Id or reference.")]


@app.command("portal-link")
def portal_link(
    key: Key,
    *,
    start: Annotated[
        str, typer.Option(help="The page on which it opens: overview, invoices, methods, details.")
    ] = "overview",
    return_url: Annotated[str | None, typer.Option(help="Where the customer is led back to.")] = None,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Make a link that opens the portal for a customer. It is good for 15 minutes."""
    from billing.errors import InvalidInput
    from starter.resources.portal import StartPage

    if start not in set(StartPage):
        raise InvalidInput(f"A start page is one of {', '.join(StartPage)}.", field="start")
    page = StartPage(start)
    made = with_client(
        lambda client: client.portal_sessions.create(key, return_url=return_url, start=page, by=by)
    )
    if as_json:
        output.show_json(made)
    else:
        typer.echo(made.url)


@app.command("portal-revoke")
def portal_revoke(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session, ps_...")],
    *,
    as_json: output.JsonFlag = False,
) -> None:
    """End a session of the portal at once: neither its link nor an open page works any more."""
    row = with_client(lambda client: client.portal_sessions.revoke(session))
    if as_json:
        output.show_json({"id": row.id, "customer": row.customer_id, "revoked_at": row.revoked_at})
    else:
        typer.echo(f"Ended: {row.id}")
