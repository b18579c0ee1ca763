"""Accessibility, as axe sees it: Deque's checks of WCAG, brought along by a wheel. Nothing is downloaded."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Final

from playwright.async_api import Page

WIDTHS: Final = ({"width": 360, "height": 740}, {"width": 1200, "height": 900})
"""A phone, and a desk."""
WCAG: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
_RUN: Final = "async options => (await axe.run(document, options)).violations"


async def findings(page: Page, *rules: str) -> list[str]:
    """What is wrong with a page, light at a desk's width and dark at a phone's: rule, weight and place of each.

    By all rules of WCAG 2.2 AA and what axe takes for good practice, or by the sets of `rules` alone.
    Axe is handed over by the debugger's door, so that the page's own content security policy stays as it is.
    """
    found = []
    options = {"resultTypes": ["violations"], "runOnly": rules or (*WCAG, "best-practice")}
    await page.evaluate(_script())
    for width, scheme in zip(WIDTHS, ("dark", "light"), strict=True):
        await page.set_viewport_size(width)  # type: ignore[arg-type]  # a typed dict of the same two
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its words
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"{width['width']}px: wider than the screen")
        violations = await page.evaluate(_RUN, options)
        found += [f"{width['width']}px {scheme}: {line}" for each in violations for line in _lines(each)]
    return found


def _lines(violation: dict[str, Any]) -> list[str]:
    says = f"{violation['id']} ({violation['impact']})"
    return [f"{says} at {' '.join(map(str, node['target']))}: {node['html']}" for node in violation["nodes"]]


@cache
def _script() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
