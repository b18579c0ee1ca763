"""Links in mails: genuine ones open their own door, for a while; anything else opens none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.links import LinkExpired, LinkForged, LinkPurpose, Links
from billing.errors import InvalidInput

NOW = datetime(2027, 1, 31, 9, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"
OTHER_KEY = "fedcba9876543210fedcba9876543210"
LINKS = Links(public_url="https://pay.example.com/", secret=KEY)


def token_of(url: str) -> str:
    return url.rpartition("/")[2]


def test_a_pay_link_names_its_invoice_for_ninety_days() -> None:
    url = LINKS.pay("in_01", now=NOW)
    assert url.startswith("https://pay.example.com/pay/in_01.")
    assert LINKS.read(token_of(url), LinkPurpose.PAY, now=NOW) == "in_01"
    assert LINKS.read(token_of(url), LinkPurpose.PAY, now=NOW + timedelta(days=89, hours=23)) == "in_01"
    with pytest.raises(LinkExpired, match="expired"):
        LINKS.read(token_of(url), LinkPurpose.PAY, now=NOW + timedelta(days=90))


def test_the_signature_is_the_one_worked_out_by_hand() -> None:
    # With openssl: key = hmac(secret, "relance/links/1"), then hmac(key, "pay\nin_01\n1801386000") in base64url.
    assert LINKS.token(LinkPurpose.PAY, "in_01", NOW) == (
        "in_01.1801386000.HtHewDilTdNsCse2l72y7budoi-hftMhba8je1upIac"
    )


def test_a_later_expiry_or_another_invoice_needs_another_signature() -> None:
    subject, expires, signature = LINKS.token(LinkPurpose.PAY, "in_01", NOW).split(".")
    for forged in (
        f"{subject}.{int(expires) + 1}.{signature}",
        f"in_02.{expires}.{signature}",
        f"{subject}.{expires}.{'A' * 43}",
        f"{subject}.0{expires}.{signature}x",
    ):
        with pytest.raises(LinkForged):
            LINKS.read(forged, LinkPurpose.PAY, now=NOW - timedelta(days=1))


def test_another_secret_signs_otherwise() -> None:
    other = Links(public_url="https://pay.example.com", secret=OTHER_KEY)
    with pytest.raises(LinkForged):
        other.read(token_of(LINKS.pay("in_01", now=NOW)), LinkPurpose.PAY, now=NOW)


@given(st.text(max_size=120))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    with pytest.raises(LinkForged):
        LINKS.read(text, LinkPurpose.PAY, now=NOW)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(InvalidInput, match="SECRET_KEY"):
        Links(public_url="https://pay.example.com", secret=KEY[:31])
