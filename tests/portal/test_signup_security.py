"""Who may sign up, by which link, and what nobody can make the page do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select
from support.mailroom import KEY
from support.portal import APP, Shop
from support.reader import PUBLIC, Reader
from support.signing_up import AGREED, ORDER, VISA, ZOE

from activities.books.rows import NotFound
from activities.links import LinkPurpose, Links
from billing.errors import InvalidInput
from models.tables import Customer, Plan, SignupSession
from starter.problems import AlreadyExists
from starter.signup_sessions import NewSignup

LINKS = Links(public_url=PUBLIC, secret=KEY)
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
ELSEWHERE = (
    "https://evil.example.com/",
    "https://app.example.com@evil.example.com/",
    "//evil.example.com",
    "javascript:alert(1)",
    "https://app.example.com/../x",
)


@pytest.fixture
async def reader(shop: Shop) -> AsyncIterator[Reader]:
    reader = Reader(shop.app)
    yield reader
    await reader.close()


async def made(shop: Shop, **more: object) -> SignupSession:
    new = {"plan": shop.anna.plan.id, "success_url": f"{APP}/welcome", "language": "fr", **more}
    return await shop.client.signup_sessions.create(NewSignup.model_validate(new))


def url_of(shop: Shop, row: SignupSession) -> str:
    return shop.client.signup_sessions.url_of(row)


async def test_a_link_opens_its_session_only_and_for_a_while(shop: Shop, reader: Reader) -> None:
    row, other = await made(shop), await made(shop)
    url = url_of(shop, row)
    token = url.rpartition("/")[2]
    expires = row.expires_at + timedelta(hours=48)
    portal = await shop.client.portal_sessions.create(shop.anna.customer.id)
    for forged, status in (
        (token[:-1] + ("A" if token[-1] != "A" else "B"), 404),
        (token.replace(row.id, other.id), 404),
        (LINKS.token(LinkPurpose.PAY, row.id, expires), 404),
        (LINKS.token(LinkPurpose.PORTAL_VISIT, row.id, expires), 404),
        (LINKS.token(LinkPurpose.SIGNUP, "su_unknown", expires), 404),
        (LINKS.token(LinkPurpose.SIGNUP, row.id, datetime.now(UTC) - timedelta(seconds=1)), 410),
        (portal.url.rpartition("/")[2], 404),
        ("x", 404),
    ):
        for page in ("", "/order", "/replaced?page=cs_test_1"):
            await reader.opens(f"{PUBLIC}/portal/signup/{forged}{page}")
            assert (forged, page, reader.page.status_code) == (forged, page, status)
    for door in (
        f"{PUBLIC}/portal/v/{token}/overview",
        f"{PUBLIC}/portal/open/{token}",
        f"{PUBLIC}/pay/{token}",
    ):
        await reader.opens(door)
        assert reader.page.status_code == 404


async def test_what_has_expired_or_was_ended_takes_no_order(shop: Shop, reader: Reader) -> None:
    row, ended = await made(shop), await made(shop)
    await reader.opens(url_of(shop, row))
    action, fields = reader.form_of("Continuer")
    async with shop.database.write() as session:
        late = await session.get_one(SignupSession, row.id)
        late.expires_at = datetime.now(UTC) - timedelta(seconds=1)
    await shop.client.signup_sessions.expire(ended.id)
    await shop.client.signup_sessions.expire(ended.id)  # again is the same
    for url in (url_of(shop, row), url_of(shop, ended)):
        await reader.opens(url)
        assert (reader.page.status_code, reader.heading) == (410, "Cette page est fermée")
    for page in ("", "/order", "/method"):
        await reader.opens(f"{action}{page}", fields={**fields, **ZOE})
        assert (page, reader.page.status_code) == (page, 410)
    assert (await shop.client.signup_sessions.find(row.id)).fields["name"] == ""


async def test_forms_of_others_foreign_forms_and_long_ones_are_refused(shop: Shop, reader: Reader) -> None:
    row, other = await made(shop), await made(shop)
    await reader.opens(url_of(shop, other))
    _, of_other = reader.form_of("Continuer")
    await reader.opens(url_of(shop, row))
    action, fields = reader.form_of("Continuer")
    filled = {**fields, **ZOE}
    for forged in (
        {**filled, "form": ""},
        {**filled, "form": of_other["form"]},
        {**filled, "name": "x" * 30_000},
    ):
        for page in ("", "/order", "/method", "/pay", "/language"):
            await reader.opens(f"{action}{page}", fields=forged)
            assert reader.page.status_code == 403
    for site in ("cross-site", "same-site"):
        await reader.opens(action, fields=filled, headers={"Sec-Fetch-Site": site})
        assert reader.page.status_code == 403
    assert not (await shop.client.signup_sessions.find(row.id)).is_filled_in


async def test_amounts_are_not_taken_from_the_form(shop: Shop, reader: Reader) -> None:
    row = await made(shop)
    await reader.opens(url_of(shop, row))
    await reader.presses("Continuer", **ZOE, total_minor="1", plan="plan_cheap", quantity="0", coupons="FREE")
    await reader.presses(VISA)
    action, fields = reader.form_of(ORDER)
    assert set(fields) == {"form", "shown"}
    boxes = re.findall(r'type="checkbox" name="(\w+)"([^>]*)', reader.page.text)
    assert [(name, "checked" in rest) for name, rest in boxes] == [("debit", False), ("early", False)]
    for altered in ({"shown": "0" * 32}, {"shown": ""}, {"due_minor": "1", "shown": "1"}):
        await reader.opens(action, fields={**fields, **AGREED, **altered})
        assert "Quelque chose a changé depuis que vous avez regardé votre commande." in reader.text
    await reader.opens(action, fields={**fields, "debit": "yes", "early": "yes", "terms": "no"})
    assert reader.page.status_code != 422  # no terms are named here
    async with shop.database.read() as session:
        bought = [each.plan_id for each in (await session.exec(select(SignupSession))).all()]
    assert bought == [shop.anna.plan.id]


async def test_nothing_of_a_customer_that_there_is_is_shown_or_taken(shop: Shop, reader: Reader) -> None:
    async with shop.database.write() as session:
        anna = await session.get_one(Customer, shop.anna.customer.id)
        anna.reference = "anna"
        mail = anna.contacts[0]["email"]
        address = anna.address
    with pytest.raises(AlreadyExists) as taken:
        await made(shop, customer_reference="anna")
    assert taken.value.field == "customer_reference"
    await reader.opens(url_of(shop, await made(shop)))
    await reader.presses("Continuer", **{**ZOE, "email": mail})
    await reader.presses(VISA)
    assert "Zoé Petit" in reader.text
    assert anna.name not in reader.text
    assert address is None or address.line1 not in reader.text


async def test_names_and_plans_are_words_and_never_markup(shop: Shop, reader: Reader) -> None:
    async with shop.database.write() as session:
        plan = await session.get_one(Plan, shop.anna.plan.id)
        plan.terms = plan.terms.model_copy(update={"plan_name": EVIL[:90]})
        seller = await session.get_one(type(shop.anna.entity), shop.anna.entity.id)
        seller.name = EVIL
    row = await made(shop, fields={"name": EVIL, "city": EVIL}, terms_url=f"{APP}/terms?{EVIL}")
    await reader.opens(url_of(shop, row))
    pages = [reader.page.text]
    await reader.presses("Continuer", **{**ZOE, "name": EVIL, "line1": EVIL, "city": EVIL[:60]})
    await reader.presses(VISA)
    pages.append(reader.page.text)
    for page in pages:
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page


async def test_buyers_are_led_back_to_the_seller_only(shop: Shop) -> None:
    for elsewhere in ELSEWHERE:
        for field in ("success_url", "cancel_url"):
            with pytest.raises(InvalidInput) as refusal:
                await made(shop, **{field: elsewhere})
            assert refusal.value.field == field
    for terms in ("javascript:alert(1)", "terms.html", "data:text/html,x"):
        with pytest.raises(InvalidInput) as refusal:
            await made(shop, terms_url=terms)
        assert refusal.value.field == "terms_url"


async def test_what_could_not_be_ordered_is_no_session(shop: Shop) -> None:
    for wrong, field in (
        ({"coupons": ("NONE",)}, "coupons"),
        ({"plan": "plan_none"}, "plan"),
        ({"clock": "clk_none"}, "clock"),
        ({"timezone": "Europe/Nowhere"}, "timezone"),
        ({"fields": {"country": "UK"}}, "address"),
        ({"fields": {"name": "x" * 300}}, "customer"),
    ):
        with pytest.raises((InvalidInput, NotFound)) as refusal:
            await made(shop, **wrong)
        assert (wrong, refusal.value.field) == (wrong, field)


async def test_pages_are_kept_by_nobody_and_load_nothing(shop: Shop, reader: Reader) -> None:
    await reader.opens(url_of(shop, await made(shop)))
    for step in ("form", "order"):
        headers = reader.page.headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert "set-cookie" not in headers
        assert len(reader.page.content) < 100_000
        assert re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', reader.page.text) == []
        if step == "form":
            await reader.presses("Continuer", **ZOE)
            await reader.presses(VISA)
            assert reader.heading == "Votre commande"
