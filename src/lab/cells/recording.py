"""`lab.record()`: what happened to each write of a run, and when, in all three places.

    with lab.record() as run:
        r.json().set("MovieEntity:1", "$.viewedAt", 42)
    run                       # a slider over the milliseconds

It looks from outside: it notes the answers of `stack.redis`, reads the streams as they grow, asks
how far the workers are, and follows MongoDB's change stream.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from pymongo.errors import PyMongoError
from redis import RedisError, ResponseError

from lab.cells.timemachine import Recording, Write
from lab.names import COLLECTION, KEY_PREFIX, movie_key
from lab.stack.lifecycle import current
from lab.stack.model import Stack

_KNOWN = ("_movies-stream-{06S}", *(f"wb:{{p{number:02}}}" for number in range(8)))
_KEY_FIELDS = ("_original_key", "key")
_LOOK_MS, _PAUSE, _UNTOLD = 20, 0.01, 1.0


@contextlib.contextmanager
def record(settle: float = 5.0) -> Iterator[Recording]:
    """Record what happens to the writes of the block; wait at its end until all have arrived.

    `settle` is for how many seconds at most that is waited. Stores that are away meanwhile are named in
    `problems`; nothing is raised for them.
    """
    stack, run = current(), Recording()
    recorder = _Recorder(stack, run)
    recorder.start()
    try:
        yield run
        _settle(run, settle)
    finally:
        recorder.stop()


def _settle(run: Recording, seconds: float) -> None:
    """Wait until all writes have arrived; a commit that changed nothing is never told of."""
    deadline = time.monotonic() + seconds
    left_at = None
    while time.monotonic() < deadline and not all(write.is_done for write in run.writes):
        if all(write.left is not None or not write.entry_id for write in run.writes):
            left_at = left_at or time.monotonic()
            if time.monotonic() - left_at > _UNTOLD:
                return
        time.sleep(_PAUSE)


class _Recorder:
    def __init__(self, stack: Stack, run: Recording) -> None:
        self._stack, self._run = stack, run
        self._lock, self._ended = threading.RLock(), threading.Event()
        self._began = 0.0
        self._ready = threading.Barrier(3)
        self._threads = [
            threading.Thread(target=job, daemon=True) for job in (self._streams, self._changes)
        ]

    def start(self) -> None:
        """Begin; returns once both threads look."""
        self._began = time.time()
        for thread in self._threads:
            thread.start()
        self._ready.wait(30)
        client = self._stack.redis
        self._send: Callable[..., Any] = client.execute_command
        client.execute_command = self._noted  # type: ignore[method-assign]

    def stop(self) -> None:
        """End, and give the client back as it was."""
        del self._stack.redis.execute_command
        self._ended.set()
        for thread in self._threads:
            thread.join(10)
        self._run.length = self._now()
        with contextlib.suppress(RedisError, OSError):
            self._count_the_untold()
        for write in self._run.writes:
            write.put_in_order()

    def _count_the_untold(self) -> None:
        """An entry leaves after its commit, told of or not: unless it was buried."""
        buried: set[str] = set()
        for stream in self._stack.redis_direct.scan_iter(
            match="*dead*", _type="stream", count=1000
        ):
            for _, entry in self._stack.redis_direct.xrange(stream):
                buried |= {entry[name] for name in _KEY_FIELDS if name in entry}
        for write in self._run.writes:
            if write.committed is None and write.left is not None and write.key not in buried:
                write.committed = write.left

    def _now(self) -> float:
        return (time.time() - self._began) * 1000

    def _noted(self, *words: Any, **options: Any) -> Any:
        """Send a command; note when a movie's write was sent and when it was answered."""
        name, key = str(words[0]).upper(), str(words[1]) if len(words) > 1 else ""
        if not key.startswith(KEY_PREFIX) or name.endswith("GET") or name in ("EXISTS", "TYPE"):
            return self._send(*words, **options)
        write = Write(key, sent=self._now())
        with self._lock:
            self._run.writes.append(write)
        reply = self._send(*words, **options)
        write.answered = self._now()
        return reply

    def _streams(self) -> None:
        client = self._stack.redis_direct
        names = {*_KNOWN, *client.scan_iter(count=1000, _type="stream")}
        last = {name: _last_id(client, name) for name in names}
        self._ready.wait(30)
        while not self._ended.is_set():
            try:
                for name, entries in client.xread(last, block=_LOOK_MS, count=1000) or []:
                    last[name] = entries[-1][0]
                    for entry_id, entry in entries:
                        self._queued(name, entry_id, entry)
                self._look_at_workers(client)
            except (RedisError, OSError) as problem:
                self._trouble(f"Redis: {problem}")
                self._ended.wait(0.1)

    def _queued(self, stream: str, entry_id: str, entry: dict[str, str]) -> None:
        key = next((entry[name] for name in _KEY_FIELDS if name in entry), "")
        with self._lock:
            waiting = (w for w in self._run.writes if w.key == key and not w.entry_id)
            write = next(waiting, None)
            if write is None:  # somebody else's write: no answer of it is known
                write = Write(key)
                self._run.writes.append(write)
            write.stream, write.entry_id = stream, entry_id
            write.is_queued_at(max(0.0, int(entry_id.split("-")[0]) - self._began * 1000))

    def _look_at_workers(self, client: Any) -> None:
        with self._lock:
            waiting = [w for w in self._run.writes if w.entry_id and w.left is None]
        for stream in {write.stream for write in waiting}:
            groups = client.xinfo_groups(stream) if client.exists(stream) else []
            delivered = str(groups[0]["last-delivered-id"]) if groups else "0-0"
            first = client.xrange(stream, count=1)
            now = self._now()
            for write in (w for w in waiting if w.stream == stream):
                if write.delivered is None and _order(write.entry_id) <= _order(delivered):
                    write.delivered = now
                if not first or _order(write.entry_id) < _order(first[0][0]):
                    write.left = now

    def _changes(self) -> None:
        collection = self._stack.db[COLLECTION]
        ids: dict[Any, str] = {}
        with contextlib.suppress(PyMongoError):
            ids = {d["_id"]: str(d.get("movieId")) for d in collection.find({}, {"movieId": True})}
        is_ready = False
        while not self._ended.is_set():
            try:
                with collection.watch(max_await_time_ms=100) as changes:
                    if not is_ready:
                        self._ready.wait(30)
                        is_ready = True
                    while not self._ended.is_set():
                        if change := changes.try_next():
                            self._committed(change, ids)
            except PyMongoError as problem:
                self._trouble(f"MongoDB: {str(problem)[:100]}")
                if not is_ready:
                    self._ready.wait(30)
                    is_ready = True
                self._ended.wait(0.1)

    def _committed(self, change: dict[str, Any], ids: dict[Any, str]) -> None:
        identity = change["documentKey"]["_id"]
        document = change.get("fullDocument") or {}
        movie_id = ids.setdefault(identity, str(document.get("movieId")))
        now = self._now()
        with self._lock:
            for write in self._run.writes:  # one commit may do for many writes of a movie
                known = write.delivered is not None or not write.entry_id
                if write.key == movie_key(movie_id) and write.committed is None and known:
                    write.committed = now

    def _trouble(self, told: str) -> None:
        if told not in self._run.problems:
            self._run.problems.append(told)


def _last_id(client: Any, stream: str) -> str:
    try:
        return str(client.xinfo_stream(stream)["last-generated-id"])
    except ResponseError:
        return "0-0"


def _order(entry_id: str) -> tuple[int, ...]:
    return tuple(int(part) for part in entry_id.split("-"))
