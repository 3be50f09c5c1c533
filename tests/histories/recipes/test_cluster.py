"""The judge on a Redis Cluster: its masters give slots away, and are succeeded by their replicas."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.histories.__main__ import main
from tests.histories.recipes.cluster import on_three_masters, on_three_masters_with_replicas
from tests.histories.run import Size, perform, script
from tests.histories.shortrun import assert_cleared
from tests.histories.verdict.checker import judge
from tests.histories.world.faults import Deed, special_deeds


@pytest.mark.long
def test_slots_move_and_a_short_run_is_cleared(tmp_path: Path) -> None:
    recipe = on_three_masters()
    recipe.open(tmp_path)
    try:
        first, second, _ = recipe._cluster.masters
        with recipe._ask() as redis:
            slots = sorted({redis.keyslot(p.stream) for p in recipe.partitions.all()})
            slot = next(s for s in slots if s <= 5000)  # the first master's
        second.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", first.identity)
        special_deeds(recipe.world.parts["redis 1"])[Deed.RESHARD](0)
        assert f"[{slot}" not in second.ask("CLUSTER", "NODES"), "it still moves"
        with recipe._ask() as redis:
            assert redis.nodes_manager.get_node_from_slot(slot).port == second.port
        size = Size(operations=80, faults=4, seconds=1, deeds=frozenset({Deed.RESHARD, Deed.CUT}))
        history = perform(recipe, script(recipe, 5, size), size)
    finally:
        recipe.close()
    assert judge(history) == []
    assert Deed.RESHARD.value in {fault.what for fault in history.faults}


@pytest.mark.long
@pytest.mark.timeout(900)  # each try is a run of three seconds and more
def test_a_write_acknowledged_without_wait_is_found_and_cut_down() -> None:
    """The control of the recipe with replicas: within ten seeds, and to ten steps."""
    words = ["--recipe", "streams-cluster-without-wait", "--deeds", "succeed", "--faults", "1"]
    words += ["--operations", "40", "--runs", "10", "--shrink"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1, result.output
    left = re.search(r"Cut down to (\d+) steps", result.output)
    assert left is not None, result.output
    assert int(left[1]) <= 10, result.output


@pytest.mark.long
def test_replicas_take_over_and_a_short_run_is_cleared(tmp_path: Path) -> None:
    assert_cleared(on_three_masters_with_replicas(), tmp_path, Deed.SUCCEED)


@pytest.mark.long
def test_no_replica_takes_over_by_itself_also_once_it_was_started_again(tmp_path: Path) -> None:
    """It did when a master was away for two seconds; the judge waited for what was master to follow."""
    recipe = on_three_masters_with_replicas()
    recipe.open(tmp_path)
    try:
        shard = recipe.world.parts["redis 1"]
        special_deeds(shard)[Deed.SUCCEED](0)
        shard.stop(signal.SIGTERM)
        shard.start()
        for node in recipe._cluster.nodes:
            said = node.ask("CONFIG", "GET", "cluster-replica-no-failover")
            assert "yes" in said, f"port {node.port}: {said}"
    finally:
        recipe.close()
