"""Motifs that look at somebody: faces, eyes and figures."""

from __future__ import annotations

import math
from random import Random

from movieapp.posters.palettes import Palette
from movieapp.posters.shapes import box, circle, line, path, polygon, ring


def animation(p: Palette, chance: Random) -> list[str]:
    """A round face among blobs."""
    blobs = [
        circle(
            chance.uniform(20, 180), chance.uniform(30, 170), chance.uniform(18, 52), colour, 0.9
        )
        for colour in (p.a, p.b, p.c, p.a, p.c)
    ]
    x, y = chance.uniform(75, 125), chance.uniform(80, 120)
    face = [
        circle(x, y, 50, p.ink),
        circle(x - 17, y - 8, 13, p.ground),
        circle(x + 17, y - 8, 13, p.ground),
    ]
    look = chance.uniform(-5, 5)
    eyes = [circle(x - 17 + look, y - 7, 6, p.ink), circle(x + 17 + look, y - 7, 6, p.ink)]
    return [*blobs, *face, *eyes, line(f"M{x - 18:.0f} {y + 20:.0f}q18 16 36 0", p.ground, 4)]


def biography(p: Palette, chance: Random) -> list[str]:
    """A head with a halo, half in light."""
    x = chance.uniform(85, 115)
    halo = [ring(x, 88, 40 + 13 * n, p.a, 3, 0.8 - 0.12 * n) for n in range(5)]
    head = [circle(x, 84, 36, p.ink), path(f"M{x - 70:.0f} 200q0-66 70-66t70 66z", p.ink)]
    return [
        *halo,
        *head,
        path(f"M{x:.0f} 48a36 36 0 0 1 0 72z", p.b),
        path(f"M{x:.0f} 134q70 0 70 66h-70z", p.b),
    ]


def comedy(p: Palette, chance: Random) -> list[str]:
    """A smile among dots."""
    dots = []
    for row in range(6):
        for column in range(6):
            size = 4 + 10 * abs(math.sin(row * 0.9 + column * 0.7 + chance.random() / 3))
            x, y = 18 + 34 * column + 14 * (row % 2) - 6, 18 + 34 * row
            dots.append(circle(x, y, size, (p.a, p.b, p.c)[(row + column) % 3]))
    smile = line("M45 105q55 80 110 0", p.ink, 11)
    return [
        *dots,
        circle(100, 100, 68, p.ground),
        smile,
        circle(74, 80, 8, p.ink),
        circle(126, 80, 8, p.ink),
    ]


def crime(p: Palette, chance: Random) -> list[str]:
    """Hat and coat in the light of a lamp, behind blinds."""
    lamp = polygon([(100, 0), (20 + chance.uniform(-20, 20), 200), (190, 200)], p.a, 0.9)
    blinds = [box(0, y, 200, 8, p.ground, 0.9) for y in range(14, 200, 18)]
    x = chance.uniform(80, 120)
    hat = path(f"M{x - 42:.0f} 96h84q-4-8-20-10l-6-30q-16-10-32 0l-6 30q-16 2-20 10z", p.ink)
    coat = path(f"M{x - 58:.0f} 200q4-62 40-70l18 20 18-20q36 8 40 70z", p.ink)
    return [lamp, *blinds, hat, circle(x, 104, 21, p.c), coat]


def horror(p: Palette, chance: Random) -> list[str]:
    """An eye between teeth."""

    def teeth(y: float, way: int) -> str:
        points: list[tuple[float, float]] = [(0, y)]
        for n in range(10):
            points += [(20 * n + 10, y + way * chance.uniform(28, 58)), (20 * n + 20, y)]
        return polygon([*points, (200, y - way * 60), (0, y - way * 60)], p.ink)

    x = chance.uniform(85, 115)
    eye = [path(f"M{x - 66:.0f} 100q66-70 132 0q-66 70-132 0z", p.a), circle(x, 100, 27, p.ground)]
    pupil = path(f"M{x:.0f} 76q10 24 0 48q-10-24 0-48z", p.c)
    return [circle(x, 100, 92, p.b, 0.7), *eye, pupil, teeth(0, 1), teeth(200, -1)]


def thriller(p: Palette, chance: Random) -> list[str]:
    """A man who falls into a whirl."""
    x, y = chance.uniform(80, 120), chance.uniform(85, 115)
    turns = []
    for n in range(10):
        place = f'cx="{x + 3 * math.cos(n):.1f}" cy="{y + 3 * math.sin(n):.1f}" r="{8 + 11 * n}"'
        look = f'stroke="{(p.a, p.ink)[n % 2]}" stroke-width="{5 - n * 0.25:.1f}"'
        gaps = f'stroke-dasharray="{40 + 9 * n} {14 + 3 * n}"'
        turn = f'transform="rotate({n * chance.randint(31, 47)} {x:.0f} {y:.0f})"'
        turns.append(f'<circle {place} fill="none" {look} {gaps} {turn}/>')
    man = [
        circle(x, y - 16, 8, p.c),
        path(f"M{x - 10:.0f} {y - 6:.0f}h20l4 30 12 16-8 5-14-18-10 24-9-4 7-28z", p.c),
    ]
    return [*turns, circle(x, y + 4, 34, p.ground), *man]
