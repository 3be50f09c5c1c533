"""`lab.cluster()`: a Redis Cluster of a few redis-servers from the wheel, gone once it is stopped."""

from __future__ import annotations

import atexit
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from lab import paths
from lab.errors import StartFailed, Unsupported, WaitTimeout
from lab.report import progress
from lab.stack import ports
from lab.stack.appendonly import cut_off_half_a_transaction
from lab.stack.embedded.services.redis import no_redis_server
from lab.stack.ondemand.clusterview import View, view_of
from lab.stack.ondemand.keeper import Keeper

SLOTS = 16384
_READY_WITHIN, _ENDS_WITHIN = 60.0, 30.0  # seconds
_NODE_TIMEOUT = 2000
"""Milliseconds after which a silent master is succeeded by its replica."""


@dataclass
class Node:
    """One redis-server of a cluster, a master or a replica."""

    folder: Path
    port: int
    bus: int
    keeper: Keeper
    fsync: str = "everysec"
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it knows its cluster from its own file, if it ran before."""
        server = paths.redis_server()
        if server is None:
            raise Unsupported(no_redis_server())
        self.folder.mkdir(exist_ok=True)
        cut_off_half_a_transaction(self.folder, server)
        words = [str(server), "--bind", ports.LOOPBACK, "--port", str(self.port)]
        words += ["--cluster-enabled", "yes", "--cluster-port", str(self.bus)]
        words += ["--cluster-node-timeout", str(_NODE_TIMEOUT)]
        # One master that is away leaves the other slots usable.
        words += ["--cluster-require-full-coverage", "no"]
        words += ["--appendonly", "yes", "--appendfsync", self.fsync, "--save", ""]
        words += ["--dir", str(self.folder), "--repl-diskless-sync-delay", "0"]
        for module in paths.redis_modules().values():
            words += ["--loadmodule", str(module)]
        with (self.folder / "log").open("ab") as log:
            # A session of its own: interrupting a cell does not end it.
            self.process = subprocess.Popen(words, stdout=log, stderr=log, start_new_session=True)
        self.keeper.keep(self.process.pid)

    @property
    def runs(self) -> bool:
        """Whether its process is there, frozen or not."""
        return self.process is not None and self.process.poll() is None

    @property
    def client(self) -> Redis:
        """A client of this node alone. It does not follow redirections."""
        return Redis(ports.LOOPBACK, self.port, decode_responses=True)

    def ask(self, *words: object) -> str:
        """Send one command; returns its reply as text. Raises RedisError."""
        with self.client as client:
            return str(client.execute_command(*words))

    @property
    def identity(self) -> str:
        """The node's name in the cluster, 40 hexadecimal digits."""
        return self.ask("CLUSTER", "MYID")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End its process, if it runs."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(_ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


class Cluster:
    """A running Redis Cluster: `masters`, and `replicas` of which the n-th follows the n-th master."""

    def __init__(self, keeper: Keeper, masters: list[Node], replicas: list[Node]) -> None:
        self._keeper, self.masters, self.replicas = keeper, masters, replicas
        self._moving = threading.Lock()
        atexit.register(self.stop)

    @property
    def nodes(self) -> list[Node]:
        """All servers."""
        return [*self.masters, *self.replicas]

    @property
    def url(self) -> str:
        """What the streams recipe's command line takes: any node will do, and names the others."""
        return f"redis+cluster://{ports.LOOPBACK}:{self.masters[0].port}"

    def connect(self) -> RedisCluster:
        """A redis-py client of the whole cluster, which follows redirections."""
        return RedisCluster(
            ports.LOOPBACK, self.masters[0].port, require_full_coverage=False,
            retry=Retry(ConstantBackoff(0.1), 3),  # type: ignore[arg-type]  # seconds
        )  # fmt: skip

    def kill_master(self, number: int) -> None:
        """SIGKILL a master, and wait until its replica has been promoted. Raises WaitTimeout."""
        heir = self.replicas[number]
        self.masters[number].end(signal.SIGKILL)
        _wait(lambda: _is_master(heir), "the replica to be promoted")

    def move_slot(self, slot: int, source: Node, target: Node) -> int:
        """Move one hash slot between masters while clients use it; returns how many keys moved.

        One that was broken off, by a crash for example, is finished by another call. One slot moves at
        a time, and once the masters agree on who has what: a master takes a slot from another by a greater
        epoch, and this one deletes its keys then. Raises RedisError, ValueError for a slot that is
        neither's, and WaitTimeout where the masters do not agree.
        """
        with self._moving:
            if self._owner(slot) not in (source.identity, target.identity):
                raise ValueError(f"slot {slot} is neither on {source.port} nor on {target.port}")
            moved = self._carry(slot, source, target)
            self._owner(slot)
            owner = target.identity
            others = [n for n in self.nodes if n.runs and n not in (target, source)]
            told = [target, source, *filter(_is_master, others)]  # the new owner hears it first
            for node in told:
                node.ask("CLUSTER", "SETSLOT", slot, "NODE", owner)
            return moved

    def _carry(self, slot: int, source: Node, target: Node) -> int:
        for node, state, other in ((target, "IMPORTING", source), (source, "MIGRATING", target)):
            try:
                node.ask("CLUSTER", "SETSLOT", slot, state, other.identity)
            except ResponseError as error:  # the first call got as far as that
                if "the owner" not in str(error):
                    raise
        moved = 0
        with source.client as client:
            while keys := client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
                words = ["MIGRATE", ports.LOOPBACK, target.port, "", 0, 30_000]
                client.execute_command(*words, "REPLACE", "KEYS", *keys)
                moved += len(keys)
        return moved

    def _owner(self, slot: int) -> str:
        """The identity of a slot's owner, once all masters that run say the same of all slots."""
        views: list[View] = []

        def agreed() -> bool:
            asked = [node for node in self.nodes if node.runs and _is_master(node)]
            views[:] = [view_of(node.ask("CLUSTER", "NODES")) for node in asked]
            return all(view == views[0] and view.decided for view in views)

        _wait(agreed, "the masters to agree on who has which slot")
        return views[0].owner(slot)

    def stop(self) -> None:
        """End all servers, and delete their data. So do the end of the kernel, and `lab down`."""
        atexit.unregister(self.stop)
        for node in self.nodes:
            node.end()
        self._keeper.close()


def cluster(masters: int = 3, replicas: bool = False, fsync: str = "everysec") -> Cluster:
    """Start a Redis Cluster on free loopback ports, and return it once all slots are served.

    `replicas` gives each master one, which takes its place when it dies. `fsync` is Redis's
    `appendfsync`. Raises Unsupported where there is no redis-server, StartFailed when it does not
    come up.
    """
    folder = Path(tempfile.mkdtemp(prefix="lab-cluster-"))
    count = masters * (2 if replicas else 1)
    free = ports.free(2 * count)
    keeper = Keeper(folder, "Redis Cluster")
    nodes = [
        Node(folder / str(n), free[2 * n], free[2 * n + 1], keeper, fsync) for n in range(count)
    ]
    made = Cluster(keeper, nodes[:masters], nodes[masters:])
    try:
        with progress(f"Starting a Redis Cluster of {masters}"):
            for node in nodes:
                node.start()
            _join(made)
    except (OSError, RedisError, WaitTimeout) as error:
        made.stop()
        raise StartFailed(f"The Redis Cluster does not come up: {error}") from error
    except BaseException:
        made.stop()
        raise
    return made


def _join(made: Cluster) -> None:
    for node in made.nodes:
        _wait(partial(_answers, node), f"port {node.port}")
    share = -(-SLOTS // len(made.masters))
    first = made.masters[0]
    for number, node in enumerate(made.masters):
        node.ask("CLUSTER", "ADDSLOTSRANGE", number * share, min(SLOTS, (number + 1) * share) - 1)
    for number, node in enumerate(made.nodes):
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for node in made.nodes[1:]:
        node.ask("CLUSTER", "MEET", ports.LOOPBACK, first.port, first.bus)
    for node in made.nodes:
        _wait(partial(_knows, node, len(made.nodes)), "the nodes to know each other")
    for master, replica in zip(made.masters, made.replicas, strict=False):
        replica.ask("CLUSTER", "REPLICATE", master.identity)
    for replica in made.replicas:
        _wait(partial(_follows, replica), "the replicas to follow")


def _answers(node: Node) -> bool:
    with node.client as client:
        return bool(client.ping())


def _knows(node: Node, count: int) -> bool:
    with node.client as client:
        told = client.cluster("info")
    return bool(told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == count)


def _is_master(node: Node) -> bool:
    with node.client as client:
        return bool(client.info("replication")["role"] == "master")


def _follows(node: Node) -> bool:
    with node.client as client:
        return bool(client.info("replication").get("master_link_status") == "up")


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        with suppress(RedisError, OSError):
            if condition():
                return
        if time.monotonic() > deadline:
            raise WaitTimeout(f"waited {_READY_WITHIN:g} s for {what}")
        time.sleep(0.02)
