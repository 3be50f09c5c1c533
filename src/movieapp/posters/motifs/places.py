"""Motifs that are places: a coast, a town, a battlefield."""

from __future__ import annotations

import math
from random import Random

from movieapp.posters.palettes import Palette
from movieapp.posters.shapes import box, circle, line, path, polygon, star


def adventure(p: Palette, chance: Random) -> list[str]:
    """The sun behind three ranges of mountains."""
    sun = circle(chance.uniform(50, 150), chance.uniform(50, 85), 34, p.c)
    ranges = []
    for depth, (colour, top) in enumerate(((p.b, 80), (p.a, 115), (p.ink, 155))):
        steps = 4 + depth
        points = [(200 * n / steps, top + chance.uniform(-28, 28)) for n in range(steps + 1)]
        ranges.append(polygon([(0, 200), *points, (200, 200)], colour, 0.9 if depth < 2 else 1))
    return [sun, *ranges]


def family(p: Palette, chance: Random) -> list[str]:
    """A row of houses."""
    houses = []
    for n in range(5):
        x, top = 4 + 40 * n, chance.uniform(90, 135)
        wall = (p.a, p.b, p.c)[n % 3]
        houses += [
            box(x, top, 34, 200 - top, wall),
            polygon([(x - 3, top), (x + 17, top - 24), (x + 37, top)], p.ink),
        ]
        houses.append(box(x + 11, top + 16, 12, 14, p.ground))
    return [circle(chance.uniform(50, 150), 50, 26, p.c), *houses]


def fantasy(p: Palette, chance: Random) -> list[str]:
    """Towers under a crescent moon."""
    moon = [circle(130, 72, 52, p.c), circle(130 + chance.uniform(14, 24), 62, 46, p.ground)]
    towers = []
    for n in range(5):
        x, top, wide = 16 + 36 * n, chance.uniform(80, 140), chance.uniform(16, 26)
        towers += [
            box(x, top, wide, 200 - top, p.b),
            polygon([(x - 4, top), (x + wide / 2, top - 40), (x + wide + 4, top)], p.a),
        ]
    stars = [
        polygon(star(chance.uniform(8, 192), chance.uniform(8, 90), 4, 4, 0.3), p.ink)
        for _ in range(9)
    ]
    return [*stars, *moon, *towers, path("M0 200v-22q100-30 200 0v22z", p.ink)]


def history(p: Palette, chance: Random) -> list[str]:
    """A temple, some of its columns broken."""
    columns = []
    for n in range(5):
        x = 20 + 34 * n
        height = 0 if n == 4 else chance.choice((0, 0, 0, 30))
        columns += [
            box(x, 74 + height, 20, 96 - height, p.ink),
            box(x + 5, 74 + height, 3, 96 - height, p.ground, 0.6),
            box(x + 12, 74 + height, 3, 96 - height, p.ground, 0.6),
        ]
    roof = polygon([(8, 62), (100, 16), (192, 62)], p.a)
    return [
        circle(100, 84, 78, p.c, 0.5),
        roof,
        box(8, 62, 184, 10, p.ink),
        *columns,
        box(6, 170, 188, 12, p.a),
        box(0, 184, 200, 16, p.b),
    ]


def mystery(p: Palette, chance: Random) -> list[str]:
    """Stairs, and a keyhole before them."""
    steps = [box(10 * n, 20 * n, 200 - 20 * n, 200, (p.b, p.a)[n % 2], 0.9) for n in range(5)]
    x = chance.uniform(92, 108)
    key = [
        circle(x, 96, 24, p.ground),
        polygon([(x - 12, 108), (x + 12, 108), (x + 24, 168), (x - 24, 168)], p.ground),
    ]
    return [*steps, *key, circle(x + 3, 96, 6, p.c)]


def sport(p: Palette, chance: Random) -> list[str]:
    """A ball on a track."""
    lanes = [
        line(f"M{-30 + 34 * n} 200Q{40 + 22 * n} 90 {96 + 6 * n} 0", p.ink, 3, 0.6)
        for n in range(7)
    ]
    x, y = chance.uniform(70, 130), chance.uniform(80, 120)
    ball = [
        circle(x, y, 40, p.a),
        line(f"M{x - 36:.0f} {y - 12:.0f}q36 26 72 0", p.ground, 3),
        line(f"M{x:.0f} {y - 38:.0f}q-24 38 0 76", p.ground, 3),
    ]
    return [path("M-40 200Q40 80 90 0h50Q120 90 240 200z", p.b), *lanes, *ball]


def war(p: Palette, chance: Random) -> list[str]:
    """A sun with rays behind barbed wire."""
    x = chance.uniform(70, 130)
    rays = []
    for n in range(0, 18, 2):
        one, two = math.pi + math.pi * n / 18, math.pi + math.pi * (n + 1) / 18
        rays.append(
            polygon(
                [
                    (x, 138),
                    (x + 240 * math.cos(one), 138 + 240 * math.sin(one)),
                    (x + 240 * math.cos(two), 138 + 240 * math.sin(two)),
                ],
                p.b,
                0.6,
            )
        )
    wire = line("M0 156q25-14 50 0t50 0 50 0 50 0", p.ground, 2.5)
    posts = [box(22 + 48 * n + chance.uniform(-5, 5), 132, 4, 68, p.ground) for n in range(4)]
    return [*rays, circle(x, 138, 46, p.a), box(0, 138, 200, 62, p.ink), wire, *posts]


def western(p: Palette, chance: Random) -> list[str]:
    """A mesa and a cactus before the sun."""
    sun = circle(chance.uniform(60, 140), 92, 50, p.b)
    mesa = polygon(
        [
            (0, 160),
            (0, 108),
            (44, 104),
            (58, 138),
            (84, 146),
            (96, 86),
            (150, 84),
            (166, 140),
            (200, 146),
            (200, 160),
        ],
        p.a,
    )
    x = chance.uniform(24, 60)
    cactus = line(f"M{x:.0f} 192v-78m0 44h-14v-20m14 34h16v-26", p.ink, 9)
    return [sun, mesa, path("M0 200v-46q100-16 200 4v42z", p.c), cactus]
