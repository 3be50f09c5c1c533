"""A poster: ground, motif, lettering, and a second genre's colour."""

from __future__ import annotations

import hashlib
from html import escape
from random import Random

from movieapp.facts import Facts
from movieapp.posters.lettering import FACES, Face, block, is_upright, upright
from movieapp.posters.motifs import motif
from movieapp.posters.palettes import Palette, palette
from movieapp.posters.shapes import box

WIDTH, HEIGHT = 200, 300
_OLD = 1960  # posters of older films have serifs


def poster(facts: Facts) -> str:
    """Return the poster as an SVG element. It repeats what the card says, so it is hidden from readers."""
    chance = _chance(facts)
    genre = _leading(facts.genres, chance)
    colours = palette(genre, facts.year, chance)
    face = FACES[
        chance.choice((0, 3)) if (facts.year or _OLD) < _OLD else chance.randrange(len(FACES))
    ]
    drawing = "".join(motif(genre)(colours, chance))
    if is_upright(facts.title):
        inside = _beside(facts, colours, drawing)
    elif chance.random() < 0.62:
        inside = _below(facts, colours, face, drawing, centred=chance.random() < 0.5)
    else:
        inside = _above(facts, colours, face, drawing, centred=chance.random() < 0.4)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="xMidYMid slice"'
    return (
        f'<svg class="poster" {size} aria-hidden="true" focusable="false">'
        f"{box(0, 0, WIDTH, HEIGHT, colours.ground)}{inside}</svg>"
    )


def _leading(genres: tuple[str, ...], chance: Random) -> str:
    """Choose the genre that is drawn: most films are dramas, so another one says more."""
    others = [genre for genre in genres if genre != "Drama"]
    return chance.choice(others or list(genres) or [""])


def _below(facts: Facts, p: Palette, face: Face, drawing: str, *, centred: bool) -> str:
    """Put the lettering under the drawing."""
    title = block(facts.title, face, p.ink, 200, 78, centred)
    return f"{_clipped(drawing, 0)}{box(0, 194, 200, 106, p.ground)}{title}{_small(facts, p, 291, centred)}"


def _above(facts: Facts, p: Palette, face: Face, drawing: str, *, centred: bool) -> str:
    """Put the lettering over the drawing."""
    title = block(facts.title, face, p.ink, 20, 74, centred)
    return f"{_clipped(drawing, 100)}{title}{_small(facts, p, 15, centred)}"


def _beside(facts: Facts, p: Palette, drawing: str) -> str:
    """Put a title that stands upright on a band of its own."""
    title = upright(facts.title, 172, 16, 252, p.ground)
    band = box(144, 0, 56, HEIGHT, p.ink)
    return (
        f'<g transform="translate(-28 52)">{drawing}</g>{band}{title}{_small(facts, p, 291, False)}'
    )


def _clipped(drawing: str, top: float) -> str:
    """Place a drawing in its 200 by 200, in an SVG of its own so that nothing sticks out."""
    return f'<svg y="{top:g}" width="200" height="200" viewBox="0 0 200 200">{drawing}</svg>'


def _small(facts: Facts, p: Palette, y: float, centred: bool) -> str:
    told = " · ".join(filter(None, (*facts.directors[:1], str(facts.year or ""))))
    if len(told) > 38:
        told = str(facts.year or "")
    anchor, x = ("middle", 100) if centred else ("start", 12)
    look = f'fill="{p.ink}" font-size="8.5" letter-spacing=".8" font-family="sans-serif"'
    return f'<text x="{x}" y="{y:g}" {look} text-anchor="{anchor}">{escape(told)}</text>'


def _chance(facts: Facts) -> Random:
    """Return a source of chance that is the same wherever and whenever this movie is drawn."""
    words = f"{facts.movie_id}\0{facts.title}\0{facts.year}\0{'/'.join(facts.genres)}"
    return Random(int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big"))
