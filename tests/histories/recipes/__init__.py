"""The recipes that are judged: how each is started, written to, and read. The judge knows none of them."""

from __future__ import annotations

from collections.abc import Callable

from tests.histories.recipes import gears
from tests.histories.recipes.interface import Recipe
from tests.histories.recipes.streams import Streams

RECIPES: dict[str, Callable[[], Recipe]] = {
    "streams": Streams,
    "gears": gears.hardened,
    "rgsync": gears.shipped,
}
"""What can be judged, by the name that the command line takes."""
