"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import tenacity

from lab.course import snapshot
from lab.errors import WaitTimeout
from lab.report import progress, say
from lab.stack.lifecycle import current


def wait_until(
    condition: Callable[[], Any], what: str = "the condition holds", timeout: float = 30.0
) -> float:
    """Call `condition` until it is true; print and return the seconds that took (the lag).

    `what` completes the sentence "after 0.12 s ...". After `timeout` seconds WaitTimeout is raised
    with the state of both stores and the likely causes. What `condition` raises is passed on.
    """
    began = time.perf_counter()
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda value: not value),
        wait=tenacity.wait_exponential(multiplier=0.002, max=0.1),
        stop=tenacity.stop_after_delay(timeout),
    )
    try:
        with progress(f"Waiting until {what}"):
            attempts(condition)
    except tenacity.RetryError:
        raise WaitTimeout(_explain(what, timeout)) from None
    lag = time.perf_counter() - began
    say(f"after {_readable(lag)}: {what}")
    return lag


def _readable(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _explain(what: str, timeout: float) -> str:
    seen = snapshot.take(current())
    causes = "\n".join(f"  - {cause}" for cause in seen.causes())
    return f"not within {timeout:g} s: {what}\n{seen}\nLikely causes:\n{causes}"
