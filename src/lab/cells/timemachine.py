"""A recording, and its view: a slider over its milliseconds, one piece of HTML that needs no kernel."""

from __future__ import annotations

import html
import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path

UNSYNCED_MS = {"always": 0.0, "everysec": 1000.0, "no": 30_000.0}
"""For how long Redis may not have written to its disk, at most, under each `appendfsync`."""

_TEMPLATE = Path(__file__).with_name("timemachine.html")


@dataclass
class Write:
    """One write. Moments are milliseconds since the recording began; None: it was not seen."""

    key: str
    sent: float | None = None
    answered: float | None = None
    entry_id: str = ""
    stream: str = ""
    queued: float | None = None
    delivered: float | None = None
    committed: float | None = None
    left: float | None = None

    @property
    def is_done(self) -> bool:
        """True when MongoDB has it and its entry has left the stream."""
        return self.committed is not None and (not self.entry_id or self.left is not None)

    def is_queued_at(self, moment: float) -> None:
        """Note when its entry was added; a commit that was seen before was of an earlier write of that key."""
        self.queued = moment
        if self.committed is not None and self.committed < moment:
            self.committed = None

    def put_in_order(self) -> None:
        """Moments are noted when they are seen: what was seen late was no later than what came of it."""
        if self.delivered is not None and self.committed is not None:
            self.delivered = min(self.delivered, self.committed)


@dataclass
class Recording:
    """The writes of a run, in order, and how long it took, in milliseconds."""

    writes: list[Write] = field(default_factory=list)
    length: float = 0.0
    problems: list[str] = field(default_factory=list)

    def lost_at(self, moment: float, unsynced: float) -> list[Write]:
        """Return what was answered and would be gone if the power failed at that moment.

        `unsynced` is for how many milliseconds Redis may not have written to its disk. A write
        that MongoDB has committed is safe.
        """
        return [
            write
            for write in self.writes
            if write.answered is not None
            and write.answered <= moment
            and (write.committed is None or write.committed > moment)
            and (write.queued or write.answered) > moment - unsynced
        ]

    def __repr__(self) -> str:
        return summary(self)

    def _repr_html_(self) -> str:
        return page(self)


def page(run: Recording) -> str:
    """Return the slider as HTML; below it the table that says the same without scripts."""
    data = {
        "length": run.length,
        "unsynced": UNSYNCED_MS,
        "writes": [
            [w.key, w.sent, w.answered, w.queued, w.delivered, w.committed, w.left, w.entry_id]
            for w in run.writes
        ],
    }
    told = json.dumps(data).replace("<", "\\u003c")
    name = f"tm-{uuid.uuid4().hex[:8]}"
    text = _TEMPLATE.read_text(encoding="utf-8")
    return (
        text.replace("@NAME@", name)
        .replace("@DATA@", told)
        .replace("@SUMMARY@", html.escape(summary(run)))
    )


def summary(run: Recording) -> str:
    """Return what can be said in text: how many went how far, and what a failure would have cost."""
    done = sum(write.committed is not None for write in run.writes)
    moments = sorted({w.answered for w in run.writes if w.answered is not None})
    lines = [f"{len(run.writes)} writes in {run.length:.0f} ms, {done} of them in MongoDB"]
    for policy, unsynced in UNSYNCED_MS.items():
        worst = max((len(run.lost_at(moment, unsynced)) for moment in moments), default=0)
        lines.append(
            f"  appendfsync {policy:<9} at the worst moment {worst} answered writes would be lost"
        )
    return "\n".join([*lines, *(f"  {problem}" for problem in run.problems)])
