"""Events, webhook endpoints and test clocks: the resources around payments."""

import ipaddress
from urllib.parse import urlsplit

from stripe import api_version

from sandbox.stripe import customers
from sandbox.stripe.errors import Document, invalid, missing, refused
from sandbox.stripe.fields import merge_metadata, new_metadata
from sandbox.stripe.listing import page
from sandbox.stripe.store import new_id
from sandbox.stripe.world import Call

_KEPT_SECONDS = 30 * 86_400


def retrieve_event(call: Call, identifier: str) -> Document:
    """`GET /v1/events/{id}`."""
    event = call.books.get("event", identifier)
    if event is None:
        raise missing("event", identifier)
    return event


def list_events(call: Call, params: Document) -> Document:
    """`GET /v1/events`: of the last 30 days, by type or types."""
    wanted = {params["type"]} if "type" in params else set(params.get("types", ()))
    oldest = call.world.wall() - _KEPT_SECONDS
    clocked = any(True for _ in call.books.all("test_clock"))
    events = [
        event
        for event in call.books.all("event")
        if (not wanted or _wanted(event["type"], wanted)) and (clocked or event["created"] >= oldest)
    ]
    rest = {
        name: value for name, value in params.items() if name not in {"type", "types", "delivery_success"}
    }
    return page(events, rest, "/v1/events")


def _wanted(kind: str, wanted: set[str]) -> bool:
    return any(kind == name or (name.endswith("*") and kind.startswith(name[:-1])) for name in wanted)


def create_endpoint(call: Call, params: Document) -> Document:
    """`POST /v1/webhook_endpoints`; only here the secret is shown."""
    check_url(params["url"], allow_remote=call.world.options.allow_remote)
    endpoint: Document = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version", api_version),
        "application": None,
        "created": call.world.wall(),
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": new_metadata(params),
        "secret": new_id("whsec", 32),
        "status": "enabled",
        "url": params["url"],
    }
    call.books.put("webhook_endpoint", endpoint)
    return endpoint


def retrieve_endpoint(call: Call, identifier: str) -> Document:
    """`GET /v1/webhook_endpoints/{id}`, without the secret."""
    return _hidden(_endpoint(call, identifier))


def update_endpoint(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/webhook_endpoints/{id}`: address, events, on or off."""
    endpoint = _endpoint(call, identifier)
    if "url" in params:
        check_url(params["url"], allow_remote=call.world.options.allow_remote)
    endpoint.update(
        {name: params[name] for name in ("description", "enabled_events", "url") if name in params}
    )
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    merge_metadata(endpoint, params)
    return _hidden(call.books.put("webhook_endpoint", endpoint))


def delete_endpoint(call: Call, identifier: str) -> Document:
    """`DELETE /v1/webhook_endpoints/{id}`."""
    _endpoint(call, identifier)
    call.books.remove("webhook_endpoint", identifier)
    return {"id": identifier, "object": "webhook_endpoint", "deleted": True}


def list_endpoints(call: Call, params: Document) -> Document:
    """`GET /v1/webhook_endpoints`."""
    return page([_hidden(one) for one in call.books.all("webhook_endpoint")], params, "/v1/webhook_endpoints")


def check_url(url: str, *, allow_remote: bool) -> None:
    """Refuse a webhook address that is not on this machine.

    Raises:
        ApiError: not http or https, or another machine while that isn't allowed.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise invalid("Invalid URL: an explicit scheme (such as https) must be provided.", code="url_invalid")
    if not allow_remote and not is_loopback(parts.hostname):
        raise invalid(
            f"The sandbox delivers to this machine only, not to {parts.hostname}. Start it with --allow-remote.",
            code="url_invalid",
            param="url",
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def create_clock(call: Call, params: Document) -> Document:
    """`POST /v1/test_helpers/test_clocks`."""
    clock: Document = {
        "id": new_id("clock"),
        "object": "test_helpers.test_clock",
        "created": call.world.wall(),
        "deletes_after": call.world.wall() + _KEPT_SECONDS,
        "frozen_time": params["frozen_time"],
        "livemode": False,
        "name": params.get("name"),
        "status": "ready",
        "status_details": {},
    }
    return call.books.put("test_clock", clock)


def retrieve_clock(call: Call, identifier: str) -> Document:
    """`GET /v1/test_helpers/test_clocks/{id}`."""
    clock = call.books.get("test_clock", identifier)
    if clock is None:
        raise missing("test_clock", identifier)
    return clock


def advance_clock(call: Call, identifier: str, params: Document) -> Document:
    """`POST /v1/test_helpers/test_clocks/{id}/advance`: begins it; the status tells when it is done."""
    clock = retrieve_clock(call, identifier)
    if clock["status"] == "advancing":
        raise refused("Test clock advancement is still underway. Wait until its status is ready.")
    if params["frozen_time"] <= clock["frozen_time"]:
        raise refused("The frozen time of a test clock only goes forward.", param="frozen_time")
    clock["status"] = "advancing"
    call.books.put("test_clock", clock)
    call.world.advances.append((call.books, identifier, params["frozen_time"]))
    call.world.wake()
    return clock


def delete_clock(call: Call, identifier: str) -> Document:
    """`DELETE /v1/test_helpers/test_clocks/{id}`, with its customers."""
    retrieve_clock(call, identifier)
    for customer in call.books.all("customer"):
        if customer.get("test_clock") == identifier and not customer.get("deleted"):
            customers.delete(call, customer["id"])
    call.books.remove("test_clock", identifier)
    return {"id": identifier, "object": "test_helpers.test_clock", "deleted": True}


def list_clocks(call: Call, params: Document) -> Document:
    """`GET /v1/test_helpers/test_clocks`."""
    return page(call.books.all("test_clock"), params, "/v1/test_helpers/test_clocks")


def _endpoint(call: Call, identifier: str) -> Document:
    endpoint = call.books.get("webhook_endpoint", identifier)
    if endpoint is None:
        raise missing("webhook_endpoint", identifier)
    return endpoint


def _hidden(endpoint: Document) -> Document:
    return {name: value for name, value in endpoint.items() if name != "secret"}
