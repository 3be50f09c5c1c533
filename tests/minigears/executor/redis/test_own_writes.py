"""What functions write themselves is marked, so that it triggers no sync function."""

from __future__ import annotations

import pytest

from minigears.executor.redis.connection import BlockingConnection
from tests.minigears.executor.fakedoor import FakeDoor


def marks(door: FakeDoor, conn: BlockingConnection, script: str) -> list[bytes]:
    """Commands that Redis ran for one event, as MONITOR shows them."""
    door.script(script)
    registration = door.ids[-1]
    conn.call("MONITOR")
    door.fire(registration, b"k:1", "set")
    conn.send(b"ECHO finished\r\n")
    lines = []
    while not (line := conn.read()).endswith(b'"finished"'):
        lines.append(line)
    return [line.rpartition(b"] ")[2] for line in lines[:-1]]


BEGIN = b'"PUBLISH" "__minigears__:own" "begin'


END = b'"PUBLISH" "__minigears__:own" "end"'


@pytest.mark.parametrize(
    ("mode", "command", "marked"),
    [
        ("sync", "'SET', 'k:2', '1'", True),
        ("sync", "'RENAME', 'other', 'k:2'", True),
        ("sync", "'XADD', 'stream', '*', 'f', 'v'", False),
        ("sync", "'GET', 'k:2'", False),
        ("async", "'SET', 'k:2', '1'", False),
    ],
)
def test_own_writes_are_marked(
    door: FakeDoor, redis_conn: BlockingConnection, mode: str, command: str, marked: bool
):
    redis_conn.call("SET", "other", "1")
    options = f"prefix='k:*', mode='{mode}', readValue=False"
    script = f"GB('KeysReader').foreach(lambda x: execute({command})).register({options})"
    ran = marks(door, redis_conn, script)
    assert any(line.startswith(BEGIN) for line in ran) == marked
    assert (END in ran) == marked


def test_reads_are_marked_for_those_who_listen_to_misses(
    door: FakeDoor, redis_conn: BlockingConnection
):
    options = "prefix='k:*', mode='sync', eventTypes=['keymiss']"
    script = f"GB('KeysReader').foreach(lambda x: execute('GET', x['key'])).register({options})"
    ran = marks(door, redis_conn, script)
    assert sum(line.startswith(BEGIN) for line in ran) == 2  # the record, and the GET
