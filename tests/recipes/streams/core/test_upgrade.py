"""The recipe as it was, beside the one of today: replaced in any order under load, and taken back.

`older/N.zip` is the package as it was when its function library had version N, from
`git archive --format=zip COMMIT:recipes/streams`. All its imports are relative, so that it is imported here under
another name.
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

import recipes.streams
from recipes.streams import Misconfigured, Sink, WriteBehind
from recipes.streams.core.library import VERSION
from tests.recipes.servers import PlainRedis, wait_for
from tests.recipes.streams.working import QUICK, running
from tests.recipes.streams.writing import KEY, drained, letters

OLDER = Path(__file__).with_name("older")
KEPT = sorted(int(file.stem) for file in OLDER.glob("*.zip"))


@pytest.fixture(params=KEPT)
def older(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """The whole recipe of a version before."""
    name = f"streams{request.param}"
    shutil.unpack_archive(OLDER / f"{request.param}.zip", tmp_path / name)
    monkeypatch.syspath_prepend(tmp_path)
    found = import_module(name)
    assert import_module(f"{name}.core.library").VERSION == request.param < VERSION
    yield found
    for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        del sys.modules[module]


def test_the_version_before_this_one_is_kept() -> None:
    assert KEPT[-1] == VERSION - 1, f"keep it as {OLDER.name}/{VERSION - 1}.zip, as said above"


class Writer:
    """An application of one version of the recipe: it writes growing numbers until the block ends."""

    def __init__(self, package: Any, redis: Redis, name: str) -> None:
        self.wb = package.WriteBehind(redis, package.Partitions(QUICK.partitions.count))
        self.own = [f"Movie:{name}{n}" for n in range(4)]
        self.passing = f"Movie:{name} passes"
        self.rounds = 0
        self.errors: list[Exception] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self.errors == []

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self._round(self.rounds + 1)
                self.rounds += 1
        except Exception as error:
            self.errors.append(error)

    def _round(self, number: int) -> None:
        """Each kind of call that a client makes: alone, in a pipeline, compared and set, and to expire."""
        self.wb.set(self.own[0], {"n": number})
        calls = [self.wb._set(key, {"n": number}, "") for key in self.own]
        assert not [o for o in self.wb.run(calls) if isinstance(o, Exception)]
        self.wb.update(KEY, lambda shared: {"n": (shared or {"n": 0})["n"] + 1})
        self.wb.set(self.passing, {"n": number})
        self.wb.expire(
            self.passing, 0.01
        )  # unless it has just expired by what was said a round ago

    def more(self) -> None:
        """Wait until it has come some rounds further."""
        goal = self.rounds + 5
        wait_for(lambda: self.errors or self.rounds >= goal, 60, "more rounds")
        assert self.errors == []


def worker(package: Any, server: PlainRedis, sink: Sink) -> Any:
    """A worker of one version of the recipe, in a thread."""
    settings = package.Settings(
        package.Partitions(QUICK.partitions.count),
        lease=QUICK.lease, batch_wait=QUICK.batch_wait, first_backoff=QUICK.first_backoff,
    )  # fmt: skip
    return running(package.Worker(server.client(), sink, settings, package.Metrics()))


def test_a_new_version_comes_and_is_taken_back_under_load(
    older: Any, wb: WriteBehind, redis: Redis, redis_server: PlainRedis, mongo: Sink
) -> None:
    now = recipes.streams
    before, after = Writer(older, redis, "before"), Writer(now, redis_server.client(), "after")
    with ExitStack() as old_worker, ExitStack() as new_worker, before:
        old_worker.enter_context(worker(older, redis_server, mongo))
        before.more()
        assert redis.fcall("wb_version", 0) < VERSION
        new_worker.enter_context(worker(now, redis_server, mongo))
        wait_for(lambda: redis.fcall("wb_version", 0) == VERSION, 60, "the library of today")
        before.more()  # old client, both workers
        old_worker.close()
        before.more()  # old client, new worker
        with after:
            after.more()  # both clients
            old_worker.enter_context(worker(older, redis_server, mongo))
            new_worker.close()
            after.more()  # new client, old worker
        before.more()  # taken back, but for the library
        assert redis.fcall("wb_version", 0) == VERSION
        redis.function_load(import_module(f"{older.__name__}.core.library").SOURCE, replace=True)
        before.more()  # taken back as a whole
        assert redis.fcall("wb_version", 0) < VERSION
    with worker(now, redis_server, mongo):
        for writer in (before, after):
            wait_for(lambda writer=writer: not redis.exists(writer.passing), 60, "what expires")
        drained(wb)
    assert letters(wb) == []
    expected: dict[str, Any] = {KEY: {"n": before.rounds + after.rounds}}
    for writer in (before, after):
        expected |= {key: {"n": writer.rounds} for key in writer.own} | {writer.passing: None}
    assert {one.key: one.document for one in mongo.scan()} == expected
    assert {key: wb.get(key) for key in expected} == expected


def test_whoever_may_not_load_the_library_of_today_is_told_so(
    older: Any, redis: Redis, redis_server: PlainRedis, mongo: Sink
) -> None:
    """A new client and a new worker that meet an old library, and nobody who replaces it."""
    old = older.WriteBehind(redis, older.Partitions(QUICK.partitions.count))
    old.set(KEY, {"n": 1})
    redis.acl_setuser(
        "app", reset=True, enabled=True, passwords=["+pw"], commands=["+@all", "-function"], keys=["*"]
    )  # fmt: skip
    theirs = redis_server.client(username="app", password="pw")
    try:
        with pytest.raises(Misconfigured, match=r"function\|load.*rights"):
            WriteBehind(theirs, QUICK.partitions).set(KEY, {"n": 2})
        with pytest.raises(Misconfigured, match=r"function\|load.*rights"):
            recipes.streams.Worker(theirs, mongo, QUICK).run()
    finally:
        redis.acl_deluser("app")
    assert old.get(KEY) == {"n": 1}
    old.set(KEY, {"n": 3})
