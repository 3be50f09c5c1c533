"""What newer servers can do: it is asked for at start, and an older server comes to the same without it."""

from __future__ import annotations

import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recipes.streams import Metrics, Sink, Worker, WriteBehind
from recipes.streams.client.client import ask_features
from recipes.streams.core.library import NEWER_COMMANDS
from recipes.streams.core.names import GROUP
from tests.recipes.servers import PlainRedis
from tests.recipes.streams.working import QUICK, running
from tests.recipes.streams.writing import drained, letters


@pytest.fixture(params=[True, False], ids=["as it is", "without what is newer"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PlainRedis]:
    server = PlainRedis(tmp_path)
    server.start()
    if not request.param:
        for name in ask_features(server.client(), NEWER_COMMANDS):
            server.options += ["--rename-command", name, ""]
        server.restart(signal.SIGKILL)
    yield server
    server.stop(signal.SIGKILL)


def test_what_is_settled_is_acknowledged_and_gone(server: PlainRedis, mongo: Sink) -> None:
    redis, log = server.client(), io.StringIO()
    wb = WriteBehind(redis, QUICK.partitions)
    wb.set("Movie:1", {"n": 1})
    wb.set("Movie:1", {"n": 2})
    wb.set("Nobody:1", {})  # no route: a dead letter
    wb.delete("Movie:2")
    worker = Worker(server.client(), mongo, QUICK, Metrics(log))
    with running(worker):
        drained(wb)
    there = sorted(ask_features(redis, NEWER_COMMANDS))
    [started] = [e for e in map(json.loads, log.getvalue().splitlines()) if e["event"] == "started"]
    assert started["uses"] == there
    stats: Any = redis.info("commandstats")
    assert ("cmdstat_xackdel" in stats, "cmdstat_xack" in stats) == (bool(there), not there)
    for at in wb.partitions.all():
        assert redis.xpending(at.stream, GROUP)["pending"] == 0
        assert redis.hget(at.state, "bytes") in (b"0", None)
    assert [letter[b"key"] for letter in letters(wb)] == [b"Nobody:1"]
