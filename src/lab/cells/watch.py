"""`lab.watch()`: what waits in the streams and what has arrived, as it changes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from IPython import get_ipython
from IPython.display import HTML, display

from lab.course import snapshot
from lab.course.snapshot import Snapshot
from lab.stack.lifecycle import current
from lab.stack.model import Stack


@dataclass(frozen=True)
class Watched:
    """What was seen: seconds since the start, and at each of them the stream, pending, documents.

    A number is NaN when its store did not answer at that moment.
    """

    seconds: list[float]
    queued: list[float]
    pending: list[float]
    documents: list[float]

    def __repr__(self) -> str:
        if not self.seconds:
            return "nothing watched"
        return (
            f"watched for {self.seconds[-1]:.1f} s: at most {max(self.queued):.0f} in the stream, "
            f"{self.documents[-1]:.0f} documents at the end"
        )


def watch(
    until: Callable[[Snapshot], Any] | None = None,
    *,
    seconds: float = 10.0,
    every: float = 0.25,
    block: bool = True,
) -> Watched:
    """Show both stores, again and again, until a condition holds or the time is up.

    `until` gets each Snapshot; by default the view ends when the streams are empty, nothing is
    pending and MongoDB answers. It always ends after `seconds`. Returns what was seen, for
    `lab.plot_lag(seen.seconds, seen.queued)`.

    With `block=False` the cell ends at once and the view goes on: for all `seconds`, unless `until`
    ends it. Then what is returned grows.
    """
    seen = Watched([], [], [], [])
    stack, view = current(), _View()
    ends = until or (_drained if block else lambda now: False)
    if block:
        _follow(stack, view, seen, ends, seconds, every)
    else:
        job = (stack, view, seen, ends, seconds, every)
        threading.Thread(target=_follow, args=job, daemon=True).start()
    return seen


def _follow(
    stack: Stack,
    view: _View,
    seen: Watched,
    ends: Callable[[Snapshot], Any],
    seconds: float,
    every: float,
) -> None:
    start = time.perf_counter()
    while True:
        now = snapshot.take(stack)
        elapsed = time.perf_counter() - start
        _note(seen, elapsed, now)
        is_last = bool(ends(now)) or elapsed >= seconds
        view.show(now, elapsed, is_last)
        if is_last:
            return
        time.sleep(min(every, max(0.0, seconds - elapsed)))


class _View:
    """A picture that moves while there is something to see, and the table that stays.

    The table is what a notebook without a kernel, a book or a run in CI keeps. It takes the
    picture's place at the end, so that nobody needs to know which of them is looking.
    """

    def __init__(self) -> None:
        self._picture: Any = None
        if hasattr(get_ipython(), "kernel"):
            from lab.cells.placesview import PlacesView

            self._picture = PlacesView(
                now=dict.fromkeys(("keys", "queued", "pending", "documents"), 0)
            )
            self._place = display(self._picture, display_id=True)
        else:
            self._place = None

    def show(self, now: Snapshot, elapsed: float, is_last: bool) -> None:
        """Show what was seen after so many seconds."""
        if self._picture is not None and not is_last:
            self._picture.show(now)
            return
        page = HTML(_table(now, elapsed))
        if self._place is None:
            self._place = display(page, display_id=True)
        else:
            self._place.update(page)
        if self._picture is not None:
            self._picture.close()


def _drained(now: Snapshot) -> bool:
    return now.documents is not None and not now.problems and not now.queued and not now.pending


def _note(seen: Watched, elapsed: float, now: Snapshot) -> None:
    seen.seconds.append(elapsed)
    seen.queued.append(float(now.queued))
    seen.pending.append(float(now.pending))
    seen.documents.append(float("nan") if now.documents is None else float(now.documents))


def _table(now: Snapshot, elapsed: float) -> str:
    rows = {
        "movies in Redis": now.movie_keys,
        "in the stream": now.queued,
        "delivered, not acknowledged": now.pending,
        "documents in MongoDB": now.documents,
    }
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{name}</th>'
        f'<td style="text-align:right">{"no answer" if value is None else value}</td></tr>'
        for name, value in rows.items()
    )
    caption = f'<caption style="text-align:left">after {elapsed:.1f} s</caption>'
    return f'<table aria-live="polite">{caption}<tbody>{body}</tbody></table>'
