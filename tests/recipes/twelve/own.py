"""Judge four functions by some of the twelve, one line of JSON a property, as each is known.

    python -m tests.recipes.twelve.own FILE PATIENCE NUMBER...

FILE holds what notebook 14 has pickled. It ends, and its servers with it, when its input ends: whoever
has started it is gone, or has been interrupted.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.recipes.twelve.contenders.pieces import Own
from tests.recipes.twelve.judging import Verdict, judge
from tests.recipes.twelve.properties import PROPERTIES
from tests.recipes.twelve.world import World


def verdicts(world: World, file: Path, numbers: list[int], patience: float) -> Iterator[Any]:
    """Judge by one property after the other."""
    recipe = type("Reviews", (Own,), {"name": "reviews", "pickled": file})
    for number in numbers:
        known = set(world.folder.glob("worker-*"))
        try:
            verdict = judge(world, recipe, number, patience=patience)
        except Exception as problem:  # a learner's own function, or what it has led to
            verdict = Verdict(False, f"{type(problem).__name__}: {problem}")
        seen = verdict.seen
        if not verdict.holds and (why := died(set(world.folder.glob("worker-*")) - known)):
            seen = f"the worker ended with {why}"
        title, sentence = PROPERTIES[number].TITLE, PROPERTIES[number].SENTENCE
        yield number, title, sentence, verdict.holds, seen


def died(workers: set[Path]) -> str:
    """What a worker's Python has said at its end; empty when none ended by itself."""
    for folder in sorted(workers):
        log = (folder / "worker.log").read_text(encoding="utf-8", errors="replace")
        if "Traceback (most recent call last)" in log:
            return re.sub(r"\s+", " ", log.strip().splitlines()[-1])
    return ""


def main() -> None:
    """Judge, and print."""
    file, patience, *numbers = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_watch_input, daemon=True).start()
    out = sys.stdout  # for verdicts; what is waited for is said beside
    with (
        contextlib.redirect_stdout(sys.stderr),
        tempfile.TemporaryDirectory(prefix="twelve-") as folder,
    ):
        world = World(Path(folder))
        try:
            for told in verdicts(world, Path(file), list(map(int, numbers)), float(patience)):
                print(json.dumps(told), file=out, flush=True)
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending
            world.close()


def _watch_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
