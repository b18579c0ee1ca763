"""What every endpoint of the control plane shares: finding an object in any account, and answering a bad request."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.stripe.errors import ApiError, Document
from sandbox.stripe.faults import BadFault
from sandbox.stripe.outcomes import UnknownOutcome
from sandbox.stripe.store import Books, Kind
from sandbox.stripe.world import World

Endpoint = Callable[[Request], Awaitable[Response]]


class Unusable(ValueError):
    """A control request that makes no sense; the message says what it takes."""


class NotFound(LookupError):
    """No account has this object."""


def guarded(endpoint: Endpoint) -> Endpoint:
    """The same endpoint, which answers 400 or 404 with a plain sentence when it cannot do what is asked."""

    async def guard(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (Unusable, UnknownOutcome, BadFault) as error:
            return JSONResponse({"error": str(error)}, 400)
        except NotFound as error:
            return JSONResponse({"error": str(error)}, 404)
        except ApiError as error:
            return JSONResponse(error.body, error.status)

    return guard


def find(world: World, kind: Kind, identifier: str) -> tuple[Books, Document]:
    """An object of any account, with that account's books.

    Raises:
        NotFound: no account has it.
    """
    for books in world.store:
        document = books.get(kind, identifier)
        if document is not None:
            return books, document
    raise NotFound(f"No {kind} is called {identifier!r}.")


async def json_of(request: Request) -> Any:  # noqa: ANN401 - JSON from a person
    """The body of a request.

    Raises:
        Unusable: it is no JSON.
    """
    try:
        return await request.json()
    except ValueError as error:
        raise Unusable(f"The body is not valid JSON: {error}") from error
