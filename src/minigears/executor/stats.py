"""What a registration counts about its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from minigears.executor.replies import Double


@dataclass
class Stats:
    """Counts and durations of one registration; durations and lags are in milliseconds.

    The lag of a stream's batch is the time from its oldest entry's id to the end of the run.
    """

    triggered: int = 0
    success: int = 0
    failures: int = 0
    aborted: int = 0
    last_ms: float = 0.0
    total_ms: float = 0.0
    last_lag_ms: float = 0.0
    total_lag_ms: float = 0.0
    last_error: str | None = None

    def succeeded(self, ms: float, lag_ms: float = 0.0) -> None:
        """Count a run that ended well; `triggered` is counted when it starts."""
        self.success += 1
        self.last_error = None
        self._took(ms, lag_ms)

    def failed(self, error: str, ms: float, lag_ms: float = 0.0) -> None:
        """Count a run that ended with an error."""
        self.failures += 1
        self.last_error = error
        self._took(ms, lag_ms)

    def was_aborted(self) -> None:
        """Count a run that was aborted before it began, or where it waited; a function that was stopped has failed."""
        self.aborted += 1

    def _took(self, ms: float, lag_ms: float) -> None:
        self.last_ms = ms
        self.total_ms += ms
        self.last_lag_ms = lag_ms
        self.total_lag_ms += lag_ms

    def clear(self) -> None:
        """Start over from zero, but for what runs now: it will count as ended, too."""
        running = self.triggered - self.success - self.failures - self.aborted
        self.__init__(triggered=max(0, running))  # type: ignore[misc]

    def fields(self, lag: bool, running_ms: float = 0.0) -> list[Any]:
        """The names and values that `RG.DUMPREGISTRATIONS` shows, `lag` ones too if asked.

        `running_ms` is the age of what runs just now: the lag is no less.
        """
        ended = self.success + self.failures + self.aborted
        shown: list[Any] = ["numTriggered", self.triggered, "numSuccess", self.success]
        shown += ["numFailures", self.failures, "numAborted", self.aborted]
        shown += ["lastRunDurationMS", int(self.last_ms), "totalRunDurationMS", int(self.total_ms)]
        shown += ["avgRunDurationMS", _average(self.total_ms, ended)]
        if lag:
            shown += ["lastEstimatedLagMS", int(max(self.last_lag_ms, running_ms))]
            shown += ["avgEstimatedLagMS", _average(self.total_lag_ms, ended)]
        return [*shown, "lastError", self.last_error]


def _average(total: float, count: int) -> Double:
    return Double(int(total) / count if count else 0)
