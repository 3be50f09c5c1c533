"""recipes/kafka: what is in the topic is in the database, through kills, outages, poison and a new topic."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from recipes.streams import Misconfigured, open_sink
from recipes.streams.databases.sink import Change
from tests.freeports import free_ports
from tests.minigears.realredis import wait_for
from tests.recipes.kafka.broker import Broker
from tests.recipes.servers import MongoServer, PostgresServer


def worker(broker: Broker, mongo: MongoServer, topic: str, *more: str) -> list[str]:
    return worker_of(broker, f"{mongo.url}/{topic}?directConnection=true", topic, *more)


def worker_of(broker: Broker, database: str, topic: str, *more: str) -> list[str]:
    words = [sys.executable, "-m", "recipes.kafka", "worker", "--servers", broker.servers]
    words += ["--topic", topic, "--partitions", "2", "--group", topic, "--lease", "2"]
    words += ["--route", "Movie:=movies", "--batch-wait", "0.02"]
    return [*words, "--database", database, *more]


@contextmanager
def running(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def write(broker: Broker, topic: str, changes: list[tuple[str, dict[str, Any] | None]]) -> None:
    from recipes.kafka import Topic, Writer

    writer = Writer(broker.servers, Topic(topic, 2))
    writer.write(changes)
    writer.close()


def stored(mongo: MongoServer, topic: str) -> dict[str, Any]:
    with mongo.client() as client:
        found = client[topic].movies.find({"_deleted": None})
        return {one["_id"]: {k: v for k, v in one.items() if k[0] != "_"} for one in found}


def test_a_worker_that_is_killed_loses_nothing(
    broker: Broker, mongo: MongoServer, topic: str, log: Path
) -> None:
    words = worker(broker, mongo, topic, "--batch-entries", "20")
    write(broker, topic, [(f"Movie:{n % 40}", {"n": n}) for n in range(200)])
    with running(words, log) as first:
        wait_for(lambda: stored(mongo, topic), what="the first batch")
        first.send_signal(signal.SIGKILL)
        first.wait()
    write(broker, topic, [("Movie:0", None), ("Movie:1", {"n": 1000, "title": "O'Brien"})])
    expected = {f"Movie:{n % 40}": {"n": n} for n in range(200)}
    expected["Movie:1"] = {"n": 1000, "title": "O'Brien"}
    del expected["Movie:0"]
    with running(words, log) as second:
        wait_for(lambda: stored(mongo, topic) == expected, 60, log.read_text)
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    assert broker.records(f"{topic}.dead") == []


def test_an_outage_is_waited_out_and_poison_is_set_aside(
    broker: Broker, topic: str, tmp_path: Path, log: Path
) -> None:
    mongo = MongoServer(tmp_path, free_ports(1)[0])
    mongo.start()
    with running(worker(broker, mongo, topic, "--attempts", "2"), log):
        write(broker, topic, [("Movie:1", {"n": 1})])
        wait_for(lambda: stored(mongo, topic) == {"Movie:1": {"n": 1}}, 60, log.read_text)
        mongo.stop()
        write(broker, topic, [("Movie:2", {"n": 2}), ("Other:1", {}), ("Movie:3", {"n": 3})])
        wait_for(lambda: '"waiting"' in log.read_text(), 60, log.read_text)
        mongo.start()
        expected = {f"Movie:{n}": {"n": n} for n in (1, 2, 3)}
        wait_for(lambda: stored(mongo, topic) == expected, 60, log.read_text)
        wait_for(lambda: broker.records(f"{topic}.dead"), 60, log.read_text)
    mongo.stop()
    [letter] = broker.records(f"{topic}.dead")
    assert letter.key() == b"Other:1"
    told = dict(letter.headers())
    assert b"no route" in told["error"]
    assert told["attempts"] == b"2"


def test_a_topic_that_begins_anew_is_no_reason_to_drop_what_is_new(
    broker: Broker, mongo: MongoServer, topic: str, log: Path
) -> None:
    from recipes.kafka import Topic

    with mongo.client() as client:
        client[topic].movies.insert_one({"_id": "Movie:1", "_v": Topic(topic).version(7), "n": 7})
    write(broker, topic, [("Movie:1", {"n": 8})])
    with running(worker(broker, mongo, topic), log) as refused:
        assert refused.wait(60) == 78
    assert "epoch greater than 0" in log.read_text()
    with running(worker(broker, mongo, topic, "--epoch", "1"), log):
        wait_for(lambda: stored(mongo, topic) == {"Movie:1": {"n": 8}}, 60, log.read_text)


def test_postgresql_has_what_the_topic_has_and_forgets_old_deletions(
    broker: Broker, topic: str, log: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    postgres = PostgresServer(tmp_path_factory.mktemp("pg"))
    postgres.start()
    sink = open_sink(postgres.url, {"Movie:": "movies"})
    sink.open()
    sink.write([Change("Movie:old", None, "0"), Change("Movie:new", None, "0")])
    with psycopg.connect(postgres.url) as db:
        db.execute(
            "UPDATE movies SET deleted_at = now() - interval '25 hours' WHERE key = 'Movie:old'"
        )
    write(broker, topic, [("Movie:1", {"n": 1}), ("Movie:1", {"n": 2, "title": "O'Brien"})])
    write(broker, topic, [("Movie:2", {"n": 1}), ("Movie:2", None)])
    expected = {"Movie:1": {"n": 2, "title": "O'Brien"}, "Movie:2": None, "Movie:new": None}
    with running(worker_of(broker, postgres.url, topic), log):
        wait_for(lambda: {s.key: s.document for s in sink.scan()} == expected, 60, log.read_text)
    sink.close()
    postgres.stop()


def test_writers_and_workers_agree_on_the_number_of_partitions(broker: Broker, topic: str) -> None:
    from recipes.kafka import Topic, Writer

    writer = Writer(broker.servers, Topic(topic, 3))
    with pytest.raises(Misconfigured, match="has 2 partitions"):
        writer.set("Movie:1", {})
    writer.close()


def test_workers_with_fixed_shares_need_no_group(
    broker: Broker, mongo: MongoServer, topic: str, log: Path
) -> None:
    one, two = (worker(broker, mongo, topic, "--share", share) for share in ("1/2", "2/2"))
    with ExitStack() as stack:
        first, _ = (stack.enter_context(running(words, log)) for words in (one, two))
        for how in (signal.SIGTERM, signal.SIGKILL):
            for n in range(20):
                write(broker, topic, [(f"Movie:{n}", {"n": int(how)})])
            expected = {f"Movie:{n}": {"n": int(how)} for n in range(20)}
            wait_for(lambda e=expected: stored(mongo, topic) == e, 60, log.read_text)
            first.send_signal(how)
            first.wait(30)
            first = stack.enter_context(running(one, log))
    assert '"partitions": [0]' in log.read_text()
    assert '"partitions": [1]' in log.read_text()
    assert '"partitions": [0, 1]' not in log.read_text()


@pytest.mark.parametrize("share", ["0/2", "3/2", "half", "3/3"])  # of 2 partitions
def test_a_share_that_is_none_is_for_a_person(
    broker: Broker, mongo: MongoServer, topic: str, share: str, log: Path
) -> None:
    with running(worker(broker, mongo, topic, "--share", share), log) as refused:
        assert refused.wait(60) == 78
    assert re.search(r"a share is N/M|2 partitions have no share 3/3", log.read_text())
