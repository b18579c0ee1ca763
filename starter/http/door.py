"""What all routes share."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from activities.books.config import BookRules
from activities.links import Links
from models.database import Database
from settings import Settings
from starter.api_calls import ApiCalls
from starter.client import RelanceClient
from starter.connections import Connections


@dataclass(frozen=True)
class Door:
    """The open door.

    Attributes:
        settings: of this process.
        database: the books.
        relance: what the API asks.
        links: reads the tokens of links in mails.
        rules: the seller's.
        calls: what was asked through the API.
    """

    settings: Settings
    database: Database
    relance: RelanceClient
    links: Links
    rules: BookRules
    calls: ApiCalls

    @property
    def connections(self) -> Connections:
        """Temporal, when first needed."""
        return self.relance.connections


def door_of(request: Request) -> Door:
    """The door through which a request came."""
    door: Door = request.app.state.door
    return door
