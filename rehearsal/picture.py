"""Pictures of a rehearsal: what was recovered over the days, as bars for a terminal and as a curve in an SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil
from typing import Final

from rehearsal.measures import Rehearsed

BAR_WIDTH: Final = 24
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_MARKS: Final = (0, 1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90)
"""Days that the bars are shown for, and the last."""

_WIDTH: Final = 720
_HEIGHT: Final = 400
_LEFT: Final = 56
_RIGHT: Final = 16
_TOP: Final = 44
_BOTTOM: Final = 44
_LINE_HEIGHT: Final = 16
_MOST_TICKS: Final = 10
_COLOURS: Final = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f")


def bar(share: float, *, width: int = BAR_WIDTH) -> str:
    """A share from 0 to 1 as a bar of so many characters at most."""
    eighths = round(share * width * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def marked_days(rehearsed: Sequence[Rehearsed]) -> list[int]:
    """The days that are worth a bar: closer at first, and the end of the longest policy."""
    last = max(one.end_day for one in rehearsed)
    return sorted({day for day in _MARKS if day < last} | {last})


def recovered_by(one: Rehearsed, day: int) -> float:
    """The share recovered by the end of a day; after the policy's end that of its end."""
    return one.by_day[min(day, len(one.by_day) - 1)]


def curve(rehearsed: Sequence[Rehearsed], *, title: str) -> str:
    """An SVG: the share recovered by the end of each day, one line for each policy."""
    frame = _Frame(
        days=max(one.end_day for one in rehearsed) + 1,
        tenths=ceil(10 * max(0.1, *(share for one in rehearsed for share in one.by_day))),
    )
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{escape(title)}</text>',
        *frame.levels(),
        *frame.ticks(),
        *(frame.line(nth, one) for nth, one in enumerate(rehearsed)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True)
class _Frame:
    """Where things are in the picture: days from left to right, shares from the bottom up."""

    days: int
    tenths: int
    """The highest level, in tenths."""

    def x(self, day: float) -> float:
        return _LEFT + day / self.days * (_WIDTH - _LEFT - _RIGHT)

    def y(self, share: float) -> float:
        return _HEIGHT - _BOTTOM - share * 10 / self.tenths * (_HEIGHT - _TOP - _BOTTOM)

    def levels(self) -> Iterator[str]:
        for tenth in range(self.tenths + 1):
            y = self.y(tenth / 10)
            yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
            yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tenth * 10} %</text>'

    def ticks(self) -> Iterator[str]:
        for day in range(0, self.days + 1, ceil(self.days / _MOST_TICKS)):
            yield f'<text x="{self.x(day):.1f}" y="{_HEIGHT - 24}" text-anchor="middle">{day}</text>'
        words = "days since the first failure"
        yield f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 8}" text-anchor="end">{words}</text>'

    def line(self, nth: int, one: Rehearsed) -> str:
        colour = _COLOURS[nth % len(_COLOURS)]
        points = " ".join(
            f"{self.x(day):.1f},{self.y(share):.1f}" for day, share in enumerate((0.0, *one.by_day))
        )
        at = f'x="{_LEFT + 12}" y="{_TOP + 12 + _LINE_HEIGHT * nth}"'
        return (
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text {at} fill="{colour}">{escape(one.policy)}</text>'
        )
