"""The portal of a test's world, and somebody in front of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.api import Api
from support.reader import Reader


@pytest.fixture
async def reader(api: Api) -> AsyncIterator[Reader]:
    """A browser without scripts."""
    reader = Reader(api.app)
    yield reader
    await reader.close()
