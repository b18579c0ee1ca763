"""Where a caller's address leads: only what is public is called, unless a setting allows more.

A name is resolved once, every address that it has is looked at, and the connection goes to one of these very
addresses. So a name that answers differently a moment later (DNS rebinding) leads nowhere else.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from billing.errors import InvalidInput

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST_URL: Final = 2000
_PORTS: Final = {"http": 80, "https": 443}
_TUNNELS: Final = tuple(
    ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)
"""IPv6 ranges in which an IPv4 address is hidden: translated or tunnelled, it may end in a private network."""


class AddressRefused(InvalidInput):
    """The address leads to where we do not call, or nowhere."""


@dataclass(frozen=True)
class Target:
    """Where to connect, for one call.

    Attributes:
        url: as the caller gave it.
        address: what its name resolved to, looked at.
    """

    url: SplitResult
    address: IPAddress

    @property
    def pinned(self) -> str:
        """The same URL with the address in place of the name."""
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)  # noqa: PLR2004
        return self.url._replace(netloc=f"{host}:{_port(self.url)}", fragment="").geturl()

    @property
    def host(self) -> str:
        """The name, for the certificate."""
        return self.url.hostname or ""


def check_url(url: str, *, allow_private: bool) -> SplitResult:
    """An address that events may be sent to, as far as its words tell.

    Raises:
        InvalidInput: it is none; field `url`.
    """
    parts = _split(url)
    schemes = ("http", "https") if allow_private else ("https",)
    if parts is None or parts.scheme not in schemes or not parts.hostname or parts.fragment:
        example = "https://example.com/relance-events"
        raise InvalidInput(
            f"{url[:100]!r} is no address for events. Give one such as {example}.", field="url"
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "Leave name and password out of the address: deliveries are signed instead.", field="url"
        )
    return parts


def _split(url: str) -> SplitResult | None:
    if len(url) > LONGEST_URL or not url.isascii() or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts


def is_public(address: IPAddress) -> bool:
    """Whether an address belongs to the internet at large."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in net for net in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(url: str, *, allow_private: bool) -> Target:
    """Look an address up, and refuse one that leads to a private place by any of its answers.

    Raises:
        InvalidInput: it is no address for events; field `url`.
        AddressRefused: it does not resolve, or leads where we do not call; field `url`.
    """
    parts = check_url(url, allow_private=allow_private)
    host = parts.hostname or ""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise AddressRefused(f"{host} does not resolve. Check the address.", field="url") from None
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses:
        raise AddressRefused(f"{host} does not resolve. Check the address.", field="url")
    if not allow_private and not all(is_public(address) for address in addresses):
        raise AddressRefused(
            f"{host} leads to a private address, where no events are sent. Give a public one, or set "
            "RELANCE_PRIVATE_WEBHOOK_ADDRESSES=true on a machine that reaches nothing it should not.",
            field="url",
        )
    return Target(url=parts, address=addresses[0])


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]
