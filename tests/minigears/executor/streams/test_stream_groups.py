"""Consumer groups: what is pending comes first; a stream or a group that goes while it is read."""

from __future__ import annotations

import pytest

from minigears.executor.streams import ReaderStatus
from minigears.executor.streams.group import MOST_BYTES, StreamGroup
from tests.minigears.realredis import wait_for

GROUP = "__gears_consumer_group__"


def test_pending_entries_come_first(start_reader, stream):
    ids = stream.add(5)
    stream.conn.call("XGROUP", "CREATE", "s:1", GROUP, "0")
    stream.conn.call(
        *("XREADGROUP", "GROUP", GROUP, "__gears_client__", "COUNT", "3"),
        *("STREAMS", "s:1", ">"),
    )
    reader = start_reader(batch=2)
    wait_for(lambda: sum(reader.steps.sizes) == 5)
    assert reader.steps.sizes == [2, 1, 2]
    assert reader.steps.ids == ids
    wait_for(lambda: stream.length() == 0)


def test_pending_entries_that_were_removed_are_acknowledged_and_told(start_reader, stream):
    ids = stream.add(3)
    stream.conn.call("XGROUP", "CREATE", "s:1", GROUP, "0")
    stream.conn.call(*("XREADGROUP", "GROUP", GROUP, "__gears_client__"), *("STREAMS", "s:1", ">"))
    stream.conn.call("XDEL", "s:1", *ids[:2])
    reader = start_reader(batch=2)
    wait_for(lambda: reader.steps.ids == ids[2:])
    wait_for(lambda: stream.pending() == 0)
    assert "warning 2 pending entries of b's:1' were removed unread" in reader.log


def test_a_stream_that_was_deleted_is_read_again(start_reader, stream):
    reader = start_reader()
    stream.add(1, reader)
    wait_for(lambda: reader.stats.success == 2)
    stream.conn.call("DEL", "s:1")
    ids = stream.add(2, reader)
    wait_for(lambda: reader.steps.ids[1:] == ids)
    wait_for(lambda: stream.length() == 0)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_group_that_was_destroyed_is_made_again(start_reader, stream, batch):
    reader = start_reader(batch=batch)
    stream.add(2, reader)
    wait_for(lambda: sum(reader.steps.sizes) == 2)
    wait_for(lambda: stream.length() == 0)
    stream.conn.call("XGROUP", "DESTROY", "s:1", GROUP)
    ids = stream.add(2, reader)
    wait_for(lambda: reader.steps.ids[2:] == ids)
    wait_for(lambda: stream.length() == 0)


def test_a_stream_deleted_while_its_batch_runs(start_reader, stream):
    reader = start_reader()
    reader.steps.gate.clear()
    stream.add(1, reader)
    assert reader.steps.running.wait(30)
    [first] = reader.steps.ids
    stream.conn.call("DEL", "s:1")
    stream.conn.call("XADD", "s:1", first, "another", "entry")
    reader.steps.gate.set()
    wait_for(lambda: len(reader.steps.ids) == 2)
    assert reader.steps.batches[1][0]["value"] == {"another": "entry"}
    wait_for(lambda: stream.length() == 0)


def test_a_key_that_becomes_something_else_is_left_alone(start_reader, stream):
    reader = start_reader(batch=2)
    stream.add(1, reader)
    wait_for(lambda: reader.stats.success == 1)
    stream.conn.pipeline([("DEL", "s:1"), ("SET", "s:1", "x")])
    reader.runner.notify(b"s:1")
    stream.conn.pipeline([("XADD", "s:2", "*", "a", "b")] * 2)
    reader.runner.notify(b"s:2")
    wait_for(lambda: reader.steps.sizes == [2])
    assert reader.log == []
    assert reader.runner.status is ReaderStatus.OK


def test_what_is_pending_is_bounded_by_bytes_too(start_reader, stream):
    big = "x" * (1024 * 1024)
    ids = [stream.conn.call("XADD", stream.key, "*", "big", big).decode() for _ in range(60)]
    group = StreamGroup(stream.conn, stream.key.encode())
    while group.read_new(60).entries:
        pass
    assert stream.pending() == 60
    reader = start_reader(batch=60)
    wait_for(lambda: stream.length() == 0, 60)
    assert reader.steps.ids == ids
    assert max(reader.steps.sizes) <= 25 + MOST_BYTES // len(big)
