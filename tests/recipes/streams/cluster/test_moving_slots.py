"""A slot on its way: some keys are here, some there, and Redis serves only what has all of its keys in one place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from redis.exceptions import RedisError

import lab
from lab.stack.ondemand.cluster import Cluster, Node
from recipes.streams import Limits, Partitions, WriteBehind
from recipes.streams.core.errors import TakesNoWrites
from recipes.streams.core.names import Partition
from recipes.streams.worker.queue import Queue
from tests.recipes.servers import wait_for

PARTITIONS = Partitions(8)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = lab.cluster(3)
    yield made
    made.stop()


@dataclass
class Moving:
    """One partition whose slot has begun to move."""

    cluster: Cluster
    partition: Partition
    slot: int
    source: Node
    target: Node

    def carry(self, *keys: str) -> None:
        """Move some keys."""
        self.source.ask("MIGRATE", "127.0.0.1", self.target.port, "", 0, 9000, "KEYS", *keys)

    def finish(self) -> None:
        """Move the rest."""
        self.cluster.move_slot(self.slot, self.source, self.target)

    def refused(self) -> int:
        """How often a client was told to come again."""
        found = 0
        for node in (self.source, self.target):
            with node.client as client:
                errors: Any = client.info("errorstats")
            found += errors.get("errorstat_TRYAGAIN", {"count": 0})["count"]
        return found


Begin = Callable[[], Moving]


@pytest.fixture
def begin(cluster: Cluster) -> Begin:
    """Lets the slot of the first partition leave for the next master."""

    def begin() -> Moving:
        redis, partition = cluster.connect(), PARTITIONS.all()[0]
        slot = redis.keyslot(partition.stream)
        home = redis.nodes_manager.get_node_from_slot(slot).port
        number = next(n for n, node in enumerate(cluster.masters) if node.port == home)
        source, target = cluster.masters[number], cluster.masters[(number + 1) % 3]
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.identity)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", target.identity)
        return Moving(cluster, partition, slot, source, target)

    return begin


@pytest.fixture
def wb(cluster: Cluster) -> Iterator[WriteBehind]:
    """Its keys are of the first partition, which has nothing else."""
    made = WriteBehind(cluster.connect(), PARTITIONS, Limits(wait=30))
    made.prepare()
    yield made
    for key in list(made.redis.scan_iter()):
        made.redis.execute_command("DEL", key)


def _key(name: str) -> str:
    return f"Movie:{name}{{{PARTITIONS.all()[0].tag}}}"


def _entries(wb: WriteBehind, key: str) -> list[str]:
    """What waits of a document: its text each time."""
    entries: Any = wb.redis.execute_command("XRANGE", PARTITIONS.all()[0].stream, "-", "+")
    return [fields[b"doc"].decode() for _, fields in entries if fields[b"key"] == key.encode()]


@pytest.mark.parametrize("first", ["the document", "its queue"])
def test_what_is_due_goes_with_its_entry_once_all_of_it_is_in_one_place(
    wb: WriteBehind, begin: Begin, first: str
) -> None:
    key, other = _key("due"), _key("other")
    for each in (key, other):
        wb.set(each, {"n": 1})
    wb.expire(key, 0.01)
    wb.expire(other, 3600)  # so that what is due has a place in any case
    time.sleep(0.02)
    moving = begin()
    at = moving.partition
    moving.carry(*([key] if first == "the document" else [at.stream, at.state, at.due]))
    queue = Queue(wb.redis, at, "", "")
    with suppress(RedisError):
        queue.sweep(Limits())
    moving.finish()
    queue.sweep(Limits())
    assert wb.get(key) is None
    assert _entries(wb, key) == ['{"n":1}', ""]


def test_a_document_that_is_deleted_while_its_slot_leaves_leaves_its_entry(
    wb: WriteBehind, begin: Begin
) -> None:
    """Redis lets nobody look for it afterwards: it might be at the other place by now."""
    key, other = _key("deleted"), _key("stays")
    for each in (key, other):
        wb.set(each, {"n": 1})
    wb.expire(other, 3600)
    moving = begin()
    [outcome] = wb.run([wb.call("JSON.DEL", key, "$")])
    moving.finish()
    assert not isinstance(outcome, Exception)
    assert wb.get(key) is None
    assert _entries(wb, key) == ['{"n":1}', ""]


def test_a_write_waits_until_its_slot_has_moved(wb: WriteBehind, begin: Begin) -> None:
    """redis-py itself gives up after 16 tries."""
    old, new = _key("old"), _key("new")
    wb.set(old, {"n": 1})
    moving = begin()
    tried = moving.refused()
    with ThreadPoolExecutor(1) as pool:
        write = pool.submit(wb.set, new, {"n": 2})
        wait_for(lambda: write.done() or moving.refused() > tried + 40, 60, "it to be refused")
        moving.finish()
        write.result(60)
    assert wb.get(new) == {"n": 2}
    assert _entries(wb, new) == ['{"n":2}']
    moving = begin()
    hasty = WriteBehind(wb.redis, PARTITIONS, Limits(wait=0))
    with pytest.raises(TakesNoWrites):
        hasty.set(_key("never"), {})
    moving.finish()
