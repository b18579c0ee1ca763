"""The pages that a person opens: the list, and a letter. No script, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.mailbox.letters import Letters

PAGE_SIZE: Final = 100

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

_OURS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_OF_A_LETTER: Final = {
    # A letter is a stranger's HTML: shown, its links may be opened, and nothing else.
    "Content-Security-Policy": "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def _render(template: str, **values: object) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(values), headers=_OURS)


def download(body: bytes, *, filename: str) -> Response:
    """A file that the browser saves and never shows."""
    return Response(
        body,
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(filename, safe='')}",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def index(request: Request) -> Response:
    """The list, newest first, with a search by address and kind."""
    letters: Letters = request.app.state.letters
    to, kind = request.query_params.get("to", ""), request.query_params.get("kind", "")
    raw_page = request.query_params.get("page", "1")
    page = max(1, int(raw_page)) if raw_page.isdecimal() else 1
    found = letters.find(to=to, kind=kind)[::-1]

    def link(number: int) -> str:
        return "/?" + urlencode({"to": to, "kind": kind, "page": number})

    first = (page - 1) * PAGE_SIZE
    return _render(
        "list.html",
        letters=found[first : first + PAGE_SIZE],
        count=len(found),
        total=len(letters),
        to=to,
        kind=kind,
        kinds=letters.kinds(),
        newer=link(page - 1) if page > 1 else None,
        older=link(page + 1) if first + PAGE_SIZE < len(found) else None,
    )


async def letter_page(request: Request) -> Response:
    """One letter: as HTML in a frame, as text, or its particulars."""
    letters: Letters = request.app.state.letters
    letter = letters.get(request.path_params["letter_id"])
    if letter is None:
        return PlainTextResponse("No such mail. It may have been deleted.", status_code=404)
    view = request.query_params.get("view", "html" if letter.html else "text")
    return _render("letter.html", letter=letter, view=view)


async def letter_html(request: Request) -> Response:
    """The letter's own HTML, for the frame."""
    letters: Letters = request.app.state.letters
    letter = letters.get(request.path_params["letter_id"])
    if letter is None:
        return PlainTextResponse("No such mail.", status_code=404)
    return HTMLResponse('<base target="_blank">' + letter.html, headers=_OF_A_LETTER)


async def clear(request: Request) -> Response:
    """The button that empties the mailbox."""
    letters: Letters = request.app.state.letters
    letters.clear()
    return RedirectResponse("/", status_code=303)


routes: Final = [
    Route("/", index, methods=["GET"]),
    Route("/messages/{letter_id}", letter_page, methods=["GET"]),
    Route("/messages/{letter_id}/html", letter_html, methods=["GET"]),
    Route("/clear", clear, methods=["POST"]),
]
