"""Ways into the portal: a short link for one customer, and the session that it opens. Both can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from activities.books.rows import get, lock
from activities.links import LinkExpired, LinkForged, LinkPurpose, Links
from billing.values import Value
from models.ids import new_id
from models.tables import Customer, PortalSession
from starter.connections import Connections
from starter.finding import find
from starter.resources.portal import StartPage
from starter.return_addresses import check_return

LINK_LIFETIME: Final = timedelta(minutes=15)
"""Until when a link opens the portal. It is made for somebody who is about to use it."""
SESSION_LIFETIME: Final = timedelta(hours=2)


class PortalLink(Value):
    """A way into the portal for one customer."""

    id: str
    customer_id: str
    url: str
    """Opens the portal for whoever has it. Give it to the customer, and to nobody else."""
    expires_at: datetime
    """Until when it opens the portal, real time."""
    return_url: str | None
    start: StartPage


class PortalSessions:
    """Makes links, opens them, says whose session it is, and takes it back."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def create(
        self,
        customer: str,
        *,
        return_url: str | None = None,
        start: StartPage = StartPage.OVERVIEW,
        session_id: str | None = None,
        by: str = "api",
    ) -> PortalLink:
        """A link for a customer. The same id twice is one session.

        Args:
            customer: by id or reference.
            return_url: where the customer is led back to; one of those that the settings allow.
            start: on which page it opens.
            session_id: makes asking again the same as asking once.
            by: who asked.

        Raises:
            NotFound: there is no such customer.
            InvalidInput: the settings do not allow this address; field `return_url`.
            SettingsProblem: there is no key to sign links with.
        """
        links, now = self._links(), datetime.now(UTC)
        if return_url is not None:
            check_return(self._to.settings, return_url, field="return_url")
        async with self._to.database.write() as session:
            owner = await find(session, Customer, customer, field="customer")
            key = session_id or new_id("ps")
            row = await session.get(PortalSession, key)
            if row is None:
                row = PortalSession(
                    id=key,
                    customer_id=owner.id,
                    start=start.value,
                    return_url=return_url,
                    by=by,
                    created_at=now,
                    ends_at=now + LINK_LIFETIME + SESSION_LIFETIME,
                )
                session.add(row)
        expires_at = row.created_at + LINK_LIFETIME
        return PortalLink(
            id=row.id,
            customer_id=row.customer_id,
            url=links.portal(links.token(LinkPurpose.PORTAL, row.id, expires_at)),
            expires_at=expires_at,
            return_url=row.return_url,
            start=StartPage(row.start),
        )

    async def revoke(self, session_id: str) -> PortalSession:
        """End a session: neither its link nor a page that is open works any more. Ended already, nothing happens.

        Raises:
            NotFound: there is no such session.
        """
        async with self._to.database.write() as session:
            row = await lock(session, PortalSession, session_id, field="portal session")
            row.revoked_at = row.revoked_at or datetime.now(UTC)
            return row

    async def open(self, token: str) -> tuple[PortalSession, str]:
        """The session of a link, and the token with which its pages are asked for.

        Raises:
            LinkForged, LinkExpired: it opens nothing, or not any more.
        """
        links, now = self._links(), datetime.now(UTC)
        key = links.read(token, LinkPurpose.PORTAL, now=now)
        async with self._to.database.write() as session:
            row = await lock(session, PortalSession, key, field="portal session")
            _check_running(row, now)
            if row.opened_at is None:
                row.opened_at, row.ends_at = now, now + SESSION_LIFETIME
        return row, links.token(LinkPurpose.PORTAL_VISIT, row.id, row.ends_at)

    async def visiting(self, token: str) -> tuple[PortalSession, Customer]:
        """The session of a page's token, and whose it is.

        Raises:
            LinkForged, LinkExpired: it opens nothing, or not any more.
        """
        now = datetime.now(UTC)
        key = self._links().read(token, LinkPurpose.PORTAL_VISIT, now=now)
        async with self._to.database.read() as session:
            row = await session.get(PortalSession, key)
            if row is None:
                raise LinkForged("This session does not exist. Ask for a new link.", field="token")
            _check_running(row, now)
            return row, await get(session, Customer, row.customer_id, field="customer")

    def _links(self) -> Links:
        settings = self._to.settings
        return Links(public_url=settings.public_url, secret=settings.reveal("secret_key", to="make links"))


def _check_running(row: PortalSession, now: datetime) -> None:
    if row.revoked_at is not None:
        raise LinkForged("This session was ended. Ask for a new link.", field="token")
    if now >= row.ends_at:
        raise LinkExpired("This session is over. Ask for a new link.", field="token")
