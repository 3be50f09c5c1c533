"""One run of a registration's steps over one batch, and how it went."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from minigears.executor.errors import Abandoned, ForceStopped, render
from minigears.executor.stats import Stats
from minigears.executor.streams.batching import age_ms
from minigears.executor.usercode.context import leave_if_forked

Records = list[dict[str, Any]]


class BatchFailed(Exception):
    """Raised by `run_batch`: `str()` is the error to show. Other exceptions are rendered."""


class End(Enum):
    """How a run ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    ABORT = "abort"


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and the text of its error if it failed; one that was abandoned has none."""

    end: End
    error: str = ""


def deliver(
    run_batch: Callable[[Records], None],
    records: Records,
    first_id: bytes,
    stats: Stats,
    now_ms: Callable[[], float],
) -> Outcome:
    """Run the steps and count the run, its time and the age of its first entry by `now_ms`, Redis's clock."""
    stats.triggered += 1
    started = time.monotonic()
    try:
        run_batch(records)
        outcome = Outcome(End.SUCCESS)
    except Abandoned:
        outcome = Outcome(End.ABORT)
    except ForceStopped as error:
        outcome = Outcome(End.ABORT, render(error))
    except BaseException as error:  # user code may raise SystemExit, too
        text = str(error) if isinstance(error, BatchFailed) else render(error)
        outcome = Outcome(End.FAILURE, text)
    leave_if_forked()
    run_ms = (time.monotonic() - started) * 1000
    lag_ms = age_ms(first_id, now_ms())
    if outcome.end is End.SUCCESS:
        stats.succeeded(run_ms, lag_ms)
    elif outcome.end is End.ABORT and not outcome.error:
        stats.was_aborted()
    else:
        stats.failed(outcome.error, run_ms, lag_ms)
    return outcome
