"""Somebody at the portal with a browser that has no scripts: follows links and presses buttons by their words."""

from __future__ import annotations

from http.cookiejar import Cookie
from typing import Any
from urllib.parse import urljoin

import httpx
from fastapi import FastAPI
from lxml import html

from activities.tls import trusted
from starter.client import RelanceClient
from starter.resources.portal import StartPage

PUBLIC = "http://127.0.0.1:8000"
"""Where the portal is, by default; everything else is met over the network."""


class Reader:
    """One browser.

    Attributes:
        page: the last answer.
        url: where it is.
        came_from: where they were before.
    """

    def __init__(self, app: FastAPI) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._portal = httpx.AsyncClient(transport=transport, timeout=60, verify=trusted())
        self._elsewhere = httpx.AsyncClient(timeout=60, verify=trusted())
        self.page: httpx.Response
        self.url = self.came_from = PUBLIC

    async def close(self) -> None:
        await self._portal.aclose()
        await self._elsewhere.aclose()

    async def signs_in(
        self, client: RelanceClient, customer: str, start: StartPage = StartPage.OVERVIEW, **session: Any
    ) -> str:
        """Open the portal by a new link; the id of the session."""
        link = await client.portal_sessions.create(customer, start=start, **session)
        await self.opens(link.url)
        assert self.page.status_code == 200, self.text
        return link.id

    async def opens(
        self, address: str, *, fields: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> None:
        """Go somewhere, and on to wherever one is led."""
        self.came_from, self.url = self.url, urljoin(self.url, address)
        method = "GET" if fields is None else "POST"
        while True:
            http = self._portal if self.url.startswith(PUBLIC) else self._elsewhere
            self.page = await http.request(method, self.url, data=fields, headers=headers)
            if not self.page.is_redirect:
                return
            self.url, method, fields = urljoin(self.url, self.page.headers["location"]), "GET", None

    async def follows(self, words: str) -> None:
        """Click on a link by its words."""
        (link,) = [each for each in self._tree().iter("a") if _words(each) == words]
        await self.opens(link.get("href"))

    async def presses(self, words: str, *, near: str = "", **filled_in: str) -> None:
        """Press a button by its words, in the section that is `near`, with what is filled in before."""
        action, fields = self.form_of(words, near=near)
        await self.opens(action, fields={**fields, **filled_in})

    def form_of(self, words: str, *, near: str = "") -> tuple[str, dict[str, str]]:
        """Where the form of a button leads, and what it holds as it stands."""
        buttons = [
            each
            for each in self._tree().iter("button")
            if _words(each) == words
            and (not near or any(near in _words(it) for it in each.iterancestors("section")))
        ]
        assert buttons, f"there is no button {words!r} in: {self.text}"
        button = buttons[0]
        if button.get("form"):
            form = self._tree().get_element_by_id(button.get("form"))
        else:
            form = next(each for each in button.iterancestors("form"))
        fields = {name: value for name, value in form.form_values() if value is not None}
        if button.get("name"):
            fields[button.get("name")] = button.get("value")
        return form.get("action") or self.url, fields

    @property
    def cookies(self) -> list[Cookie]:
        """What the portal left in the browser."""
        return list(self._portal.cookies.jar)

    @property
    def text(self) -> str:
        """What is on the page, in one line."""
        tree = self._tree()
        for style in list(tree.iter("style")):
            style.drop_tree()
        return _words(tree)

    @property
    def heading(self) -> str:
        """Its first heading."""
        return _words(next(self._tree().iter("h1")))

    def _tree(self) -> Any:
        return html.document_fromstring(self.page.text)


def _words(element: Any) -> str:
    return " ".join(" ".join(element.itertext()).replace("\u00a0", " ").replace("\u202f", " ").split())
