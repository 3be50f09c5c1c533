"""Hundreds of viewers press pause at once: an open loop, so that a slow store is felt by all."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from movieapp.following.journeys import percentile

VIEWERS, SECONDS, AT_ONCE = 300, 1.0, 32
"""How many pauses, within which time, and how many are waited for side by side."""


@dataclass
class Storm:
    """A storm as it goes. Latencies, in milliseconds, count from when each pause was due."""

    viewers: int
    answered: list[float] = field(default_factory=list)
    failed: int = 0
    reason: str = ""
    is_over: bool = False

    @property
    def p50(self) -> float | None:
        """The median."""
        return percentile(sorted(self.answered), 0.5)

    @property
    def p99(self) -> float | None:
        """What one viewer in a hundred waited longer than."""
        return percentile(sorted(self.answered), 0.99)

    @property
    def done(self) -> int:
        """How many viewers have an answer, be it an error."""
        return len(self.answered) + self.failed


def begin(
    pause: Callable[[str, int], None], ended: threading.Event, viewers: int = VIEWERS
) -> Storm:
    """Let so many viewers pause within a second; returns at once. `pause` gets viewer and number."""
    storm = Storm(viewers)
    lock = threading.Lock()

    def one(number: int, due: float) -> None:
        if ended.is_set():
            return
        try:
            pause(f"storm-{number:03}", number)
        except Exception as problem:
            with lock:
                storm.failed, storm.reason = storm.failed + 1, str(problem)[:160]
        else:
            with lock:
                storm.answered.append((time.monotonic() - due) * 1000)

    def arrive() -> None:
        chance, began = random.Random(7), time.monotonic()
        moments = sorted(chance.uniform(0, SECONDS) for _ in range(viewers))
        with ThreadPoolExecutor(AT_ONCE) as crowd:
            for number, moment in enumerate(moments):
                if ended.wait(max(0.0, began + moment - time.monotonic())):
                    break
                crowd.submit(one, number, began + moment)
        storm.is_over = True

    threading.Thread(target=arrive, daemon=True).start()
    return storm
