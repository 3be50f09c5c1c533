"""The control of the streams recipe: its command, with a worker that never asks whether Redis went back.

python -m tests.histories.recipes.forgetful worker …    # as `python -m recipes.streams`
"""

from __future__ import annotations

from recipes.streams.cli import main
from recipes.streams.worker.partition import PartitionWorker


def _stays(self: PartitionWorker, newest: str) -> None:
    """In place of what lets versions go on."""


if __name__ == "__main__":
    PartitionWorker._go_on = _stays  # type: ignore[method-assign]
    main(prog_name="write-behind")
