"""Slots of `lab.cluster()` move while masters freeze, die, and move slots of their own: no key is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from signal import SIGCONT, SIGSTOP
from threading import Event, Thread
from typing import Any

import pytest
from redis.exceptions import ConnectionError

import lab
from lab.stack.ondemand.cluster import Cluster, Node
from lab.stack.ondemand.clusterview import view_of
from tests.recipes.servers import wait_for

FIRST, SECOND = 100, 6000
"""Slots of the first and of the second master."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Cluster]:
    made = lab.cluster(3)
    yield made
    made.stop()


@pytest.fixture
def cluster(shared: Cluster) -> Iterator[Cluster]:
    """Each slot is where it was at first, with one key."""
    for node in shared.masters:
        if not node.runs:
            node.start()
    redis = shared.connect()
    for slot, home in ((FIRST, 0), (SECOND, 1)):
        wait_for(lambda: _owner(shared, slot) is not None, 60, "the masters to agree")  # noqa: B023
        owner = _owner(shared, slot)
        assert owner
        if owner is not shared.masters[home]:
            shared.move_slot(slot, owner, shared.masters[home])
        redis.set(_key(redis, slot), "acknowledged")
    yield shared
    for node in shared.masters:
        if node.process is not None:
            node.process.send_signal(SIGCONT)


def _key(redis: Any, slot: int) -> str:
    return next(key for n in range(1_000_000) if redis.keyslot(key := f"key:{n}") == slot)


def _owner(cluster: Cluster, slot: int) -> Node | None:
    """Whom all masters take for a slot's owner."""
    named = {view_of(node.ask("CLUSTER", "NODES")).owner(slot) for node in cluster.masters}
    [*found] = [node for node in cluster.masters if {node.identity} == named]
    return found[0] if found else None


def _keeps(cluster: Cluster, slot: int, node: Node) -> None:
    """Everybody knows that a node has a slot, and its key is there."""
    wait_for(lambda: _owner(cluster, slot) is node, 60, f"slot {slot} to be on {node.port}")
    redis = cluster.connect()
    assert redis.get(_key(redis, slot)) == b"acknowledged"
    assert "[" not in "".join(each.ask("CLUSTER", "NODES") for each in cluster.masters)


def test_a_slot_moves_with_its_keys_and_all_masters_are_told(cluster: Cluster) -> None:
    first, second, _ = cluster.masters
    assert cluster.move_slot(FIRST, first, second) == 1
    _keeps(cluster, FIRST, second)
    assert cluster.move_slot(FIRST, first, second) == 0  # once more, after it was done
    _keeps(cluster, FIRST, second)


@pytest.mark.parametrize("away", [0, 1], ids=["source", "target"])
def test_an_owner_that_is_away_is_an_error_and_the_next_call_finishes(
    cluster: Cluster, away: int
) -> None:
    """The process is dead, and nobody has taken notice of it yet."""
    first, second, _ = cluster.masters
    gone = cluster.masters[away]
    assert gone.process
    gone.process.kill()
    gone.process.wait()
    with pytest.raises(ConnectionError):
        cluster.move_slot(FIRST, first, second)
    gone.start()
    wait_for(lambda: "ok" in gone.ask("CLUSTER", "INFO").splitlines()[0], 60, "it to serve")
    assert cluster.move_slot(FIRST, first, second) == 1
    _keeps(cluster, FIRST, second)


class Stopped(Exception):
    """The one who moves the slot is killed here."""


def _die_after(patch: pytest.MonkeyPatch, *, told: int) -> None:
    """Let a move end after so many have been told."""
    ask, asked = Node.ask, [0]

    def tell(node: Node, *words: object) -> str:
        if words[1] != "SETSLOT":
            return ask(node, *words)
        if asked[0] == told:
            raise Stopped
        asked[0] += 1
        return ask(node, *words)

    patch.setattr(Node, "ask", tell)


@pytest.mark.parametrize("told", range(5))
def test_a_move_that_was_broken_off_anywhere_is_finished_by_the_next_call(
    cluster: Cluster, told: int
) -> None:
    first, second, _ = cluster.masters
    with pytest.MonkeyPatch.context() as patch:
        _die_after(patch, told=told)
        with pytest.raises(Stopped):
            cluster.move_slot(FIRST, first, second)
    cluster.move_slot(FIRST, first, second)
    _keeps(cluster, FIRST, second)


def test_a_slot_that_has_gone_on_is_not_called_back(cluster: Cluster) -> None:
    """A move that is tried again is late: its target would take the slot, without the keys, by its epoch."""
    first, second, third = cluster.masters
    cluster.move_slot(FIRST, first, second)
    cluster.move_slot(FIRST, second, third)
    with pytest.raises(ValueError, match="neither"):
        cluster.move_slot(FIRST, first, second)
    _keeps(cluster, FIRST, third)


def test_a_master_takes_no_slot_while_it_gives_another_away(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes one by a new epoch, and by that it would call the other one back, which deletes the keys.

    It is frozen when it is told of the one, so it hears only after this that it has given the other.
    """
    first, second, third = cluster.masters
    third.ask("CLUSTER", "BUMPEPOCH")  # it has the greatest, so it takes a slot by that
    ask, early, about, movers = Node.ask, second.client, Event(), []
    early.ping()  # a connection that is there already, so that the word waits in it
    assert second.process
    freeze, thaw = (partial(os.kill, second.process.pid, s) for s in (SIGSTOP, SIGCONT))

    def tell(node: Node, *words: object) -> object:
        if words[1:4] == ("SETSLOT", SECOND, "NODE") and node is third:
            movers.append(Thread(target=cluster.move_slot, args=(FIRST, first, second)))
            movers[0].start()
            about.wait(1)  # it is about to take that slot; or waits, as it should
            answer = ask(node, *words)
            monkeypatch.undo()
            thaw()
            return answer
        if words[1:4] == ("SETSLOT", FIRST, "NODE") and node is second:
            connection = early.connection_pool.get_connection()
            freeze()
            connection.send_command(*words)
            about.set()
            return connection.read_response()
        return ask(node, *words)

    monkeypatch.setattr(Node, "ask", tell)
    cluster.move_slot(SECOND, second, third)
    movers[0].join(60)
    _keeps(cluster, SECOND, third)
    _keeps(cluster, FIRST, second)


@pytest.mark.parametrize("number", [0, 1], ids=["source", "target"])
def test_a_frozen_owner_is_waited_for(cluster: Cluster, number: int) -> None:
    first, second, _ = cluster.masters
    frozen = cluster.masters[number].process
    assert frozen
    os.kill(frozen.pid, SIGSTOP)
    moved: list[int] = []
    mover = Thread(target=lambda: moved.append(cluster.move_slot(FIRST, first, second)))
    mover.start()
    mover.join(0.3)
    assert not moved
    os.kill(frozen.pid, SIGCONT)
    mover.join(60)
    assert moved == [1]
    _keeps(cluster, FIRST, second)


def test_what_a_node_says_of_the_others_is_read() -> None:
    said = (
        "aa 127.0.0.1:1@2 myself,master - 0 0 7 connected 0-5 9 [9->-bb]\n"
        "bb 127.0.0.1:3@4,,shard-id=x master,fail? - 0 0 8 connected\n"
        "cc 127.0.0.1:5@6 slave aa 0 0 7 connected\n"
        "dd 127.0.0.1:7@8 master - 0 0 3 connected 10-12\n"
    )
    view = view_of(said)
    assert [view.owner(slot) for slot in (0, 5, 6, 9, 12)] == ["aa", "aa", "", "aa", "dd"]
    assert view.decided
    assert view_of(said.replace(" 3 connected", " 7 connected")).decided is False
    with pytest.raises(ValueError, match="not a line"):
        view_of("OK")
