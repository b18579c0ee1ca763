"""Ways into the portal."""

from __future__ import annotations

from starter.remote.transport import Transport, at
from starter.resources.portal import NewPortalSession, PortalSession, RevokedPortalSession


class PortalSessions:
    """`/v1/portal_sessions`."""

    def __init__(self, through: Transport) -> None:
        self._through = through

    async def create(self, body: NewPortalSession, *, idempotency_key: str | None = None) -> PortalSession:
        """Make a link that opens the portal for a customer."""
        path = "/v1/portal_sessions"
        return await self._through.send(PortalSession, "POST", path, body, idempotency_key=idempotency_key)

    async def revoke(self, session: str, *, idempotency_key: str | None = None) -> RevokedPortalSession:
        """End a session at once."""
        path = at("portal_sessions", session, "revoke")
        return await self._through.send(
            RevokedPortalSession, "POST", path, None, idempotency_key=idempotency_key
        )
