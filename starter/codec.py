"""Encrypting what Temporal stores, where `ENCRYPTION_KEYS` asks for it.

Each payload is sealed with AES-256-GCM under the first key and carries that key's fingerprint, so that any of the
keys still opens what it sealed: put a new key first to rotate, and drop an old one once no history needs it.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec
from typing_extensions import override

from billing.errors import RelanceError
from settings import Settings

ENCODING: Final = b"binary/relance-aes256gcm"
NONCE_BYTES: Final = 12


class KeyMissing(RelanceError):
    """A payload was sealed with a key that is not among `ENCRYPTION_KEYS` any more."""


class SealedPayloads(PayloadCodec):
    """Seals every payload on its way to Temporal, and opens it on its way back."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """Take the keys.

        Args:
            keys: 32 bytes each, at least one; the first seals.
        """
        self._ciphers = {_fingerprint(key): AESGCM(key) for key in keys}
        self._sealing = _fingerprint(keys[0])

    @override
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._seal(payload) for payload in payloads]

    @override
    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._sealing].encrypt(nonce, payload.SerializeToString(), self._sealing)
        return Payload(metadata={"encoding": ENCODING, "key": self._sealing}, data=nonce + sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        name = payload.metadata.get("key", b"")
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise KeyMissing(
                f"A payload was sealed with key {name.decode()}, which is not among ENCRYPTION_KEYS. Add it again "
                "behind the present one.",
                field="ENCRYPTION_KEYS",
            )
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        return Payload.FromString(cipher.decrypt(nonce, sealed, name))


def data_converter(settings: Settings) -> DataConverter:
    """How values are written for Temporal: as JSON, sealed where the settings hold keys.

    With keys the messages and traces of failures are sealed as well, which otherwise would leak.
    """
    keys = list(_decoded(key.get_secret_value() for key in settings.encryption_keys))
    if not keys:
        return pydantic_data_converter
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=SealedPayloads(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def _decoded(keys: Iterable[str]) -> Iterable[bytes]:
    return (base64.b64decode(key) for key in keys)


def _fingerprint(key: bytes) -> bytes:
    return hashlib.sha256(key).hexdigest()[:8].encode()
