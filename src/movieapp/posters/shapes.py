"""The few SVG shapes that motifs are made of."""

from __future__ import annotations

import math
from collections.abc import Iterable

Point = tuple[float, float]


def short(number: float) -> str:
    """Return a number with one decimal at most."""
    return f"{number:.1f}".removesuffix(".0")


def circle(x: float, y: float, r: float, fill: str, opacity: float = 1) -> str:
    """Draw a disc."""
    return f'<circle cx="{short(x)}" cy="{short(y)}" r="{short(r)}" fill="{fill}"{_see(opacity)}/>'


def ring(x: float, y: float, r: float, stroke: str, width: float, opacity: float = 1) -> str:
    """Draw a circle's line."""
    place = f'cx="{short(x)}" cy="{short(y)}" r="{short(r)}"'
    return f'<circle {place} fill="none" stroke="{stroke}" stroke-width="{short(width)}"{_see(opacity)}/>'


def box(x: float, y: float, width: float, height: float, fill: str, opacity: float = 1) -> str:
    """Draw a rectangle."""
    size = f'width="{short(width)}" height="{short(height)}"'
    return f'<rect x="{short(x)}" y="{short(y)}" {size} fill="{fill}"{_see(opacity)}/>'


def polygon(points: Iterable[Point], fill: str, opacity: float = 1) -> str:
    """Draw a filled polygon."""
    places = " ".join(f"{short(x)},{short(y)}" for x, y in points)
    return f'<polygon points="{places}" fill="{fill}"{_see(opacity)}/>'


def path(way: str, fill: str, opacity: float = 1) -> str:
    """Draw a filled path."""
    return f'<path d="{way}" fill="{fill}"{_see(opacity)}/>'


def line(way: str, stroke: str, width: float, opacity: float = 1) -> str:
    """Draw a path's line, with round ends."""
    look = f'stroke="{stroke}" stroke-width="{short(width)}" stroke-linecap="round"'
    return f'<path d="{way}" fill="none" {look}{_see(opacity)}/>'


def around(x: float, y: float, r: float, count: int, turn: float = 0) -> list[Point]:
    """Return points that stand evenly on a circle; `turn` in radians."""
    angles = (turn + 2 * math.pi * number / count for number in range(count))
    return [(x + r * math.cos(angle), y + r * math.sin(angle)) for angle in angles]


def star(x: float, y: float, r: float, tips: int, inner: float, turn: float = 0) -> list[Point]:
    """Return the points of a star; `inner` is its inner radius as a share of `r`."""
    outside = around(x, y, r, tips, turn)
    inside = around(x, y, r * inner, tips, turn + math.pi / tips)
    return [point for pair in zip(outside, inside, strict=True) for point in pair]


def _see(opacity: float) -> str:
    return "" if opacity == 1 else f' opacity="{short(opacity) if opacity >= 0.1 else opacity}"'
