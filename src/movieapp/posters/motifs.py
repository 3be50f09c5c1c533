"""One motif for each genre, drawn on 200 by 200. Each gets its colours and its own chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from movieapp.posters.palettes import Palette
from movieapp.posters.shapes import around, box, circle, line, path, polygon, ring, star

Motif = Callable[[Palette, Random], list[str]]


def _action(p: Palette, chance: Random) -> list[str]:
    x, y = chance.uniform(60, 140), chance.uniform(80, 120)
    burst = polygon(star(x, y, 105, chance.randint(11, 17), 0.45, chance.random()), p.a)
    core = polygon(star(x, y, 62, 12, 0.5, chance.random()), p.c)
    speed = [box(0, 30 + 22 * n, chance.uniform(30, 190), 3, p.ink, 0.3) for n in range(8)]
    return [*speed, burst, core, circle(x, y, 17, p.ground)]


def _adventure(p: Palette, chance: Random) -> list[str]:
    sun = circle(chance.uniform(50, 150), chance.uniform(50, 85), 34, p.c)
    ranges = []
    for depth, (colour, top) in enumerate(((p.b, 80), (p.a, 115), (p.ink, 155))):
        steps = 4 + depth
        points = [(200 * n / steps, top + chance.uniform(-28, 28)) for n in range(steps + 1)]
        ranges.append(polygon([(0, 200), *points, (200, 200)], colour, 0.9 if depth < 2 else 1))
    return [sun, *ranges]


def _animation(p: Palette, chance: Random) -> list[str]:
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


def _biography(p: Palette, chance: Random) -> list[str]:
    x = chance.uniform(85, 115)
    halo = [ring(x, 88, 40 + 13 * n, p.a, 3, 0.8 - 0.12 * n) for n in range(5)]
    head = [circle(x, 84, 36, p.ink), path(f"M{x - 70:.0f} 200q0-66 70-66t70 66z", p.ink)]
    return [
        *halo,
        *head,
        path(f"M{x:.0f} 48a36 36 0 0 1 0 72z", p.b),
        path(f"M{x:.0f} 134q70 0 70 66h-70z", p.b),
    ]


def _comedy(p: Palette, chance: Random) -> list[str]:
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


def _crime(p: Palette, chance: Random) -> list[str]:
    lamp = polygon([(100, 0), (20 + chance.uniform(-20, 20), 200), (190, 200)], p.a, 0.9)
    blinds = [box(0, y, 200, 8, p.ground, 0.9) for y in range(14, 200, 18)]
    x = chance.uniform(80, 120)
    hat = path(f"M{x - 42:.0f} 96h84q-4-8-20-10l-6-30q-16-10-32 0l-6 30q-16 2-20 10z", p.ink)
    coat = path(f"M{x - 58:.0f} 200q4-62 40-70l18 20 18-20q36 8 40 70z", p.ink)
    return [lamp, *blinds, hat, circle(x, 104, 21, p.c), coat]


def _documentary(p: Palette, chance: Random) -> list[str]:
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


def _drama(p: Palette, chance: Random) -> list[str]:
    x, y = chance.uniform(70, 95), chance.uniform(75, 100)
    big, small = chance.uniform(58, 74), chance.uniform(34, 50)
    cut = chance.choice((0, 1))
    shapes = [circle(x, y, big, p.a), circle(200 - x, 200 - y, small + 14, p.b, 0.9)]
    half = f"M0 {150 - 30 * cut}q100-{chance.randint(20, 70)} 200 {20 * cut}V200H0z"
    return [*shapes, path(half, p.ink), circle(x + big * 0.55, y + big * 0.2, small * 0.6, p.c)]


def _family(p: Palette, chance: Random) -> list[str]:
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


def _fantasy(p: Palette, chance: Random) -> list[str]:
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


def _history(p: Palette, chance: Random) -> list[str]:
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


def _horror(p: Palette, chance: Random) -> list[str]:
    def teeth(y: float, way: int) -> str:
        points: list[tuple[float, float]] = [(0, y)]
        for n in range(10):
            points += [(20 * n + 10, y + way * chance.uniform(28, 58)), (20 * n + 20, y)]
        return polygon([*points, (200, y - way * 60), (0, y - way * 60)], p.ink)

    x = chance.uniform(85, 115)
    eye = [path(f"M{x - 66:.0f} 100q66-70 132 0q-66 70-132 0z", p.a), circle(x, 100, 27, p.ground)]
    pupil = path(f"M{x:.0f} 76q10 24 0 48q-10-24 0-48z", p.c)
    return [circle(x, 100, 92, p.b, 0.7), *eye, pupil, teeth(0, 1), teeth(200, -1)]


def _music(p: Palette, chance: Random) -> list[str]:
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


def _musical(p: Palette, chance: Random) -> list[str]:
    folds = []
    for n in range(8):
        lean = chance.uniform(-6, 6)
        folds.append(path(f"M{25 * n} 0h25l{lean:.0f} 200h-25z", (p.a, p.b)[n % 2]))
    light = polygon([(100, 200), (40, 0), (160, 0)], p.c, 0.5)
    notes = [circle(chance.uniform(70, 130), 60 + 34 * n, 8, p.ink) for n in range(3)]
    return [*folds, light, *notes, path("M0 200q100-44 200 0z", p.ink)]


def _mystery(p: Palette, chance: Random) -> list[str]:
    steps = [box(10 * n, 20 * n, 200 - 20 * n, 200, (p.b, p.a)[n % 2], 0.9) for n in range(5)]
    x = chance.uniform(92, 108)
    key = [
        circle(x, 96, 24, p.ground),
        polygon([(x - 12, 108), (x + 12, 108), (x + 24, 168), (x - 24, 168)], p.ground),
    ]
    return [*steps, *key, circle(x + 3, 96, 6, p.c)]


def _romance(p: Palette, chance: Random) -> list[str]:
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


def _scifi(p: Palette, chance: Random) -> list[str]:
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


def _sport(p: Palette, chance: Random) -> list[str]:
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


def _thriller(p: Palette, chance: Random) -> list[str]:
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


def _war(p: Palette, chance: Random) -> list[str]:
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


def _western(p: Palette, chance: Random) -> list[str]:
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


MOTIFS: dict[str, Motif] = {
    "Action": _action,
    "Adventure": _adventure,
    "Animation": _animation,
    "Biography": _biography,
    "Comedy": _comedy,
    "Crime": _crime,
    "Documentary": _documentary,
    "Drama": _drama,
    "Family": _family,
    "Fantasy": _fantasy,
    "History": _history,
    "Horror": _horror,
    "Music": _music,
    "Musical": _musical,
    "Mystery": _mystery,
    "Romance": _romance,
    "Sci-Fi": _scifi,
    "Sport": _sport,
    "Thriller": _thriller,
    "War": _war,
    "Western": _western,
}


def motif(genre: str) -> Motif:
    """Return the motif of a genre; that of drama for one that is not known."""
    return MOTIFS.get(genre, _drama)
