"""recipes/streams on a Redis Cluster of three masters, whose slots move while they are used."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from redis.backoff import ConstantBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import RedisError
from redis.retry import Retry

import lab
from lab.errors import WaitTimeout
from lab.stack.ondemand.cluster import Cluster, Node
from recipes.streams import Partitions, WriteBehind
from recipes.streams.core.library import RedisClient
from tests.histories.recipes.stores import Mongo
from tests.histories.recipes.streams import Streams
from tests.histories.verdict.history import Document, Kind
from tests.histories.world.faults import Deed
from tests.histories.world.operations import Request
from tests.histories.world.parts import Part, freeze, thaw
from tests.histories.world.proxy import Proxy
from tests.minigears.realredis import wait_for


class _Serving:
    """A node of a cluster as a part: the one that is master."""

    def __init__(self, node: Node):
        self._node = node

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The server's process."""
        return self._node.process

    def start(self) -> None:
        """See `Part`. It takes writes again once it has heard of the others."""
        self._node.start()
        wait_for(lambda: _serves(self._node), 60, "a master to serve")

    def stop(self, how: int) -> None:
        """See `Part`."""
        self._node.end(signal.Signals(how))


class Master(_Serving):
    """One master. Its slots go to the next one, a partition's at a time."""

    def __init__(self, cluster: Cluster, number: int, slots: set[int]):
        super().__init__(cluster.masters[number])
        self._cluster, self._slots = cluster, slots
        self._next = cluster.masters[(number + 1) % len(cluster.masters)]
        self.deeds = {Deed.RESHARD: self.give_a_slot}

    def give_a_slot(self, seconds: float) -> None:
        """Move a slot, if it has one; try again while one of the two is away, unless it has gone on."""
        deadline = time.monotonic() + 60
        slot = None
        while time.monotonic() < deadline:
            with suppress(RedisError, WaitTimeout):
                slot = slot if slot is not None else self._one_of_ours()
                if slot is not None:
                    with suppress(ValueError):
                        self._cluster.move_slot(slot, self._node, self._next)
                return
            time.sleep(0.05)

    def _one_of_ours(self) -> int | None:
        with self._node.client as client:
            ranges: Any = client.execute_command("CLUSTER SLOTS")
        mine = [range(a, b + 1) for a, b, owner, *_ in ranges if owner[1] == self._node.port]
        return next((s for s in sorted(self._slots) if any(s in each for each in mine)), None)


class OnCluster(Streams):
    """See `Recipe`."""

    kinds = frozenset(set(Kind) - {Kind.RENAME})  # whose two keys would have to be in one slot
    partitions = Partitions(8)

    def _serve(self, folder: Path) -> tuple[dict[str, Part], dict[str, Proxy], Callable[[], str]]:
        self._cluster = lab.cluster(3, fsync=self._fsync)
        self._stack.callback(self._cluster.stop)
        with self._ask() as redis:
            slots = {redis.keyslot(partition.stream) for partition in self.partitions.all()}
        masters = range(len(self._cluster.masters))
        parts: dict[str, Part] = {
            f"redis {n + 1}": Master(self._cluster, n, slots) for n in masters
        }
        for part in parts.values():
            self._stack.callback(part.stop, signal.SIGKILL)
        return parts, {}, lambda: f"{self._cluster.url}?socket_timeout=5"

    def _client(self, **options: Any) -> RedisClient:
        nodes = [ClusterNode("127.0.0.1", node.port) for node in self._cluster.nodes]
        return RedisCluster(
            startup_nodes=nodes, require_full_coverage=False, socket_timeout=2,
            retry=Retry(ConstantBackoff(0.1), 3), **options,  # type: ignore[arg-type]  # seconds
        )  # fmt: skip

    def _ask(self) -> Any:
        return self._client(decode_responses=True)

    def key(self, name: str) -> str:
        """A key that names its partition."""
        return f"{name}{{{self.partitions.of(name).tag}}}"

    def documents(self, prefix: str) -> dict[str, Document]:
        """See `Recipe`. The keys are in several slots, so each is asked for by itself."""
        with self._ask() as redis:
            keys = list(redis.scan_iter(match=f"{prefix}*", count=1000))
            texts = [redis.execute_command("JSON.GET", key, "$") for key in keys]
        return {k: json.loads(t)[0] for k, t in zip(keys, texts, strict=True) if t is not None}


def _serves(node: Node) -> bool:
    with suppress(RedisError), node.client as client:
        return bool(client.cluster("info")["cluster_state"] == "ok")
    return False


class Shard(_Serving):
    """A master and its replica. What is done to it strikes the one that is master, as far as known."""

    def __init__(self, master: Node, replica: Node):
        super().__init__(master)
        self._heir = replica
        self.deeds = {Deed.SUCCEED: self.succeed}

    def start(self) -> None:
        """See `Part`."""
        super().start()
        _waits_to_be_told(self._node)

    def close(self) -> None:
        """End both."""
        for node in (self._node, self._heir):
            node.end(signal.SIGKILL)

    def succeed(self, seconds: float) -> None:
        """Let the replica hear nothing for so many seconds and a half, kill the master, let the replica take over.

        Frozen alone it would find what it has missed in its socket.
        """
        wait_for(lambda: _copies(self._heir), 60, lambda: f"the replica to follow: {self._told()}")
        frozen = freeze(self._heir)
        try:
            self._node.ask("CLIENT", "KILL", "TYPE", "replica")
            time.sleep(0.5 + seconds)
            self._node.end(signal.SIGKILL)
        finally:
            thaw(frozen)
        self._heir.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        wait_for(lambda: _serves(self._heir), 60, "the replica to serve")
        self._node, self._heir = self._heir, self._node
        self._heir.start()
        wait_for(
            lambda: _copies(self._heir), 60, lambda: f"the old master to follow: {self._told()}"
        )
        _waits_to_be_told(self._heir)

    def _told(self) -> str:
        """What both say of themselves."""
        return " | ".join(node.ask("INFO", "replication") for node in (self._node, self._heir))


class Replicated(OnCluster):
    """Three masters with a replica each. A write is acknowledged once the replica has it.

    Slots stay: what moves is acknowledged by the new owner, and its replica may not have it yet.
    """

    def _serve(self, folder: Path) -> tuple[dict[str, Part], dict[str, Proxy], Callable[[], str]]:
        self._cluster = lab.cluster(3, replicas=True, fsync=self._fsync)
        self._stack.callback(self._cluster.stop)
        for node in self._cluster.nodes:
            _waits_to_be_told(node)
        pairs = zip(self._cluster.masters, self._cluster.replicas, strict=True)
        shards = [Shard(*pair) for pair in pairs]
        for shard in shards:
            self._stack.callback(shard.close)
        parts: dict[str, Part] = {f"redis {n}": shard for n, shard in enumerate(shards, 1)}
        return parts, {}, lambda: f"{self._cluster.url}?socket_timeout=5"

    @contextmanager
    def _acknowledged(self, recipe: WriteBehind, request: Request) -> Iterator[None]:
        redis: Any = recipe.redis
        asked = redis.get_node_from_key(request.key).name
        yield
        if request.kind is Kind.READ:
            return
        # WAIT is about its own connection, and a call that was tried again may have been carried out
        # over another one: so something is written first.
        redis.set(f"copied{{{recipe.partitions.of(request.key).tag}}}", request.number)
        node = redis.get_node_from_key(request.key)
        copies = redis.execute_command("WAIT", 1, 1000, target_nodes=node)
        if not copies or node.name != asked:
            raise NotCopied


class Hasty(Replicated):
    """The control: it takes the master's word, as one writes it at first. The judge has to find that."""

    def _acknowledged(
        self, recipe: WriteBehind, request: Request
    ) -> AbstractContextManager[object]:
        return nullcontext()


class NotCopied(Exception):
    """Written, and perhaps on one machine alone."""


def _waits_to_be_told(node: Node) -> None:
    """Let it succeed nobody by itself, however long a master is away. A node that starts has forgotten it."""
    node.ask("CONFIG", "SET", "cluster-replica-no-failover", "yes")


def _copies(node: Node) -> bool:
    with suppress(RedisError), node.client as client:
        return bool(client.info("replication").get("master_link_status") == "up")
    return False


def on_three_masters_with_replicas() -> Replicated:
    """Return the recipe on a cluster whose masters are succeeded, and MongoDB."""
    return Replicated("streams-cluster-replicas", Mongo)


def on_three_masters_with_replicas_without_wait() -> Hasty:
    """Return the control of the recipe above: its writes are acknowledged without WAIT."""
    return Hasty("streams-cluster-without-wait", Mongo)


def on_three_masters() -> OnCluster:
    """Return the recipe on a cluster and MongoDB."""
    return OnCluster("streams-cluster", Mongo)
