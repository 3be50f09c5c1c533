"""Notebook 12: scale out."""

from __future__ import annotations

import re
from types import FunctionType
from typing import Any, ClassVar

from redis.crc import key_slot

from lab.checks.exercise import Answer, Exercise, Wrong, ask

_TAG = re.compile(r"\{([^{}]+)\}")


def _check_key(answer: Answer) -> str:
    make = answer.function("key_for")
    made = {str(n): _key(make, str(n), 8) for n in range(200)}
    for identity, key in made.items():
        _judge_key(key, identity)
    if len(set(made.values())) < len(made):
        raise Wrong("Two movies got one key: the identity has to be in it.")
    tags = {_TAG.findall(key)[0] for key in made.values()}
    if not tags <= {f"p{n:02d}" for n in range(8)}:
        strange = sorted(tags - {f"p{n:02d}" for n in range(8)})[0]
        raise Wrong(f"With 8 partitions the tags are p00 to p07, and one of yours is {strange}.")
    if len(tags) < 8:
        raise Wrong(
            f"200 movies use {len(tags)} of 8 partitions: the others' workers have nothing to do."
        )
    if any(_key(make, identity, 8) != key for identity, key in made.items()):
        raise Wrong("Asked twice, one movie got two keys. What does not change from call to call?")
    if any(_key(_elsewhere(make), identity, 8) != key for identity, key in made.items()):
        raise Wrong(
            "In another process the same movies get other keys: Python's `hash` of a text differs there, so "
            "a web server and a worker would not agree. A checksum is the same everywhere."
        )
    if _TAG.findall(_key(make, "1", 1)) != ["p00"]:
        raise Wrong("With one partition its tag is p00, and yours is another: use `count`.")
    return "The key says its partition, so document and stream are always in one slot."


def _elsewhere(make: Any) -> Any:
    """The learner's function as another process would run it, whose `hash` has another salt."""
    if not isinstance(make, FunctionType):
        return make
    names = {**make.__globals__, "hash": lambda text: hash(("another process", text))}
    return FunctionType(make.__code__, names, make.__name__, make.__defaults__, make.__closure__)


def _key(make: Any, identity: str, count: int) -> str:
    given = ask(make, identity, count, case=f"movie {identity} of {count} partitions")
    if given is None:
        raise Wrong(f"For movie {identity} your function returned `{given!r}`, not a key.")
    if not isinstance(given, str):
        raise Wrong(
            f"For movie {identity} you returned a value of type {type(given).__name__}, not a string."
        )
    return given


def _judge_key(key: str, identity: str) -> None:
    tags = _TAG.findall(key)
    if not tags:
        raise Wrong(f"{key!r} has no braces: its slot is that of the whole key, not of a stream.")
    if not key.startswith("Movie:"):
        raise Wrong(f"{key!r} does not begin with `Movie:`: the worker's route would not know it.")
    if key_slot(key.encode()) != key_slot(f"wb:{{{tags[0]}}}".encode()):
        raise Wrong(f"{key!r} is not in the slot of `wb:{{{tags[0]}}}`: the first braces count.")
    if identity == tags[0]:
        raise Wrong(
            f"{key!r}: its braces hold the movie and not the partition; no stream is there."
        )


KEY = Exercise(
    id="12-1",
    asks=("key_for",),
    stub="""\
def key_for(identity, count):  # as Movie:{p07}:1234
    return ...  # zlib.crc32 makes a number of bytes
""",
    solution="""\
import zlib


def key_for(identity, count):
    return f"Movie:{{p{zlib.crc32(identity.encode()) % count:02d}}}:{identity}"
""",
    hints=(
        "Only what is in braces decides the slot. What do the streams have in theirs?",
        "The same movie has to get the same number each time, in each process: a checksum, modulo.",
        'f"Movie:{{p…:02d}}}:{identity}" needs doubled braces; zlib.crc32 takes bytes.',
    ),
    check=_check_key,
)

MASTER, WORKER, SHARD, NONE = "a master", "a worker", "a database shard", "none of these"
_CASES = {
    "writers wait, and each Redis process keeps a core busy": (
        MASTER,
        "The queue is not reached yet: what answers the writers is too slow.",
    ),
    "the queue grows, each worker keeps a core busy, the database idles": (
        WORKER,
        "Redis takes the writes, the database could take more. Who stands between them?",
    ),
    "the queue grows, the workers wait for the database, whose disk is busy": (
        SHARD,
        "Another worker would wait at the same disk.",
    ),
    "one movie gets all the writes, its partition's queue grows": (
        NONE,
        "One key has one stream, one master, one worker: order needs that. More of them stay idle.",
    ),
    "64 partitions have 64 workers, and the queue of each grows": (
        NONE,
        "A 65th worker finds no partition to lease. The number of partitions was the ceiling.",
    ),
}


def _check_remedy(answer: Answer) -> str:
    answer.judge_cases("remedy", _CASES)
    return "Add to the part that is busy. Where one key or too few partitions are busy, adding is no help."


_LINES = "".join(f'    "{case}": ...,\n' for case in _CASES)
_ANSWERS = "".join(f'    "{case}": "{tool}",\n' for case, (tool, _) in _CASES.items())

REMEDY = Exercise(
    id="12-2",
    asks=("remedy",),
    stub=f"""\
remedy = {{  # "a master", "a worker", "a database shard" or "none of these"
{_LINES}}}
""",
    solution=f"remedy = {{\n{_ANSWERS}}}\n",
    hints=(
        "In each case ask first: which process has no time left?",
        "A partition has one master and one worker at a time.",
        "Two of the five are `none of these`: one key, and too few partitions.",
    ),
    check=_check_remedy,
)


class _Masters:
    """Three masters that answer from memory, best rated first, and note how much they were asked for."""

    FOUND: ClassVar[dict[str, list[tuple[float, str]]]] = {
        "a": [(9.1, "Amarcord"), (8.9, "Brazil"), (8.7, "Charade"), (8.1, "Delicatessen")],
        "b": [(9.0, "Europa"), (5.0, "Fandango")],
        "c": [],
    }

    def __init__(self) -> None:
        self.most = 0

    def ask(self, master: str, first: int, count: int) -> list[tuple[float, str]]:
        self.most = max(self.most, first + count)
        return self.FOUND[master][first : first + count]

    @classmethod
    def best(cls) -> list[tuple[float, str]]:
        return sorted((movie for found in cls.FOUND.values() for movie in found), reverse=True)


# First movie of the page, movies a page, and the misconception.
_PAGES = (
    (0, 4, "They are not spread evenly: how many of the best four can be on one master?"),
    (0, 10, "There are fewer than ten: then all of them, the best first."),
    (
        2,
        2,
        "Nobody knows how many of the first page's movies came from which master. So a master may not "
        "leave out any of its own: ask each from 0 on, and leave out when they are merged.",
    ),
    (6, 2, "After the last movie comes an empty page."),
)


def _check_page(answer: Answer) -> str:
    page = answer.function("page")
    for first, count, why in _PAGES:
        masters, case = _Masters(), f"{count} movies from number {first} on"
        given = ask(page, masters.ask, list(masters.FOUND), first, count, case=case)
        if not isinstance(given, (list, tuple)):
            raise Wrong(f"For {case} your function returned `{given!r}`, not a list of movies.")
        wanted = masters.best()[first : first + count]
        if list(given) != wanted:
            raise Wrong(f"For {case} you return {list(given)}, not {wanted}. {why}")
        if masters.most > first + count:
            raise Wrong(
                f"For {case} you asked one master for {masters.most} movies. With a million of them "
                f"that is slow: which can be on this page at all?"
            )
    return "Right, and now you see the price: page 100 asks each master for a hundred pages."


PAGE = Exercise(
    id="12-3",
    asks=("page",),
    stub="""\
def page(ask, masters, first, count): ...  # yours: the `count` best of all masters, from `first` on
""",
    solution="""\
def page(ask, masters, first, count):
    found = [movie for master in masters for movie in ask(master, 0, first + count)]
    return sorted(found, reverse=True)[first : first + count]
""",
    hints=(
        "Take the first page first. How many of its movies can come from one master?",
        "All of them: so ask each for a whole page, merge, sort, and cut.",
        "For a later page ask each for all up to its end, `ask(master, 0, first + count)`, and cut at "
        "`[first : first + count]`.",
    ),
    check=_check_page,
)

EXERCISES = (KEY, REMEDY, PAGE)
