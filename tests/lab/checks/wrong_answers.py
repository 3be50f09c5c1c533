"""Answers that are wrong in any state of the stack: of each kind, and near misses of each exercise."""

from __future__ import annotations

from typing import Any

from lab.stack.model import Stack
from tests.lab.checks import test_gears_exercises as gears
from tests.lab.checks import test_made as made
from tests.lab.checks.notebooks import test_nb00_to_nb03 as first
from tests.lab.checks.notebooks import test_nb07 as streams
from tests.lab.checks.notebooks import test_nb08 as through
from tests.lab.checks.notebooks import test_nb14 as own


def _nothing(*given: Any) -> None:
    return None


def _echo(*given: Any) -> Any:
    return given


def _raises(*given: Any) -> Any:
    raise ValueError("no")


OF_EACH_KIND: tuple[Any, ...] = (7, "", [], {}, _nothing, _echo, _raises)


def near_misses(stack: Stack) -> dict[str, list[tuple[Any, ...]]]:
    """Wrong answers of each exercise that looks at the stack, each as the values that it asks for."""

    def on_stack(*functions: Any) -> list[tuple[Any, ...]]:
        return [(lambda *given, one=one: one(stack, *given),) for one in functions]

    def scripts(known: dict[str, tuple[Any, str]]) -> list[tuple[Any, ...]]:
        return [(script,) for script, _ in known.values()]

    by_id: dict[str, list[tuple[Any, ...]]] = {
        "02-1": [("x", "x"), ("x", "y")],
        "02-2": [(first.asks_nobody,), (lambda *_: ["mongo"],), (lambda *_: ["redis", "gears"],)],
        "02b-1": [(lambda *_: True,), (lambda *_: False,)],
        "03-1": [(["No Such Film"],), (["Alien"],), ([7],)],
        "03-2": [
            ("@year:[1980 1999] @imdbRating:[8 +inf]",),
            ("@genres:{Cartoon}",),
            ("*",),
        ],
        "03-3": on_stack(
            lambda stack, typed: [],
            lambda stack, typed: ["Alien"],
            first.titles,
            lambda stack, typed: first.in_words(stack, first.without(typed, ":'-|")),
        ),
        "04-1": scripts(gears.WRONG_SCRIPTS),
        "04-2": scripts(gears.WRONG_CENSUSES),
        "05-1": scripts(gears.WRONG_CAPTURES),
        "05-2": [(script,) for script, _ in made.BOARDS]
        + [('GB().foreach(lambda r: 1).register("other:*", mode="sync")',)],
        "07-1": on_stack(streams.newest, streams.milliseconds, streams.no_empty_stream),
        "07-3": on_stack(made.by_group, made.in_milliseconds, made.by_first_group),
        "08-2": [
            (one,)
            for one in (
                through.only_writing,
                through.only_told,
                through.taken_back_once,
                through.taken_back_as_null,
                through.never_written,
            )
        ],
        "14-1": [(own.naive["change"],), (own.queues_first,), (own.queues_the_command,)],
        "14-2": [
            (own.naive["read"], own.naive["acknowledge"]),
            (own.reads_new_only, own.RIGHT["acknowledge"]),
            (own.RIGHT["read"], own.only_deletes),
        ],
        "14-4": [(own.writer(),), (own.whole,), (own.writer(keep=own.newest, journal=False),)],
    }
    for id, answer, _ in made.ANSWERS:
        by_id.setdefault(id, []).append((answer,)) if id[:2] != "07" else None
    return by_id
