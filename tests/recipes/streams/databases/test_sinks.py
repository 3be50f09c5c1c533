"""Both systems of record: the fence, tombstones, and whose fault an error is."""

from __future__ import annotations

import os
import random
import signal

import pytest

from recipes.streams import (
    Sink,
    Stored,
    Unavailable,
    open_sink,
)
from recipes.streams.core.names import version_of
from tests.recipes.servers import children
from tests.recipes.streams.databases.changes import change
from tests.recipes.streams.working import ROUTES


def test_everything_twice_and_shuffled_comes_to_the_same(sink: Sink) -> None:
    history = [
        change(f"Movie:{n % 7}", n, None if n % 5 == 0 else {"n": n, "text": "O'Brien \"ü\" \\"}) for n in range(100)
    ]  # fmt: skip
    last = {c.key: c for c in history}
    again = history * 2
    random.Random(11).shuffle(again)
    for one in again:
        assert sink.write([one]) == []
    stored = {s.key: s for s in sink.scan()}
    assert stored == {key: Stored(key, c.document, c.version) for key, c in last.items()}
    assert sink.greatest_version() == version_of("99-0")


def test_a_late_delete_and_a_late_write_are_no_ops(sink: Sink) -> None:
    sink.write([change("Movie:1", 5, {"n": 5})])
    sink.write([change("Movie:1", 4)])
    assert sink.read("Movie:1") == Stored("Movie:1", {"n": 5}, version_of("5-0"))
    sink.write([change("Movie:1", 6)])
    sink.write([change("Movie:1", 5, {"n": 5})])
    assert sink.read("Movie:1") == Stored("Movie:1", None, version_of("6-0"))


def test_the_bad_are_named_and_the_rest_is_committed(sink: Sink) -> None:
    bad = {
        "Movie:big": {"text": "x" * (17 << 20)},
        "Movie:integer": {"n": 2**64},
        "Movie:id": {"_id": 1},
        "Nobody:1": {"n": 1},
    }
    good = {f"Movie:{n}": {"n": n} for n in range(20)} | {"Person:1": {"name": "O'Brien"}}
    changes = [change(key, 1, document) for key, document in {**good, **bad}.items()]
    rejected = {r.change.key: r.error for r in sink.write(changes)}
    if "Movie:big" not in rejected:  # a JSONB value may have 256 MB
        assert type(sink).__name__ == "PostgresSink"
        rejected["Movie:big"] = ""
    assert rejected.keys() == bad.keys()
    assert "64 bits" in rejected["Movie:integer"]
    assert "no route" in rejected["Nobody:1"]
    assert {s.key for s in sink.scan()} >= good.keys()


def test_a_database_that_says_nothing_is_given_up(
    sink: Sink, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(sink).__module__.rpartition(".")[2]
    server = request.getfixturevalue(f"{kind}_server")
    monkeypatch.setattr(f"recipes.streams.databases.{kind}.ANSWERS_WITHIN", 1.0)
    sink = open_sink(f"{server.url}/test" if kind == "mongo" else server.url, ROUTES)
    sink.open()
    assert sink.write([change("Movie:1", 1, {"n": 1})]) == []
    found = [server.process.pid, *children(server.process.pid)]
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable):
            sink.write([change("Movie:1", 2, {"n": 2})])
    finally:
        for pid in found:
            os.kill(pid, signal.SIGCONT)
    assert sink.write([change("Movie:1", 3, {"n": 3})]) == []
    assert sink.read("Movie:1") == Stored("Movie:1", {"n": 3}, version_of("3-0"))
    sink.close()


def test_scan_is_in_the_order_of_bytes_and_goes_on(sink: Sink) -> None:
    keys = [
        "Movie:a",
        "Movie:B",
        "Movie:é",
        "Movie:z",
        "Movie:10",
        "Movie:9",
        "Person:1",
        "Movie:￿",
        "Movie:😀",
    ]
    sink.write([change(key, 1, {}) for key in keys])
    ordered = sorted(keys, key=str.encode)
    assert [s.key for s in sink.scan()] == ordered
    assert [s.key for s in sink.scan(after=ordered[3])] == ordered[4:]
