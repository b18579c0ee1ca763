"""Dice that fall the same on every machine: a counter through SplitMix64, so that any throw can be made alone."""

from __future__ import annotations

from math import exp, log
from statistics import NormalDist
from typing import Final

_GOLDEN: Final = 0x9E3779B97F4A7C15
_MASK: Final = 0xFFFFFFFFFFFFFFFF
_FRACTION_BITS: Final = 53
_NORMAL: Final = NormalDist()


def _mixed(number: int) -> int:
    """SplitMix64's mixing of 64 bits."""
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & _MASK
    return number ^ (number >> 31)


class Dice:
    """The luck of one payer. The n-th throw is the same whoever asks, and whenever: so policies can be compared."""

    __slots__ = ("_key", "_thrown")

    def __init__(self, *key: int) -> None:
        """Take up the dice that belong to these numbers, as a seed and a payer's number."""
        self._key = 0
        for part in key:
            self._key = _mixed((self._key + part * _GOLDEN + _GOLDEN) & _MASK)
        self._thrown = 0

    def nth(self, n: int) -> float:
        """The throw with this number: uniform from 0 to below 1."""
        return (_mixed((self._key + (n + 1) * _GOLDEN) & _MASK) >> 11) / (1 << _FRACTION_BITS)

    def throw(self) -> float:
        """The next throw."""
        self._thrown += 1
        return self.nth(self._thrown - 1)

    def number(self, least: int, most: int) -> int:
        """A whole number between the two, both included."""
        return least + int(self.throw() * (most - least + 1))

    def wait(self, mean: float) -> float:
        """A waiting time without memory: exponential."""
        return -mean * log(1 - self.throw())


def log_normal(throw: float, *, median: float, sigma: float) -> float:
    """What a uniform throw is as a log-normal time."""
    half_a_step = 1 / (1 << _FRACTION_BITS + 1)
    return median * exp(sigma * _NORMAL.inv_cdf(throw + half_a_step))
