"""What a keyboard or a screen reader needs, on every page: names of fields and buttons, headings, the language."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from lxml import html
from lxml.html import HtmlElement
from support.portal import Shop
from support.reader import PUBLIC, Reader

from starter.orders import CustomerChange

PAGES = ("overview", "invoices", "methods", "details", "{subscription}/change", "{subscription}/cancel")
UNSEEN = {"hidden"}


@pytest.fixture
async def reader(shop: Shop) -> AsyncIterator[Reader]:
    reader = Reader(shop.app)
    yield reader
    await reader.close()


def complaints(page: str) -> list[str]:
    """What is missing on a page."""
    tree = html.document_fromstring(page)
    found = []
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    found += [f"the id {each} is there twice" for each in set(ids) if ids.count(each) > 1]
    headings = [int(each.tag[1]) for each in tree.iter("h1", "h2", "h3")]
    found += ["not one first heading"] if headings.count(1) != 1 or headings[0] != 1 else []
    found += ["a level of headings is left out"] if 3 in headings and 2 not in headings else []
    found += [
        f"{each.get('name')} has no label"
        for each in tree.iter("input", "select")
        if not labelled(each, tree)
    ]
    found += [f"{each.tag} says nothing" for each in tree.iter("button", "a", "legend") if not words(each)]
    found += ["a group has no legend" for each in tree.iter("fieldset") if each.find("legend") is None]
    found += ["a head cell has no scope" for each in tree.iter("th") if not each.get("scope")]
    found += [f"{name} leads nowhere" for name in described(tree) if name not in ids]
    return found


def labelled(field: HtmlElement, tree: HtmlElement) -> bool:
    is_for = {each.get("for") for each in tree.iter("label")}
    inside = any(each.tag == "label" and words(each) for each in field.iterancestors())
    return field.get("type") in UNSEEN or inside or field.get("id") in is_for


def described(tree: HtmlElement) -> list[str]:
    names = (each.get("aria-labelledby") or each.get("aria-describedby") for each in tree.iter())
    return [name for name in names if name]


def words(element: HtmlElement) -> str:
    return str(element.get("aria-label") or element.text_content()).strip()


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_can_be_heard_and_typed(shop: Shop, reader: Reader, language: str) -> None:
    customer = shop.anna.customer.id
    await shop.client.change_customer(customer, CustomerChange(locale=language))
    await reader.signs_in(shop.client, customer)
    base = reader.url.rpartition("/")[0]
    addresses = [
        f"{base}/{page.format(subscription=f'subscriptions/{shop.anna.subscription.id}')}" for page in PAGES
    ]
    for address in (*addresses, f"{PUBLIC}/portal/terminate"):
        await reader.opens(address, headers={"Accept-Language": language})
        assert f'<html lang="{language}">' in reader.page.text
        assert 'name="viewport"' in reader.page.text
        assert (address, complaints(reader.page.text)) == (address, [])
        assert reader.page.text.count("<title>") == 1


def test_what_is_missing_is_found() -> None:
    bad = "<h2>Late</h2><h1>First</h1><input name=a><button></button><p id=x><p id=x><table><th>A</table>"
    assert set(complaints(bad)) == {
        "not one first heading",
        "a has no label",
        "button says nothing",
        "the id x is there twice",
        "a head cell has no scope",
    }
