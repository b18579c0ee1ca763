"""`relance plan signup-link` and `signup-expire`: pages on which somebody signs up, made and ended by a person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output
from starter.cli.running import OPERATOR, By, with_client

if TYPE_CHECKING:
    from models.tables import SignupSession
    from starter.client import RelanceClient


def signup_link(
    plan: Annotated[str, typer.Argument(help="Id or reference of the plan.")],
    *,
    success_url: Annotated[
        str, typer.Option(help="Where the buyer goes on to, as RELANCE_PORTAL_RETURN_URLS allows.")
    ],
    cancel_url: Annotated[str | None, typer.Option(help="Where they go back to without ordering.")] = None,
    quantity: Annotated[int | None, typer.Option(min=1, help="Seats.")] = None,
    coupon: Annotated[list[str] | None, typer.Option(help="Code of a coupon; may be repeated.")] = None,
    reference: Annotated[str | None, typer.Option(help="Your own name for the subscription.")] = None,
    customer_reference: Annotated[str | None, typer.Option(help="Your own name for the customer.")] = None,
    email: Annotated[str, typer.Option(help="Of the buyer, if it is known.")] = "",
    language: Annotated[str | None, typer.Option(help="fr or en; the browser's, if not given.")] = None,
    terms_url: Annotated[str, typer.Option(help="Terms of sale, which are then to be accepted.")] = "",
    terms_version: Annotated[str, typer.Option(help="Their version, which is kept.")] = "",
    clock: Annotated[str | None, typer.Option(help="Id of a test clock.")] = None,
    hours: Annotated[int, typer.Option(min=1, max=720, help="Until when it can be ordered.")] = 24,
    by: By = OPERATOR,
    as_json: output.JsonFlag = False,
) -> None:
    """Make a page on which somebody signs up for a plan, and print its address."""
    from starter.resources.common import built
    from starter.signup_sessions import NewSignup

    order = built(
        NewSignup,
        plan=plan,
        success_url=success_url,
        cancel_url=cancel_url,
        quantity=quantity,
        coupons=tuple(coupon or ()),
        reference=reference,
        customer_reference=customer_reference,
        fields={"email": email},
        language=language,
        terms_url=terms_url,
        terms_version=terms_version,
        clock=clock,
        lifetime=timedelta(hours=hours),
    )

    async def make(client: RelanceClient) -> tuple[SignupSession, str]:
        row = await client.signup_sessions.create(order, by=by)
        return row, client.signup_sessions.url_of(row)

    row, url = with_client(make)
    if as_json:
        output.show_json({"id": row.id, "url": url, "expires_at": row.expires_at})
    else:
        typer.echo(url)


def signup_expire(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session, su_...")],
    *,
    as_json: output.JsonFlag = False,
) -> None:
    """End a sign-up page at once: it takes no order any more."""
    from starter.signup_sessions import state_of

    row = with_client(lambda client: client.signup_sessions.expire(session))
    if as_json:
        output.show_json({"id": row.id, "state": state_of(row, datetime.now(UTC))})
    else:
        typer.echo(f"Ended: {row.id}")
