"""When a batch runs: full, or old enough; and how large it is."""

from __future__ import annotations

import time

from minigears.executor.streams.group import MOST_BYTES
from tests.minigears.realredis import wait_for


def test_a_batch_waits_until_it_is_full(start_reader, stream):
    reader = start_reader(batch=3)
    first = stream.add(2, reader)
    wait_for(lambda: reader.stats.success == 1)
    second = stream.add(1, reader)
    wait_for(lambda: reader.steps.batches)
    assert reader.steps.sizes == [3]
    assert reader.steps.ids == first + second


def test_a_batch_that_is_not_full_runs_after_its_duration(start_reader, stream):
    reader = start_reader(batch=100, duration=300)
    added = time.monotonic()
    stream.add(2, reader)
    wait_for(lambda: reader.steps.batches)
    assert reader.steps.sizes == [2]
    assert time.monotonic() - added >= 0.3


def test_entries_left_by_a_full_batch_run_after_their_duration(start_reader, stream):
    reader = start_reader(batch=4, duration=50)
    stream.add(10, reader)
    wait_for(lambda: sum(reader.steps.sizes) == 10)
    assert max(reader.steps.sizes) == 4


def test_the_duration_counts_from_the_first_entry(start_reader, stream):
    """Entries that keep coming do not put the batch off."""
    reader = start_reader(batch=1_000_000, duration=200)
    added = 0

    def add_until_it_ran() -> bool:
        nonlocal added
        added += len(stream.add(1, reader))
        return bool(reader.steps.batches)

    wait_for(add_until_it_ran)
    assert 0 < reader.steps.sizes[0] <= added


def test_with_no_duration_a_batch_is_never_short(start_reader, stream):
    reader = start_reader(batch=4)
    for _ in range(11):
        stream.add(1, reader)
    wait_for(lambda: sum(reader.steps.sizes) == 8)
    assert reader.steps.sizes == [4, 4]
    wait_for(lambda: stream.length() == 3)


def test_entries_that_are_there_at_the_start_run_at_once(start_reader, stream):
    ids = stream.add(5)
    reader = start_reader(batch=4)
    wait_for(lambda: sum(reader.steps.sizes) == 5)
    assert reader.steps.sizes == [4, 1]
    assert reader.steps.ids == ids


def test_unread_entries_that_were_removed_do_not_confuse_the_count(start_reader, stream):
    reader = start_reader(batch=3)
    ids = stream.add(2, reader)
    wait_for(lambda: reader.stats.success == 1)
    stream.conn.call("XDEL", "s:1", ids[1])
    stream.add(2, reader)
    wait_for(lambda: reader.steps.batches)
    assert reader.steps.sizes == [3]


def test_a_batch_of_ten_thousand(start_reader, stream):
    ids = stream.add(10_001)
    reader = start_reader(batch=10_000)
    wait_for(lambda: stream.length() == 0)
    assert reader.steps.sizes == [10_000, 1]
    assert reader.steps.ids == ids


def test_a_batch_is_bounded_by_bytes_too(start_reader, stream):
    """120 entries of 1 MiB would be one batch of 120 MiB."""
    reader = start_reader(batch=120)
    big = "x" * (1024 * 1024)
    for _ in range(120):
        stream.conn.call("XADD", stream.key, "*", "big", big)
    reader.runner.notify(stream.key.encode())
    wait_for(lambda: stream.length() == 0, 60)
    assert sum(reader.steps.sizes) == 120
    assert max(reader.steps.sizes) <= 25 + MOST_BYTES // len(big)
    assert reader.stats.failures == 0
