"""The judge on recipes/kafka: a short run is cleared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.histories.recipes.kafka import Kafka, in_group, with_shares
from tests.histories.shortrun import assert_cleared
from tests.histories.world.faults import Deed
from tests.recipes.kafka.broker import needs_kafka


@pytest.mark.parametrize("recipe", [with_shares, in_group])
def test_a_short_run_is_cleared(recipe: Callable[[], Kafka], tmp_path: Path) -> None:
    needs_kafka()
    assert_cleared(recipe(), tmp_path, Deed.KILL, Deed.FREEZE, Deed.CUT)
