"""Coming in by a link, and leaving; and the seller's logo, which every page shows."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from fastapi import Request, Response

from activities.books.rows import NotFound
from portal.pages import redirect, render
from portal.visiting import Form, page_router
from starter.http.door import door_of
from starter.resources.portal import StartPage

router = page_router("/portal")

PAGE_OF: Final = {
    StartPage.OVERVIEW: "overview",
    StartPage.INVOICES: "invoices",
    StartPage.METHODS: "methods",
    StartPage.DETAILS: "details",
}
_LOGO_TYPES: Final = {".svg": "image/svg+xml", ".png": "image/png"}


@router.get("/open/{link}")
async def come_in(request: Request, link: str) -> Response:
    """Open the session of a link. The link itself is good for a few minutes; what follows has an address of its own."""
    door = door_of(request)
    session, token = await door.relance.portal_sessions.open(link)
    return redirect(door.settings, f"/portal/v/{token}/{PAGE_OF[StartPage(session.start)]}")


@router.post("/v/{token}/leave")
async def leave(sent: Form) -> Response:
    """End the session, and lead back where the customer came from."""
    visit = sent.visit
    await visit.door.relance.portal_sessions.revoke(visit.session.id)
    back = visit.session.return_url
    return render(visit.door.settings, "left.html", visit.language, back=back, seller=visit.seller)


@router.get("/logo")
async def logo(request: Request) -> Response:
    """The seller's logo."""
    path = door_of(request).settings.portal_logo
    if path is None:
        raise NotFound("There is no logo.", field="logo")
    headers = {
        "Cache-Control": "public, max-age=3600",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(_content(path), media_type=_LOGO_TYPES[path.suffix], headers=headers)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()
