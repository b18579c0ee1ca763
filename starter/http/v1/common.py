"""What the routes of the API share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Query
from sqlmodel import SQLModel

from starter.http.calling import ApiRoute
from starter.listing import Cursor, Rows
from starter.resources.common import MOST_AT_ONCE, Page, Resource

Shown = TypeVar("Shown", bound=Resource)
Row = TypeVar("Row", bound=SQLModel)


def api_router(path: str, tag: str) -> APIRouter:
    """A router of the API, under `/v1`."""
    return APIRouter(prefix=f"/v1/{path}", tags=[tag], route_class=ApiRoute)


def _cursor(
    limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = 10,
    starting_after: Annotated[
        str | None,
        Query(min_length=1, max_length=70, description="Id of the last one of the page before."),
    ] = None,
) -> Cursor:
    return Cursor(limit, starting_after)


Paging = Annotated[Cursor, Depends(_cursor)]


def page(kind: type[Shown], found: Rows[Row], show: Callable[[Row], Shown]) -> Page[Shown]:
    """A page as it is answered."""
    return Page[kind](data=tuple(map(show, found.rows)), has_more=found.has_more)  # type: ignore[valid-type]


def whole(kind: type[Shown], shown: Iterable[Shown]) -> Page[Shown]:
    """A short list, all of it."""
    return Page[kind](data=tuple(shown), has_more=False)  # type: ignore[valid-type]
