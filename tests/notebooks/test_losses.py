"""The notebooks that the judge made replay their losses, one after the other on one stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.notebooks.book import FOLDER
from tests.notebooks.running import Record, run, stack_folder

LOSSES = sorted((FOLDER / "losses").glob("*.ipynb"))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("losses")
def test_every_loss_is_replayed(record_property: Record) -> None:
    assert LOSSES
    with stack_folder():
        for loss in LOSSES:
            run(Path(loss), record_property)
