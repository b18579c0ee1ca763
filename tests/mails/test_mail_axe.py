"""Every mail, in both languages, as axe sees its HTML in a real browser. A mail has no landmarks to go by."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser
from support.axe import WCAG, findings
from support.browser import in_a_browser, person

from mails.formats import Language
from mails.kinds import MailKind
from mails.render import render
from mails.samples import samples

pytestmark = in_a_browser


@pytest.mark.parametrize("language", list(Language))
async def test_axe_finds_nothing_in_any_mail(chromium: Browser, language: Language) -> None:
    wrong: list[str] = []
    async with person(chromium) as somebody:
        page = await somebody.new_page()
        for kind in MailKind:
            context = list(samples(kind, language).values())[-1]
            await page.set_content(render(kind, context).html)
            wrong += [f"{kind}: {line}" for line in await findings(page, *WCAG)]
    assert wrong == []
