"""How often anybody may ask for what needs no signing in: counted for each address of the network, and in all.

Counted in the memory of each HTTP process, since a limit that lets a few more through after a restart, or twice as many
with two processes, still does what it is for: nobody tries names and addresses by the thousand.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

from fastapi import Request
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

FROM_ONE_ADDRESS: Final = parse("20/hour")
IN_ALL: Final = parse("600/hour")
_IPV6_NETWORK_BITS: Final = 64
"""Of which one connection has all addresses."""


@dataclass(frozen=True)
class Limits:
    """What is let through in any hour.

    Attributes:
        from_one: address of the network.
        in_all: by this process.
    """

    from_one: RateLimitItem = FROM_ONE_ADDRESS
    in_all: RateLimitItem = IN_ALL


class Limiter:
    """Counts, and says how long to wait."""

    def __init__(self, *, trusted_proxies: int, limits: Limits = Limits()) -> None:
        """Begin with nothing counted.

        Args:
            trusted_proxies: how many proxies of ours a request comes through; each names the one before it.
            limits: what is let through.
        """
        self._proxies = trusted_proxies
        self._limits = limits
        self._counted = MovingWindowRateLimiter(MemoryStorage())

    def seconds_to_wait(self, request: Request) -> int:
        """0 where the request is let through, and counted; else when to come again."""
        network = network_of(address_of(request, self._proxies))
        limits = self._limits
        if not self._counted.test(limits.in_all):
            return self._until_free(limits.in_all)
        if not self._counted.hit(limits.from_one, network):
            return self._until_free(limits.from_one, network)
        self._counted.hit(limits.in_all)
        return 0

    def _until_free(self, limit: RateLimitItem, *keys: str) -> int:
        frees_at = self._counted.get_window_stats(limit, *keys).reset_time
        return max(1, math.ceil(frees_at - time.time()))


def address_of(request: Request, trusted_proxies: int) -> str:
    """Where a request came from: the peer, or whom the outermost of our proxies names.

    Anybody may write anything into `X-Forwarded-For`; only what our own proxies added at its end counts.
    """
    said = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    hops = [hop.strip() for hop in said if hop.strip()]
    if trusted_proxies and hops:
        return hops[-min(trusted_proxies, len(hops))]
    return request.client.host if request.client is not None else ""


def network_of(address: str) -> str:
    """An IPv4 address, or the network of an IPv6 one; what is neither stands for itself."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address[:64]
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(IPv6Network((ip, _IPV6_NETWORK_BITS), strict=False))
