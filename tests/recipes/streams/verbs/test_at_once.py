"""Verbs that run while the application writes, and beside each other."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from redis import Redis

from recipes.streams import Sink, WriteBehind
from tests.recipes.servers import MongoServer, PlainRedis, wait_for
from tests.recipes.streams.verbs.conftest import Run
from tests.recipes.streams.working import QUICK, Start
from tests.recipes.streams.writing import drained, letters, plain, raw

KEY = "Movie:1"


def test_letters_are_replayed_while_their_key_is_written(
    run: Run, redis_server: PlainRedis, wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    start_worker(mongo)
    for n in range(3):
        raw(wb, KEY, '{"_id": 1}')
        wait_for(lambda n=n: len(letters(wb)) > n, 60)  # type: ignore[misc]

    def write() -> None:
        writer = WriteBehind(redis_server.client(), QUICK.partitions)
        for n in range(300):
            writer.set(KEY, {"n": n})

    with ThreadPoolExecutor() as pool:
        writing = pool.submit(write)
        while not writing.done():
            run("dead-letters", "replay", "--all")
        writing.result()
    drained(wb)
    stored = mongo.read(KEY)
    assert stored is not None
    assert stored.document == {"n": 299} == wb.get(KEY)


def test_two_repairs_at_the_same_time_leave_both_stores_the_same(
    run: Run,
    redis: Redis,
    redis_server: PlainRedis,
    mongo_server: MongoServer,
    wb: WriteBehind,
    mongo: Sink,
    start_worker: Start,
) -> None:
    start_worker(mongo)
    for n in range(200):
        wb.set(f"Movie:{n}", {"n": n})
    drained(wb)
    for n in range(0, 200, 4):
        plain(redis, f"Movie:{n}", {"n": n, "drifted": True})
        redis.delete(f"Movie:{n + 1}")
    words = [sys.executable, "-m", "recipes.streams", "reconcile", "--repair", "--partitions", "2"]
    words += ["--redis", redis_server.url, "--database", f"{mongo_server.url}/test"]
    words += ["--route", "Movie:=movies", "--route", "Person:=people"]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=60)[0] for one in both]
    assert "Movie:0: different" in "".join(said)
    drained(wb)
    assert "0 differences" in run("reconcile").output
    stored = {one.key: one.document for one in mongo.scan()}
    meant = {f"Movie:{n}": {"n": n} | ({} if n % 4 else {"drifted": True}) for n in range(200)}
    assert stored == meant
    assert letters(wb) == []
