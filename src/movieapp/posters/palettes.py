"""The colours of a poster: a few families for each genre. Ink on ground is easy to read in all."""

from __future__ import annotations

from random import Random
from typing import NamedTuple


class Palette(NamedTuple):
    """Ground, the ink of the lettering, and three colours for the drawing."""

    ground: str
    ink: str
    a: str
    b: str
    c: str


_FAMILIES = {
    "night": ("0f1b2d f4ecd8 e8a33d 274a6b c8553d", "11151c f2f0e6 d64933 2b3a42 92dce5"),
    "paper": ("f1e4c8 2a2118 c8452f 2f5d62 e0a458", "e9dcc3 1e2b2f b5382e d98e32 58776b"),
    "blood": ("120b0d f3e3d3 b3121d 4a0d14 e0793a", "1a1a1d ecdfcc 950740 3b1521 c3073f"),
    "space": ("0b1026 e6f1ff 4cc9f0 3a0ca3 f72585", "071a1f e0fbfc 2ec4b6 0d3b4a ff9f1c"),
    "dust": ("e8b04b 2b160c 9c3d1a f3d9a4 5c2a14", "d9773b 21110a 8a2c12 f6cf8b 3f1d12"),
    "rose": ("f6dcd2 43141f d1495b 8c2f4b edae49", "3a1730 fbe6e0 e56b6f 6d2e5b eaac8b"),
    "sun": ("ffd23f 1c1f33 ee4266 0ead69 3bceac", "f9c80e 2a1a3e ea3546 43bccd f86624"),
    "forest": ("10291f f0ead2 a7c957 2d5a43 f2b84b", "e4ead0 12291f 386641 a7c957 bc4749"),
    "steel": ("d9dee2 14202b d7263d 3f5566 8a9ba8", "1d2731 eef2f3 f46036 41596b a9bcc6"),
    "dream": ("2b1b4d f7eefe b388eb 57358a ffd166", "e9defa 26143f 7b4fc9 c59be8 f0803c"),
    "silver": ("e6e3dc 161616 5b5b5b 9d9a93 b23a2e", "1b1b1b efece4 8e8b84 4a4844 d8d3c4"),
}
_OF_GENRE = {
    "Action": "steel sun blood",
    "Adventure": "forest dust sun",
    "Animation": "sun dream forest",
    "Biography": "paper night steel",
    "Comedy": "sun rose paper",
    "Crime": "night steel paper",
    "Documentary": "steel paper forest",
    "Drama": "paper night rose",
    "Family": "sun forest dream",
    "Fantasy": "dream forest night",
    "History": "paper dust night",
    "Horror": "blood blood night",
    "Music": "dream rose night",
    "Musical": "rose sun dream",
    "Mystery": "night dream steel",
    "Romance": "rose rose paper",
    "Sci-Fi": "space space dream",
    "Sport": "forest steel sun",
    "Thriller": "steel blood night",
    "War": "steel dust blood",
    "Western": "dust dust paper",
}
_FIRST_COLOUR_YEAR = 1955


def palette(genre: str, year: int | None, chance: Random) -> Palette:
    """Choose colours; films from before colour film are often silver."""
    family = chance.choice(_OF_GENRE.get(genre, "paper night steel").split())
    if year and year < _FIRST_COLOUR_YEAR and chance.random() < 0.6:
        family = "silver"
    return Palette(*(f"#{colour}" for colour in chance.choice(_FAMILIES[family]).split()))
