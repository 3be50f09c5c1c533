"""A process with one stream reader, to be killed or measured. Prints one line for each thing done.

Usage: worker.py SOCKET BATCH COUNT [STOP_AT]. Its steps push every id to the list `done`. It waits to
be killed before id number STOP_AT; else it ends after COUNT ids and prints how far its memory grew,
in kilobytes.
"""

from __future__ import annotations

import resource
import sys
import threading
from types import SimpleNamespace
from typing import Any

from minigears.address import Address
from minigears.executor.redis.connection import BlockingConnection
from minigears.executor.stats import Stats
from minigears.executor.streams import StreamArgs, StreamReaderRunner
from minigears.loops import Loops


def main() -> None:
    path, batch, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    stop_at = int(sys.argv[4]) if len(sys.argv) > 4 else None
    address = Address(path=path)
    conn = BlockingConnection(address)
    done, before = 0, 0
    ended = threading.Event()

    def steps(records: list[dict[str, Any]]) -> None:
        nonlocal done, before
        if stop_at is not None and done + len(records) > stop_at:
            conn.pipeline([("RPUSH", "done", r["id"]) for r in records[: stop_at - done]])
            print("in the middle", flush=True)
            threading.Event().wait()
        conn.pipeline([("RPUSH", "done", r["id"]) for r in records])
        before = before or _peak()
        done += len(records)
        if done >= count:
            ended.set()

    registration = SimpleNamespace(id="0-1", args=StreamArgs("s:*", batch=batch), stats=Stats())
    runner = StreamReaderRunner(
        registration, lambda: BlockingConnection(address), steps, print, Loops()
    )
    runner.start()
    ended.wait()
    runner.stop()
    runner.join()
    print("grew", _peak() - before, flush=True)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


main()
