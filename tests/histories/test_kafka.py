"""The judge on recipes/kafka: a short run is cleared."""

from __future__ import annotations

from pathlib import Path

from tests.histories.recipes.kafka import Kafka
from tests.histories.shortrun import assert_cleared
from tests.histories.world.faults import Deed
from tests.recipes.kafka.broker import needs_kafka


def test_a_short_run_is_cleared(tmp_path: Path) -> None:
    needs_kafka()
    assert_cleared(Kafka(), tmp_path, Deed.KILL, Deed.FREEZE, Deed.CUT)
