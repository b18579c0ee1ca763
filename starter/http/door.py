"""What all routes share."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from activities.books.config import BookRules
from activities.links import Links
from models.database import Database
from settings import Settings
from starter.connections import Connections


@dataclass(frozen=True)
class Door:
    """The open door.

    Attributes:
        settings: of this process.
        database: the books.
        connections: Temporal, when first needed.
        links: reads the tokens of links in mails.
        rules: the seller's.
    """

    settings: Settings
    database: Database
    connections: Connections
    links: Links
    rules: BookRules


def door_of(request: Request) -> Door:
    """The door through which a request came."""
    door: Door = request.app.state.door
    return door
