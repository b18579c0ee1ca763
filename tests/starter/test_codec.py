"""What Temporal stores is sealed, and keys can be rotated."""

import base64

import pytest
from pydantic import SecretStr
from temporalio.converter import DataConverter

from settings import Settings
from starter.codec import KeyMissing, data_converter

OLD = base64.b64encode(b"o" * 32).decode()
NEW = base64.b64encode(b"n" * 32).decode()


def converter(*keys: str) -> DataConverter:
    return data_converter(Settings(encryption_keys=tuple(SecretStr(key) for key in keys)))


async def test_without_keys_payloads_are_plain_json() -> None:
    (payload,) = await converter().encode(["insufficient_funds"])
    assert payload.data == b'"insufficient_funds"'


async def test_sealed_payloads_hide_their_content_and_come_back() -> None:
    (payload,) = await converter(NEW).encode(["insufficient_funds"])
    assert b"insufficient" not in payload.SerializeToString()
    assert await converter(NEW).decode([payload], [str]) == ["insufficient_funds"]


async def test_an_old_key_still_opens_what_it_sealed() -> None:
    sealed = await converter(OLD).encode(["ok"])
    assert await converter(NEW, OLD).decode(sealed, [str]) == ["ok"]


async def test_a_key_that_was_dropped_is_named() -> None:
    sealed = await converter(OLD).encode(["ok"])
    with pytest.raises(KeyMissing) as problem:
        await converter(NEW).decode(sealed, [str])
    assert problem.value.field == "ENCRYPTION_KEYS"


async def test_plain_payloads_from_before_the_first_key_are_read() -> None:
    plain = await converter().encode(["ok"])
    assert await converter(NEW).decode(plain, [str]) == ["ok"]
