"""How our own HTTP clients know whom to trust."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """The certificates that a client trusts. Made once for a process: it reads every one that the machine has."""
    return httpx.create_ssl_context()
