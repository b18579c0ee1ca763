"""Ways into the portal, where customers see to their subscription themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from models.ids import derived_id
from starter.http.calling import Supports
from starter.http.v1.common import api_router
from starter.resources.portal import NewPortalSession, PortalSession, RevokedPortalSession

router = api_router("portal_sessions", "Portal")


@router.post("", status_code=201)
async def create_portal_session(body: NewPortalSession, call: Supports) -> PortalSession:
    """Make a link that opens the portal for a customer. Send them there at once: it is good for 15 minutes."""
    made = await call.relance.portal_sessions.create(
        body.customer,
        return_url=body.return_url,
        start=body.start,
        session_id=derived_id("ps", call.id),
        by=call.by,
    )
    return PortalSession(customer=made.customer_id, **made.model_dump(exclude={"customer_id"}))


@router.post("/{portal_session}/revoke")
async def revoke_portal_session(
    portal_session: Annotated[str, Path(max_length=70, description="Id of the session.")], call: Supports
) -> RevokedPortalSession:
    """End a session at once: neither its link nor a page that is open works any more."""
    row = await call.relance.portal_sessions.revoke(portal_session)
    return RevokedPortalSession.model_validate(
        {"id": row.id, "customer": row.customer_id, "revoked_at": row.revoked_at}
    )
