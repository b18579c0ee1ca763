"""`relance webhook-endpoint`: where events are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from starter.cli import output, words
from starter.cli.event import After, Of, Types
from starter.cli.running import with_client

if TYPE_CHECKING:
    from starter.webhook_endpoints import Endpoint

app = typer.Typer(no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="ENDPOINT", help="we_...")]


@app.callback()
def webhook_endpoint() -> None:
    """Where events are sent."""


@app.command()
def create(
    url: Annotated[str, typer.Argument(metavar="URL", help="https, and not of a private network.")],
    *,
    owner: Annotated[str, typer.Option(help="Mail address of whoever is told when it is disabled.")],
    types: Types = None,
    description: Annotated[str, typer.Option()] = "",
    locale: Annotated[str, typer.Option(help="Of the owner: fr, or en, which all others read too.")] = "en",
    endpoint_id: Annotated[
        str | None, typer.Option("--id", help="Your own, we_...: creating twice is once.")
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Have events sent to an address, from now on. Prints the secret by which to check them."""
    from starter.webhook_endpoints import NewEndpoint

    order = NewEndpoint(
        id=endpoint_id,
        url=url,
        owner=owner,
        types=tuple(types or ()),
        description=description,
        locale=locale,
    )
    created = with_client(lambda client: client.webhook_endpoints.create(order))
    known = with_client(lambda client: client.webhook_endpoints.secret(created.id))
    if as_json:
        output.show_json(created.model_dump(mode="json") | {"secret": known.secret})
        return
    output.say(f"Events are sent to {created.url} as {created.id}. Check them by the secret {known.secret}")


@app.command("list")
def list_endpoints(*, as_json: output.JsonFlag = False) -> None:
    """List the endpoints, and how far each is."""
    endpoints = with_client(lambda client: client.webhook_endpoints.list())
    if as_json:
        output.show_json(endpoints)
        return
    output.show_table(
        [
            {
                "Endpoint": each.id,
                "Address": each.url,
                "Events": ", ".join(each.types) or "all",
                "State": _state(each),
                "Failing since": words.instant(each.failing_since),
                "Subscriptions behind": each.behind,
            }
            for each in endpoints
        ]
    )


@app.command()
def update(
    key: Key,
    *,
    url: Annotated[str | None, typer.Option(help="https, and not of a private network.")] = None,
    owner: Annotated[str | None, typer.Option(help="Mail address of whoever looks after it.")] = None,
    types: Types = None,
    all_types: Annotated[bool, typer.Option("--all-types", help="Every type of event.")] = False,
    description: Annotated[str | None, typer.Option()] = None,
    locale: Annotated[str | None, typer.Option(help="Of the owner: fr, or en.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Change where events are sent, which, or who is told when it is disabled. What is not named stays."""
    from starter.webhook_endpoints import EndpointChange

    wanted = tuple(types) if types else () if all_types else None
    change = EndpointChange(url=url, owner=owner, types=wanted, description=description, locale=locale)
    _say(with_client(lambda client: client.webhook_endpoints.change(key, change)), as_json=as_json)


@app.command("test")
def send_test(key: Key, *, as_json: output.JsonFlag = False) -> None:
    """Send a test now, signed as events are, and say what the endpoint made of it."""
    done = with_client(lambda client: client.webhook_endpoints.test(key))
    if as_json:
        output.show_json(done)
    elif done.delivered:
        output.say(f"{done.endpoint} took the test {done.event} within {done.took_ms} ms.")
    else:
        output.say(f"{done.endpoint} did not take it: {done.detail}")


@app.command()
def secret(key: Key, *, as_json: output.JsonFlag = False) -> None:
    """Print the secret by which deliveries are checked."""
    known = with_client(lambda client: client.webhook_endpoints.secret(key))
    if as_json:
        output.show_json(known)
    else:
        output.say(known.secret)


@app.command("rotate-secret")
def rotate_secret(
    key: Key,
    *,
    keep_hours: Annotated[
        int, typer.Option(min=0, max=168, help="For how long the secret before is used as well.")
    ] = 24,
    as_json: output.JsonFlag = False,
) -> None:
    """Sign by a new secret, and for a while by the one before as well."""
    known = with_client(lambda client: client.webhook_endpoints.rotate_secret(key, keep_hours=keep_hours))
    if as_json:
        output.show_json(known)
        return
    until = words.instant(known.previous_until)
    also = f" The one before is used as well until {until}." if until else ""
    output.say(f"The secret is now {known.secret}{also and '.'}{also}")


@app.command()
def disable(key: Key, *, as_json: output.JsonFlag = False) -> None:
    """Send nothing more. What happens waits for the endpoint to be enabled again."""
    _say(with_client(lambda client: client.webhook_endpoints.disable(key)), as_json=as_json)


@app.command()
def enable(
    key: Key,
    *,
    skip_missed: Annotated[
        bool, typer.Option("--skip-missed", help="Leave out what happened meanwhile.")
    ] = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Send again: what waits first, in order."""
    _say(
        with_client(lambda client: client.webhook_endpoints.enable(key, skip_missed=skip_missed)),
        as_json=as_json,
    )


@app.command()
def replay(
    key: Key, *, after: After = "0", subscription: Of = None, as_json: output.JsonFlag = False
) -> None:
    """Send again, in order, what comes after a cursor. Events keep their ids."""
    _say(
        with_client(
            lambda client: client.webhook_endpoints.replay(key, after=after, subscription=subscription)
        ),
        as_json=as_json,
    )


@app.command()
def deliveries(
    key: Key,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only tries that failed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    as_json: output.JsonFlag = False,
) -> None:
    """List the latest tries, newest first."""
    from models.tables import DeliveryOutcome

    outcome = DeliveryOutcome.FAILED if failed else None
    tries = with_client(lambda client: client.webhook_endpoints.deliveries(key, outcome=outcome, limit=limit))
    if as_json:
        output.show_json(tries)
        return
    output.show_table(
        [
            {
                "At": words.instant(each.at),
                "Event": each.event,
                "Type": each.type,
                "Outcome": each.outcome,
                "Answer": each.status_code,
                "Took": f"{each.took_ms} ms",
                "Why": each.detail,
            }
            for each in tries
        ]
    )


def _state(endpoint: Endpoint) -> str:
    because = f" ({endpoint.disabled_because.value})" if endpoint.disabled_because else ""
    return f"{endpoint.state.value}{because}"


def _say(endpoint: Endpoint, *, as_json: bool) -> None:
    if as_json:
        output.show_json(endpoint)
        return
    waiting = f"; events of {endpoint.behind} subscriptions wait to be sent" if endpoint.behind else ""
    output.say(f"{endpoint.id} is {_state(endpoint)}{waiting}.")
