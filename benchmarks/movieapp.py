"""How quick the movie app is: `python -m benchmarks.movieapp [--movies 100000]`.

It starts a stack of its own in a temporary folder and the app in front of it. A search through the
app is compared with the same search sent to Redis by redis-py in the same run, one after the other;
the load is an open loop, as 50 browsers that search as they type would make it.
"""

from __future__ import annotations

import argparse
import gzip
import random
import time
from collections.abc import Callable
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np

import lab
from benchmarks.ownstack import own_stack
from lab.tools.movieapp import surroundings
from movieapp.app import Running
from movieapp.search import Finder, wish_of
from movieapp.writing.writers import Mode
from tests.ending import end_in_order

BROWSERS, KEYS_A_SECOND, SECONDS = 50, 2, 5
SEARCHES = 300


def main() -> None:
    """Measure, and print ratios with the numbers that they are made of."""
    end_in_order()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--movies", type=int, default=0, help="generated movies beside the real ones"
    )
    wanted = parser.parse_args().movies
    with own_stack() as stack:
        lab.prepare("movies")
        _generate(stack, wanted)
        app = Running(surroundings(stack), Mode.MONGO)
        lab.wait_until(lambda: app.studio.writer, "the app can write", timeout=120)
        try:
            _measure(app, len(lab.load_movies()) + wanted)
        finally:
            app.stop()


def _measure(app: Running, movies: int) -> None:
    finder: Finder = app.studio.finder
    lab.wait_until(lambda: finder.count() >= movies, "the index is there", timeout=900)
    print(f"{finder.count()} movies")
    page, size = _p95(lambda: _get(app.url), 20), len(_get(app.url))
    print(f"first page: p95 {page:.0f} ms, {size / 1000:.0f} kB as sent")
    typed = [word[: 2 + number % 6] for number, word in enumerate(_words(SEARCHES))]
    asked = iter(typed * 2)
    direct = _p95(lambda: finder.find(wish_of({"q": next(asked)})), SEARCHES)
    asked = iter(typed * 2)
    through = _p95(lambda: _get(f"{app.url}movies?{urlencode({'q': next(asked)})}"), SEARCHES)
    print(f"search: p95 {through:.1f} ms through the app, {direct:.1f} ms by redis-py alone")
    print(f"        the app takes {through / direct:.1f} times what Redis and its client take")
    rate = BROWSERS * KEYS_A_SECOND
    load = lab.load(
        lambda number: _get(f"{app.url}movies?{urlencode({'q': typed[number % SEARCHES]})}"),
        rate,
        SECONDS,
    )
    print(f"{BROWSERS} browsers, {rate} searches a second: {load}")


def _get(url: str) -> bytes:
    """Fetch a page as a browser does: compressed."""
    with urlopen(Request(url, headers={"accept-encoding": "gzip"}), timeout=60) as answer:
        body: bytes = answer.read()
    if answer.headers.get("content-encoding") == "gzip":
        gzip.decompress(body)
    return body


def _p95(call: Callable[[], object], times: int) -> float:
    """Return the 95th percentile of so many calls, in milliseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return float(np.percentile(taken, 95))


def _words(count: int) -> list[str]:
    chance = random.Random(1)
    words = [w for movie in lab.load_movies() for w in movie["title"].split() if w.isalnum()]
    return chance.choices([word for word in words if len(word) > 1], k=count)


def _generate(stack: lab.Stack, count: int) -> None:
    """Write so many movies, made of the words of the real ones."""
    real, chance = lab.load_movies(), random.Random(2)
    for first in range(0, count, 1000):
        pipeline = stack.redis_direct.pipeline(transaction=False)
        for number in range(first, min(first + 1000, count)):
            one, other = chance.choice(real), chance.choice(real)
            movie_id = str(1_000_000 + number)
            made = {**one, "movieId": movie_id, "title": f"{one['title']} {other['title']}"}
            pipeline.json().set(f"MovieEntity:{movie_id}", "$", made | {"plot": other["plot"]})
        pipeline.execute()


if __name__ == "__main__":
    main()
