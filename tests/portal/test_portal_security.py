"""Who comes into the portal and who does not; what others cannot make it do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlmodel import select
from support.mailroom import KEY
from support.portal import APP, Shop
from support.reader import PUBLIC, Reader

from activities.links import LinkPurpose, Links
from billing.errors import InvalidInput
from models.parties import Address
from models.tables import Invoice, PortalSession
from settings import SettingsProblem, load_settings
from starter.api import create_app
from starter.client import RelanceClient
from starter.orders import CustomerChange

LINKS = Links(public_url=PUBLIC, secret=KEY)
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


@pytest.fixture
async def reader(shop: Shop) -> AsyncIterator[Reader]:
    reader = Reader(shop.app)
    yield reader
    await reader.close()


async def test_what_is_somebody_else_s_is_not_there(shop: Shop, reader: Reader) -> None:
    await reader.signs_in(shop.client, shop.anna.customer.id)
    base = reader.url.rpartition("/")[0]
    subscription, method = shop.bob.subscription.id, shop.bob.method
    assert method is not None
    pages = [f"documents/{shop.bobs_invoice.id}", f"documents/{shop.bobs_invoice.number}"]
    pages += [f"subscriptions/{subscription}/{page}" for page in ("change", "cancel", "withdraw")]
    pages += [f"subscriptions/{subscription}/change/preview?plan={shop.bob.plan.id}"]
    pages += [f"methods/{method.id}/backup"]
    for page in (*pages, f"invoices?after={shop.bobs_invoice.id}", "methods/added?page=cs_test_1"):
        await reader.opens(f"{base}/{page}")
        assert (page, reader.page.status_code) == (page, 404)
        assert reader.heading == "Il n’y a rien ici"
    await reader.opens(f"{base}/overview")
    _, fields = reader.form_of("Fermer")
    deeds = [f"subscriptions/{subscription}/{deed}" for deed in ("change", "cancel", "keep", "resume")]
    deeds += [f"subscriptions/{subscription}/{deed}" for deed in ("withdraw", "reason", "undo-change")]
    deeds += [f"methods/{method.id}/{deed}" for deed in ("remove", "default", "backup")]
    for deed in deeds:
        await reader.opens(f"{base}/{deed}", fields=fields)
        assert (deed, reader.page.status_code) == (deed, 404)


async def test_a_link_opens_for_a_while_and_until_it_is_revoked(shop: Shop, reader: Reader) -> None:
    link = await shop.client.portal_sessions.create(shop.anna.customer.id)
    assert link.url.startswith(f"{PUBLIC}/portal/open/{link.id}.")
    assert timedelta(minutes=14) < link.expires_at - datetime.now(UTC) <= timedelta(minutes=15)
    await reader.opens(link.url)
    page = reader.url
    await reader.opens(link.url)
    assert reader.url == page  # followed by a mail scanner first, it is the same session
    visit = page.split("/")[-2]
    past = int((datetime.now(UTC) - timedelta(seconds=1)).timestamp())
    old = LINKS.token(LinkPurpose.PORTAL_VISIT, link.id, datetime.fromtimestamp(past, UTC))
    pay = LINKS.token(LinkPurpose.PAY, link.id, link.expires_at)
    form = LINKS.token(LinkPurpose.PORTAL_FORM, f"{link.id}-1", link.expires_at)
    unknown = LINKS.token(LinkPurpose.PORTAL_VISIT, "ps_unknown", link.expires_at)
    opening = link.url.rpartition("/")[2]
    for token, status in (
        (visit[:-1] + ("A" if visit[-1] != "A" else "B"), 404),
        (visit.replace(link.id, "ps_other"), 404),
        (old, 410),
        (pay, 404),
        (form, 404),
        (opening, 404),
        (unknown, 404),
        ("x", 404),
    ):
        await reader.opens(f"{PUBLIC}/portal/v/{token}/overview")
        assert (token, reader.page.status_code) == (token, status)
    await reader.opens(f"{PUBLIC}/portal/open/{visit}")
    assert reader.page.status_code == 404
    await shop.client.portal_sessions.revoke(link.id)
    for address in (page, link.url):
        await reader.opens(address)
        assert reader.page.status_code == 404


async def test_a_session_ends_by_itself_and_by_leaving(shop: Shop, reader: Reader) -> None:
    back = f"{APP}/account?tab=billing"
    key = await reader.signs_in(shop.client, shop.anna.customer.id, return_url=back)
    page = reader.url
    await reader.presses("Fermer et revenir")
    assert (reader.page.status_code, reader.heading) == (200, "Espace fermé")
    assert f'href="{back}"' in reader.page.text
    await reader.opens(page)
    assert reader.page.status_code == 404
    async with shop.database.write() as session:
        row = await session.get_one(PortalSession, key)
        row.revoked_at, row.ends_at = None, datetime.now(UTC) - timedelta(seconds=1)
    await reader.opens(page)
    assert reader.page.status_code == 410


async def test_a_form_is_taken_from_our_own_page_only(shop: Shop, reader: Reader) -> None:
    await reader.signs_in(shop.client, shop.anna.customer.id)
    base = reader.url.rpartition("/")[0]
    await reader.opens(f"{base}/details")
    action, fields = reader.form_of("Enregistrer")
    fields["name"] = "Somebody else"
    other = LINKS.token(LinkPurpose.PORTAL_FORM, "ps_other-1", datetime.now(UTC) + timedelta(hours=1))
    for forged in (
        {**fields, "form": ""},
        {**fields, "form": fields["form"] + "x"},
        {**fields, "form": other},
    ):
        await reader.opens(action, fields=forged)
        assert (reader.page.status_code, reader.heading) == (403, "Ce formulaire n’est plus à jour")
    for site in ("cross-site", "same-site"):
        await reader.opens(action, fields=fields, headers={"Sec-Fetch-Site": site})
        assert reader.page.status_code == 403
    await reader.opens(action, fields={**fields, "name": "x" * 30_000})
    assert reader.page.status_code == 403
    assert (await shop.client.customer(shop.anna.customer.id)).name == "Anna Martin"
    await reader.opens(action, fields=fields, headers={"Sec-Fetch-Site": "same-origin"})
    assert "Vos coordonnées sont enregistrées." in reader.text
    assert (await shop.client.customer(shop.anna.customer.id)).name == "Somebody else"


async def test_names_and_addresses_are_words_and_never_markup(shop: Shop, reader: Reader) -> None:
    customer = shop.anna.customer.id
    await shop.client.change_customer(customer, CustomerChange(name=EVIL[:190]))
    async with shop.database.write() as session:
        row = await session.get_one(type(shop.anna.subscription), shop.anna.subscription.id)
        row.reference = EVIL
        terms = row.state.terms.model_copy(update={"plan_name": EVIL[:90]})
        row.state = row.state.model_copy(update={"terms": terms})
        seller = await session.get_one(type(shop.anna.entity), shop.anna.entity.id)
        seller.name = EVIL
        owner = await session.get_one(type(shop.anna.customer), customer)
        bills = (await session.exec(select(Invoice).where(Invoice.customer_id == customer))).all()
        for bill in bills:
            bill.seller = bill.seller.model_copy(update={"name": EVIL})
        owner.address = Address(line1=EVIL[:90], postal_code="75002", city=EVIL[:90], country="FR")
    await reader.signs_in(shop.client, customer)
    base = reader.url.rpartition("/")[0]
    subscription = f"subscriptions/{shop.anna.subscription.id}"
    pages = ["overview", "invoices", "methods", "details", f"{subscription}/change", f"{subscription}/cancel"]
    pages += [f"documents/{EVIL}", f"methods/{EVIL}/backup", f"invoices/{EVIL}/pay", f"{subscription}/pause"]
    for page in pages[:6]:
        await reader.opens(f"{base}/{page}")
        assert (page, reader.page.status_code) == (page, 200)
        assert "<script" not in reader.page.text
        assert "<img" not in reader.page.text
        assert "&lt;script&gt;" in reader.page.text
    for page in pages[6:]:  # what is not there is not said back
        await reader.opens(f"{base}/{quote(page)}")
        assert (page, reader.page.status_code) == (page, 404)
        assert "alert" not in reader.page.text
    billed = next(row.id for row in await shop.client.list_invoices() if row.customer_id == customer)
    await reader.opens(f"{base}/invoices/{billed}/pay")
    assert "<script" not in reader.page.text
    assert "&lt;script&gt;" in reader.page.text


async def test_pages_are_kept_by_nobody_framed_by_the_seller_and_load_nothing(
    shop: Shop, reader: Reader
) -> None:
    await reader.signs_in(shop.client, shop.anna.customer.id)
    base = reader.url.rpartition("/")[0]
    for page in ("overview", "invoices", "methods", "details", f"documents/{shop.bobs_invoice.id}"):
        await reader.opens(f"{base}/{page}")
        headers = reader.page.headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert policy.endswith(f"base-uri 'none'; frame-ancestors {APP}")
        assert f"form-action 'self' {shop.settings.stripe_api_base};" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in headers
        assert len(reader.page.content) < 100_000
        loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', reader.page.text)
        assert loaded == []
        assert "<script" not in reader.page.text
    assert reader.page.status_code == 404


async def test_without_a_list_nobody_frames_it_and_nobody_is_led_away(shop: Shop) -> None:
    closed = shop.settings.model_copy(update={"portal_frame_ancestors": (), "portal_return_urls": ()})
    app = create_app(closed)
    async with app.router.lifespan_context(app):
        reader = Reader(app)
        await reader.signs_in(shop.client, shop.anna.customer.id)
        assert reader.page.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in reader.page.headers["content-security-policy"]
        client = RelanceClient(shop.database, None, closed)
        with pytest.raises(InvalidInput, match="RELANCE_PORTAL_RETURN_URLS allows: none yet"):
            await client.portal_sessions.create(shop.anna.customer.id, return_url=APP)
        await reader.close()


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.com/",
        "https://app.example.com.evil.example.com/",
        "https://app.example.com@evil.example.com/",
        "http://app.example.com/",
        "//evil.example.com",
        "javascript:alert(1)",
        "https://app.example.com/\\evil.example.com",
        'https://app.example.com/"onclick="x',
        "https://app.example.com/../x",
        "https://app.example.com/%2e%2E/x",
        "https://app.example.com/" + "x" * 500,
    ],
)
async def test_customers_are_led_back_to_the_seller_only(shop: Shop, elsewhere: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        await shop.client.portal_sessions.create(shop.anna.customer.id, return_url=elsewhere)
    assert refusal.value.field == "return_url"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RELANCE_PORTAL_ACCENT", "blue", "write it as #0d47a1"),
        ("RELANCE_PORTAL_ACCENT", "#ffcc00", "white text on it would be hard to read"),
        ("RELANCE_PORTAL_FRAME_ANCESTORS", "https://app.example.com/x", "use origins"),
        ("RELANCE_PORTAL_FRAME_ANCESTORS", "*", "use an address"),
        ("RELANCE_PORTAL_FRAME_ANCESTORS", "https://a.example; script-src *", "use"),
        ("RELANCE_PORTAL_RETURN_URLS", "app.example.com", "use an address"),
        ("RELANCE_PORTAL_LOGO", "/nowhere/logo.svg", "name an SVG or PNG file that is there"),
    ],
)
def test_a_setting_that_would_open_or_spoil_the_portal_is_refused(
    tmp_path: Path, name: str, value: str, says: str
) -> None:
    with pytest.raises(SettingsProblem, match=re.escape(says)):
        load_settings(tmp_path, environ={name: value})


def test_a_readable_colour_and_addresses_are_taken(tmp_path: Path) -> None:
    settings = load_settings(
        tmp_path,
        environ={
            "RELANCE_PORTAL_ACCENT": "#8e1b1b",
            "RELANCE_PORTAL_FRAME_ANCESTORS": "https://app.example.com, http://localhost:3000",
            "RELANCE_PORTAL_RETURN_URLS": "https://app.example.com/account/",
        },
    )
    assert settings.portal_frame_ancestors == ("https://app.example.com", "http://localhost:3000")
    assert settings.portal_return_urls == ("https://app.example.com/account/",)
