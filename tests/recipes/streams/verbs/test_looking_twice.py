"""Reconcile and why while writes go on: what is on its way is no difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recipes.streams import Sink, WriteBehind
from recipes.streams.verbs.looking import why
from recipes.streams.verbs.reconcile import differences
from tests.recipes.streams.working import Around, Start
from tests.recipes.streams.writing import drained

KEY = "Movie:1"


class Overtaken(Around):
    """A sink whose reader is overtaken: right after its first look a write comes."""

    def __init__(self, sink: Sink, write: Callable[[], Any]):
        super().__init__(sink)
        self._write, self._looked = write, False

    def read(self, key: str) -> Any:
        found = self.sink.read(key)
        if not self._looked:
            self._looked = True
            self._write()
        return found


def test_a_write_between_two_looks_is_no_difference(
    wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    wb.set(KEY, {"n": 1})
    start_worker(mongo)
    drained(wb)

    def change() -> None:
        wb.set(KEY, {"n": 3})
        drained(wb)

    stale = iter([*mongo.scan()])
    wb.set(KEY, {"n": 2})
    drained(wb)
    sink = Overtaken(mongo, change)
    sink.scan = lambda after="": stale  # type: ignore[attr-defined]
    assert list(differences(wb, sink, ("Movie:",))) == []  # type: ignore[arg-type]


def test_why_is_not_led_astray_by_a_write_that_comes_while_it_looks(
    wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    wb.set(KEY, {"n": 1})
    start_worker(mongo)
    drained(wb)

    class Quick(Overtaken):
        def read(self, key: str) -> Any:
            if not self._looked:  # it comes, and arrives, after Redis was read and before this
                self._looked = True
                self._write()
            return self.sink.read(key)

    def change() -> None:
        wb.set(KEY, {"n": 2})
        drained(wb)

    assert why(wb, Quick(mongo, change), KEY).verdict == "both stores hold the same"  # type: ignore[arg-type]
