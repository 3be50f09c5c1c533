"""Motifs of things and of plain forms."""

from __future__ import annotations

import math
from random import Random

from movieapp.posters.palettes import Palette
from movieapp.posters.shapes import around, box, circle, line, path, polygon, ring, star


def action(p: Palette, chance: Random) -> list[str]:
    """A burst, with lines of speed behind it."""
    x, y = chance.uniform(60, 140), chance.uniform(80, 120)
    burst = polygon(star(x, y, 105, chance.randint(11, 17), 0.45, chance.random()), p.a)
    core = polygon(star(x, y, 62, 12, 0.5, chance.random()), p.c)
    speed = [box(0, 30 + 22 * n, chance.uniform(30, 190), 3, p.ink, 0.3) for n in range(8)]
    return [*speed, burst, core, circle(x, y, 17, p.ground)]


def documentary(p: Palette, chance: Random) -> list[str]:
    """The blades of a shutter."""
    turn = chance.random()
    blades = []
    outer, inner = around(100, 100, 84, 7, turn), around(100, 100, 34, 7, turn + 0.5)
    for n in range(7):
        blades.append(polygon([outer[n], outer[(n + 1) % 7], inner[n]], p.a if n % 2 else p.b, 0.9))
    return [
        circle(100, 100, 90, p.ink),
        *blades,
        circle(100, 100, 32, p.ground),
        circle(108, 92, 8, p.c),
    ]


def drama(p: Palette, chance: Random) -> list[str]:
    """Two discs that a wave cuts off."""
    x, y = chance.uniform(70, 95), chance.uniform(75, 100)
    big, small = chance.uniform(58, 74), chance.uniform(34, 50)
    cut = chance.choice((0, 1))
    shapes = [circle(x, y, big, p.a), circle(200 - x, 200 - y, small + 14, p.b, 0.9)]
    half = f"M0 {150 - 30 * cut}q100-{chance.randint(20, 70)} 200 {20 * cut}V200H0z"
    return [*shapes, path(half, p.ink), circle(x + big * 0.55, y + big * 0.2, small * 0.6, p.c)]


def music(p: Palette, chance: Random) -> list[str]:
    """A record under its needle."""
    x, y = chance.uniform(85, 115), 100
    grooves = [ring(x, y, r, p.ground, 1.5, 0.5) for r in range(38, 84, 8)]
    label = [circle(x, y, 28, p.a), circle(x, y, 20, p.c), circle(x, y, 4, p.ground)]
    light = path(
        f"M{x:.0f} {y}L{x + 78:.0f} {y - 38}A87 87 0 0 1 {x + 86:.0f} {y - 8}z", p.ink, 0.3
    )
    return [
        circle(x, y, 88, p.b),
        *grooves,
        light,
        *label,
        line("M192 12L166 78L136 112", p.ink, 5),
    ]


def musical(p: Palette, chance: Random) -> list[str]:
    """A curtain, a spotlight, and notes in it."""
    folds = []
    for n in range(8):
        lean = chance.uniform(-6, 6)
        folds.append(path(f"M{25 * n} 0h25l{lean:.0f} 200h-25z", (p.a, p.b)[n % 2]))
    light = polygon([(100, 200), (40, 0), (160, 0)], p.c, 0.5)
    notes = [circle(chance.uniform(70, 130), 60 + 34 * n, 8, p.ink) for n in range(3)]
    return [*folds, light, *notes, path("M0 200q100-44 200 0z", p.ink)]


def romance(p: Palette, chance: Random) -> list[str]:
    """Two discs that overlap, over water."""
    gap, y = chance.uniform(24, 38), chance.uniform(88, 108)
    two = [circle(100 - gap, y, 60, p.a, 0.9), circle(100 + gap, y, 60, p.c, 0.8)]
    r = 60.0
    high = math.sqrt(r * r - gap * gap)
    lens = f"M100 {y - high:.1f}A60 60 0 0 1 100 {y + high:.1f}A60 60 0 0 1 100 {y - high:.1f}z"
    return [
        *two,
        path(lens, p.b),
        *[line(f"M0 {y + 66 + 12 * n:.0f}q50-{8 + n} 100 0t100 0", p.b, 2, 0.7) for n in range(4)],
    ]


def scifi(p: Palette, chance: Random) -> list[str]:
    """A planet with its ring, and stars."""
    stars = [
        circle(chance.uniform(0, 200), chance.uniform(0, 200), chance.choice((0.8, 1.2, 2)), p.ink)
        for _ in range(34)
    ]
    x, y, r = chance.uniform(80, 120), chance.uniform(85, 110), chance.uniform(44, 58)
    tilt = chance.randint(-28, 28)
    planet = [
        circle(x, y, r, p.a),
        path(
            f"M{x - r:.1f} {y}A{r:.1f} {r:.1f} 0 0 0 {x + r:.1f} {y}Q{x:.1f} {y + r * 0.5:.1f} {x - r:.1f} {y}z",
            p.b,
        ),
    ]
    turned = f'<g transform="rotate({tilt} {x:.0f} {y:.0f})">'
    size = f'cx="{x:.0f}" cy="{y:.0f}" rx="{r * 1.7:.0f}" ry="{r * 0.42:.0f}"'
    orbit = f'<ellipse {size} fill="none" stroke="{p.c}" stroke-width="5"/>'
    front = path(f"M{x - r:.1f} {y}A{r:.1f} {r:.1f} 0 0 1 {x + r:.1f} {y}z", p.a)
    return [
        *stars,
        *planet,
        f"{turned}{orbit}</g>{turned}{front}</g>",
        circle(200 - x + 50, 28, 7, p.c),
    ]
