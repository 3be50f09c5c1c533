"""Titles on posters: broken into lines, sized to fit, upright for scripts that are written so."""

from __future__ import annotations

import re
import unicodedata
from html import escape
from typing import NamedTuple

from movieapp.posters.shapes import short

_UPRIGHT = re.compile(r"^[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af。、！？・ー々]{2,9}$")
_RIGHT_TO_LEFT = {"R", "AL"}
_LONGEST = 90  # characters of a title that a poster shows


class Face(NamedTuple):
    """A font stack that needs nothing fetched, and how wide its capitals are, in ems."""

    family: str
    weight: int
    wide: float
    capitals: bool


FACES = (
    Face("Georgia,'Times New Roman',serif", 700, 0.58, False),
    Face(
        "Impact,Haettenschweiler,'Arial Narrow Bold','DejaVu Sans Condensed',sans-serif",
        700,
        0.62,
        True,
    ),
    Face("'Avenir Next',Avenir,Futura,'Century Gothic','DejaVu Sans',sans-serif", 700, 0.7, False),
    Face("'Didot','Bodoni MT','Playfair Display',Georgia,serif", 400, 0.56, False),
)


def is_upright(title: str) -> bool:
    """Tell whether a title stands in one column, as a Japanese one may."""
    return bool(_UPRIGHT.match(title))


def upright(title: str, x: float, top: float, height: float, ink: str) -> str:
    """Write a title from top to bottom."""
    size = min(34.0, height / len(title))
    letters = "".join(
        f'<text x="{short(x)}" y="{short(top + size * (n + 0.85))}">{escape(letter)}</text>'
        for n, letter in enumerate(title)
    )
    look = f'fill="{ink}" font-size="{short(size * 0.92)}" font-weight="700" text-anchor="middle"'
    return f'<g {look} font-family="serif">{letters}</g>'


def block(title: str, face: Face, ink: str, top: float, height: float, centred: bool) -> str:
    """Write a title in lines within a block that is 176 wide."""
    if len(title) > _LONGEST:
        title = title[:_LONGEST].rstrip() + "…"
    if face.capitals:
        title = title.upper()
    size, lines = _fit(title, face, height)
    right = _is_right_to_left(title)
    anchor, x = ("middle", 100) if centred else ("start", 188 if right else 12)
    direction = ' direction="rtl"' if right else ""
    first = top + (height - size * 1.08 * len(lines)) / 2 + size * 0.85
    rows = "".join(
        f'<text x="{x}" y="{short(first + size * 1.08 * n)}">{escape(row)}</text>'
        for n, row in enumerate(lines)
    )
    look = f'font-family="{face.family}" font-weight="{face.weight}" font-size="{short(size)}"'
    return f'<g fill="{ink}" {look} text-anchor="{anchor}"{direction}>{rows}</g>'


def _fit(title: str, face: Face, height: float) -> tuple[float, list[str]]:
    """Return the largest size with which the lines fit, and the lines."""
    for size in (36.0, 31.0, 27.0, 23.0, 20.0, 17.0, 14.5, 12.5, 11.0):
        lines = _broken(title, 176 / (size * face.wide))
        if len(lines) * size * 1.08 <= height and all(
            _width(row) * size * face.wide <= 180 for row in lines
        ):
            return size, lines
    return 11.0, lines[: int(height / 12)]


def _broken(title: str, most: float) -> list[str]:
    """Break at spaces; inside a word only when it alone is too long for the smallest size."""
    lines: list[str] = []
    for word in title.split():
        if lines and _width(lines[-1]) + 1 + _width(word) <= most:
            lines[-1] += f" {word}"
            continue
        while _width(word) > most and most > 22:
            lines.append(word[: int(most) - 1] + "-")
            word = word[int(most) - 1 :]
        lines.append(word)
    return lines or [""]


def _width(text: str) -> float:
    return sum(_letter(letter) for letter in text)


def _letter(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.7
    if letter in " .,:;'!iIl|jtfr":
        return 0.6
    return 1.3 if letter in "MWmw@" else 1


def _is_right_to_left(text: str) -> bool:
    strong = (unicodedata.bidirectional(letter) for letter in text)
    return next((way for way in strong if way in {"L", *_RIGHT_TO_LEFT}), "L") in _RIGHT_TO_LEFT
