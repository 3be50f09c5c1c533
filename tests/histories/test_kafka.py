"""The judge on recipes/kafka: a short run is cleared."""

from __future__ import annotations

from pathlib import Path

from tests.histories.recipes.kafka import Kafka
from tests.histories.run import Size, perform, script
from tests.histories.verdict.checker import judge
from tests.histories.world.faults import Deed
from tests.recipes.kafka.broker import needs_kafka


def test_a_short_run_is_cleared(tmp_path: Path) -> None:
    needs_kafka()
    recipe = Kafka()
    recipe.open(tmp_path)
    size = Size(operations=80, faults=3, seconds=1, deeds=frozenset({Deed.FREEZE, Deed.CUT}))
    try:
        history = perform(recipe, script(recipe, 5, size), size)
    finally:
        recipe.close()
    assert judge(history) == []
    assert len(history.faults) == 3
    assert history.changes
