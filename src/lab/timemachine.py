"""The view of a recording: a slider over its milliseconds. One piece of HTML that needs no kernel."""

from __future__ import annotations

import html
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.recording import Recording

UNSYNCED_MS = {"always": 0.0, "everysec": 1000.0, "no": 30_000.0}
"""For how long Redis may not have written to its disk, at most, under each `appendfsync`."""

_TEMPLATE = Path(__file__).with_name("timemachine.html")


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
