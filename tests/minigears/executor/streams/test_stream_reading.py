"""What is read when, and what becomes of it afterwards."""

from __future__ import annotations

import time

import pytest

from tests.minigears.realredis import wait_for

GROUP = "__gears_consumer_group__"


def test_a_record_has_key_id_and_fields_in_reverse_order(start_reader, redis_conn):
    reader = start_reader()
    redis_conn.call("XADD", "s:1", "5-1", "a", "b", "c", "d")
    reader.runner.notify(b"s:1")
    wait_for(lambda: reader.steps.batches)
    expected = "[[{'key': 's:1', 'id': '5-1', 'value': {'c': 'd', 'a': 'b'}}]]"
    assert str(reader.steps.batches) == expected


def test_what_is_not_text_is_bytes(start_reader, redis_conn):
    reader = start_reader()
    redis_conn.call("XADD", b"s:\xff", "5-1", b"\xfe", b"\xfd", "é", "ü")
    reader.runner.notify(b"s:\xff")
    wait_for(lambda: reader.steps.batches)
    [[record]] = reader.steps.batches
    assert record["key"] == bytearray(b"s:\xff")
    assert record["value"] == {"é": "ü", b"\xfe": bytearray(b"\xfd")}


def test_a_field_that_comes_twice_has_its_last_value(start_reader, redis_conn):
    reader = start_reader()
    redis_conn.call("XADD", "s:1", "5-1", "a", "1", "b", "2", "a", "3")
    reader.runner.notify(b"s:1")
    wait_for(lambda: reader.steps.batches)
    assert reader.steps.batches[0][0]["value"] == {"a": "3", "b": "2"}


def test_entries_that_are_done_are_removed_and_acknowledged(start_reader, stream):
    reader = start_reader()
    ids = stream.add(3, reader)
    wait_for(lambda: reader.stats.success == 4)  # three, and the look for pending ones
    assert reader.steps.ids == ids
    assert (stream.length(), stream.pending()) == (0, 0)


def test_without_trimming_entries_stay_and_are_acknowledged(start_reader, stream):
    reader = start_reader(trim_stream=False)
    ids = stream.add(3, reader)
    wait_for(lambda: reader.stats.success == 4)
    assert reader.steps.ids == ids
    assert (stream.length(), stream.pending()) == (3, 0)


def test_trimming_by_id_spares_what_comes_meanwhile(start_reader, stream):
    reader = start_reader(batch=2)
    reader.steps.gate.clear()
    stream.add(2, reader)
    assert reader.steps.running.wait(30)
    stream.conn.call("XADD", "s:1", "*", "late", "1")
    reader.steps.gate.set()
    wait_for(lambda: stream.length() == 1)
    [[_, fields]] = stream.conn.call("XRANGE", "s:1", "-", "+")
    assert fields == [b"late", b"1"]


def test_entries_with_ids_of_the_writers_own_are_all_delivered(start_reader, redis_conn):
    reader = start_reader()
    for number in range(1, 6):
        redis_conn.call("XADD", "s:1", f"{number}-1", "a", "b")
        reader.runner.notify(b"s:1")
    wait_for(lambda: len(reader.steps.ids) == 5)
    assert reader.stats.last_lag_ms == 0


def test_the_lag_is_the_age_of_a_batch_when_it_is_done(start_reader, redis_conn):
    minute_ago = int(time.time() * 1000) - 60_000
    redis_conn.call("XADD", "s:1", f"{minute_ago}-0", "a", "b")
    reader = start_reader()
    wait_for(lambda: reader.stats.success == 2)
    assert 60_000 <= reader.stats.last_lag_ms < 90_000


def test_only_streams_that_match_are_read(start_reader, redis_conn):
    for key in ("s:1", "s:2", "t:1", "s[1]", "s"):
        redis_conn.call("XADD", key, "1-1", "a", "b")
    redis_conn.call("SET", "s:text", "x")
    reader = start_reader("s:*")
    for key in (b"t:1", b"s[1]", b"s:text"):
        reader.runner.notify(key)
    wait_for(lambda: len(reader.steps.ids) == 2)
    assert {r["key"] for batch in reader.steps.batches for r in batch} == {"s:1", "s:2"}
    wait_for(lambda: redis_conn.call("XLEN", "s:2") == 0)
    reader.runner.stop()
    assert reader.runner.join(30)
    assert len(reader.steps.ids) == 2


@pytest.mark.parametrize("prefix", ["s", "s[1]", "s[1]*"])
def test_a_prefix_without_a_star_is_a_key(start_reader, redis_conn, prefix):
    keys = ["s", "s1", "s:1", "s[1]", "s[1]2"]
    for key in keys:
        redis_conn.call("XADD", key, "1-1", "a", "b")
    reader = start_reader(prefix)
    for key in keys:
        reader.runner.notify(key.encode())
    expected = {"s": {"s"}, "s[1]": {"s[1]"}, "s[1]*": {"s[1]", "s[1]2"}}[prefix]
    wait_for(lambda: len(reader.steps.ids) == len(expected))
    assert {r["key"] for batch in reader.steps.batches for r in batch} == expected


def test_a_thousand_streams_are_found_and_take_turns(start_reader, redis_conn):
    adds = [("XADD", f"s:{n}", "*", "a", "b") for n in range(1000) for _ in range(2)]
    redis_conn.pipeline(adds)
    reader = start_reader()
    wait_for(lambda: len(reader.steps.ids) == 2000)
    keys = [record["key"] for batch in reader.steps.batches for record in batch]
    assert len(set(keys[:1000])) == 1000


def test_counts_are_those_of_redisgears(start_reader, stream):
    """Recorded there after one entry: triggered 2, success 2."""
    reader = start_reader(trim_stream=False)
    stream.add(1, reader)
    wait_for(lambda: reader.stats.success == 2)
    assert (reader.stats.triggered, reader.stats.failures, reader.stats.aborted) == (2, 0, 0)


@pytest.mark.parametrize(
    ("trim", "entries", "again"),
    [(False, 2, 1), (True, 2, 0), (False, 3, 1)],
)
def test_counts_of_a_stream_that_was_there_before(start_reader, stream, trim, entries, again):
    """What stays in a stream is looked at once more at a start, and that counts; then it rests."""
    first = start_reader(batch=2, trim_stream=trim)
    stream.add(entries, first)
    wait_for(lambda: first.stats.success == 2)
    first.runner.stop()
    assert first.runner.join(30)
    second = start_reader(batch=2, trim_stream=trim)
    expected = 1 + again + (entries - 2)  # the look at what is pending, and a batch of what is left
    wait_for(lambda: second.stats.success == expected)
    stream.add(2, second)
    wait_for(lambda: second.stats.success == expected + 1)
    assert (second.stats.triggered, second.stats.failures) == (expected + 1, 0)


def test_stopping_lets_a_batch_finish(start_reader, stream):
    reader = start_reader()
    reader.steps.gate.clear()
    stream.add(2, reader)
    assert reader.steps.running.wait(30)
    reader.runner.stop()
    assert not reader.runner.join(0.01)
    reader.steps.gate.set()
    assert reader.runner.join(30)
    assert (len(reader.steps.ids), stream.length(), stream.pending()) == (1, 1, 0)


def test_a_successor_waits_for_the_last_batch_of_the_reader_it_replaces(start_reader, stream):
    old = start_reader(batch=1)
    old.steps.gate.clear()
    (first,) = stream.add(1, old)
    assert old.steps.running.wait(30)
    old.runner.stop()

    new = start_reader(batch=1, after=old)
    (second,) = stream.add(1, new)
    assert not new.steps.running.is_set()
    old.steps.gate.set()
    wait_for(lambda: new.steps.ids, what="the successor")
    assert (old.steps.ids, new.steps.ids) == ([first], [second])
