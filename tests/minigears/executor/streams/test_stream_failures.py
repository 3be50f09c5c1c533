"""Steps that fail, registrations that pause, a Redis that goes away."""

from __future__ import annotations

import signal

import pytest

from minigears.executor.errors import ForceStopped, GearsFlatError
from minigears.executor.streams import BatchFailed, ReaderStatus
from tests.minigears.realredis import wait_for

AOF = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")


def test_continue_drops_a_batch_that_fails(start_reader, stream):
    reader = start_reader(on_failed_policy="continue")
    reader.steps.error = BatchFailed("['no']")
    stream.add(1, reader)
    wait_for(lambda: stream.length() == 0)
    assert stream.pending() == 0
    assert (reader.stats.failures, reader.stats.last_error) == (1, "['no']")
    reader.steps.error = None
    stream.add(1, reader)
    wait_for(lambda: reader.stats.success == 2)
    assert reader.log == ["warning a batch of 1 of b's:1' failed, entries are dropped: ['no']"]


def test_one_that_has_stopped_looks_no_further(start_reader, stream):
    """Entries that stay, as they are not removed, are no reason to count one more look."""
    reader = start_reader(trim_stream=False, on_failed_policy="abort", batch=2)
    stream.add(2, reader)
    wait_for(lambda: reader.stats.success == 2)
    reader.runner.pause()
    reader.steps.error = ValueError("no")
    stream.add(1)
    reader.stats.clear()
    reader.runner.unpause()
    wait_for(lambda: reader.runner.status is ReaderStatus.ABORTED)
    assert (reader.stats.triggered, reader.stats.success, reader.stats.failures) == (2, 1, 1)


def test_to_unpause_one_that_runs_changes_nothing(start_reader, stream):
    """Else one entry would go out alone, though its batch is not full, and a look would be counted."""
    reader = start_reader(batch=2)
    ids = stream.add(1, reader)
    wait_for(lambda: reader.stats.triggered == 1, what="the first look")
    reader.runner.unpause()
    ids += stream.add(1, reader)
    wait_for(lambda: stream.length() == 0)
    assert (reader.steps.sizes, reader.steps.ids, reader.stats.triggered) == ([2], ids, 2)


def test_abort_stops_until_unpaused_and_keeps_the_entries(start_reader, stream):
    reader = start_reader(on_failed_policy="abort", batch=2)
    reader.steps.error = ValueError("no")
    ids = stream.add(2, reader)
    wait_for(lambda: reader.runner.status is ReaderStatus.ABORTED)
    ids += stream.add(2, reader)
    reader.runner.pause()
    assert reader.runner.status is ReaderStatus.ABORTED
    assert (stream.length(), stream.pending(), reader.steps.sizes) == (4, 2, [2])
    assert "ValueError: no" in reader.stats.last_error

    reader.steps.error = None
    reader.runner.unpause()
    wait_for(lambda: stream.length() == 0)
    assert reader.steps.ids == ids[:2] + ids
    assert reader.runner.status is ReaderStatus.OK


def test_retry_starts_over_until_it_works(start_reader, stream):
    reader = start_reader(on_failed_policy="retry", on_failed_retry_interval=0.01, batch=2)
    reader.steps.error = BatchFailed("no")
    ids = stream.add(3, reader)
    wait_for(lambda: reader.stats.failures >= 5)
    assert stream.length() == 3
    reader.steps.error = None
    wait_for(lambda: stream.length() == 0)
    assert set(reader.steps.ids) == set(ids)
    assert reader.steps.ids[-3:] == ids
    assert reader.runner.status is ReaderStatus.OK


def test_retry_waits_its_interval(start_reader, stream):
    reader = start_reader(on_failed_policy="retry", on_failed_retry_interval=3600)
    reader.steps.error = BatchFailed("no")
    stream.add(1, reader)
    wait_for(lambda: reader.runner.status is ReaderStatus.WAITING)
    assert reader.runner.status.value == "WAITING_FOR_RETRY_ON_FAILURE"
    stream.add(1, reader)
    reader.runner.rescan()
    reader.runner.stop()
    assert reader.runner.join(30)
    assert reader.steps.sizes == [1]


def test_unpausing_cuts_the_wait_short(start_reader, stream):
    reader = start_reader(on_failed_policy="retry", on_failed_retry_interval=3600)
    reader.steps.error = BatchFailed("no")
    stream.add(1, reader)
    wait_for(lambda: reader.runner.status is ReaderStatus.WAITING)
    reader.steps.error = None
    reader.runner.unpause()
    wait_for(lambda: stream.length() == 0)


@pytest.mark.parametrize("policy", ["continue", "abort", "retry"])
def test_an_error_that_starts_with_pause_pauses(start_reader, stream, policy):
    reader = start_reader(on_failed_policy=policy, on_failed_retry_interval=0)
    reader.steps.error = GearsFlatError("PAUSE: the database is away")
    ids = stream.add(1, reader)
    wait_for(lambda: reader.runner.status is ReaderStatus.PAUSED)
    assert reader.stats.last_error == "PAUSE: the database is away"
    assert (stream.length(), stream.pending()) == (1, 1)
    reader.steps.error = None
    reader.runner.unpause()
    wait_for(lambda: stream.length() == 0)
    assert reader.steps.ids == ids * 2


def test_paused_nothing_runs_and_nothing_is_missed(start_reader, stream):
    reader = start_reader()
    stream.add(1, reader)
    wait_for(lambda: stream.length() == 0)
    reader.runner.pause()
    assert reader.runner.status is ReaderStatus.PAUSED
    ids = stream.add(3, reader)
    reader.runner.unpause()
    wait_for(lambda: stream.length() == 0)
    assert reader.steps.ids[1:] == ids


def test_a_batch_that_succeeds_while_pausing_is_done(start_reader, stream):
    reader = start_reader()
    reader.steps.gate.clear()
    stream.add(2, reader)
    assert reader.steps.running.wait(30)
    reader.runner.pause()
    reader.steps.gate.set()
    wait_for(lambda: stream.length() == 1)
    assert (stream.pending(), len(reader.steps.ids)) == (0, 1)


def test_a_batch_that_fails_while_pausing_is_kept(start_reader, stream):
    reader = start_reader(on_failed_policy="continue")
    reader.steps.gate.clear()
    reader.steps.error = BatchFailed("no")
    ids = stream.add(1, reader)
    assert reader.steps.running.wait(30)
    reader.runner.pause()
    reader.steps.gate.set()
    wait_for(lambda: reader.stats.failures == 1)
    reader.steps.error = None
    reader.runner.unpause()
    wait_for(lambda: stream.length() == 0)
    assert reader.steps.ids == ids * 2


def test_an_aborted_batch_stays_pending_and_others_run(start_reader, stream):
    reader = start_reader(on_failed_policy="retry", on_failed_retry_interval=0)
    reader.steps.error = ForceStopped("stopped")
    [aborted] = stream.add(1, reader)
    wait_for(lambda: reader.stats.failures == 1)
    reader.steps.error = None
    [other] = stream.add(1, reader)
    wait_for(lambda: stream.length() == 1)
    assert reader.steps.ids == [aborted, other]
    assert stream.pending() == 1
    reader.runner.rescan()
    wait_for(lambda: stream.length() == 0)


def test_steps_that_leave_python_are_a_failure(start_reader, stream):
    reader = start_reader()
    reader.steps.error = SystemExit(1)
    stream.add(1, reader)
    wait_for(lambda: reader.stats.failures == 1)
    reader.steps.error = None
    stream.add(1, reader)
    wait_for(lambda: reader.stats.success == 2)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_redis_restarts_underneath(start_redis, start_reader, how):
    server = start_redis(*AOF)
    reader = start_reader(server=server, batch=2)
    conn = server.connect()
    conn.pipeline([("XADD", "s:1", "*", "a", "b")] * 2)
    reader.runner.notify(b"s:1")
    wait_for(lambda: conn.call("XLEN", "s:1") == 0)
    server.restart(how)
    conn = server.connect()
    conn.pipeline([("XADD", "s:1", "*", "a", "b")] * 2)
    reader.runner.notify(b"s:1")
    wait_for(lambda: conn.call("XLEN", "s:1") == 0)
    assert reader.steps.sizes == [2, 2]
    assert reader.log[-1] == "notice registration 0-1 reads from Redis again"


def test_redis_killed_while_a_batch_runs(start_redis, start_reader):
    """The batch cannot be acknowledged, so it runs again: a duplicate, and no loss."""
    server = start_redis(*AOF)
    reader = start_reader(server=server, batch=2)
    reader.steps.gate.clear()
    ids = server.connect().pipeline([("XADD", "s:1", "*", "a", "b")] * 3)
    reader.runner.notify(b"s:1")
    assert reader.steps.running.wait(30)
    server.stop(signal.SIGKILL)
    reader.steps.gate.set()
    wait_for(lambda: reader.log, what="the loss to be noticed")
    server.start()
    conn = server.connect()
    wait_for(lambda: conn.call("XLEN", "s:1") == 0)
    delivered = [name.encode() for name in reader.steps.ids]
    assert delivered == ids[:2] + ids
    assert len(reader.log) == 2


def test_redis_that_refuses_for_a_while(start_reader, stream):
    reader = start_reader()
    stream.conn.call("CONFIG", "SET", "min-replicas-to-write", "1")
    reader.runner.notify(b"s:1")
    stream.conn.call("CONFIG", "SET", "min-replicas-to-write", "0")
    stream.add(1)
    stream.conn.call("CONFIG", "SET", "min-replicas-to-write", "1")
    reader.runner.notify(b"s:1")
    wait_for(lambda: any("NOREPLICAS" in line for line in reader.log))
    stream.conn.call("CONFIG", "SET", "min-replicas-to-write", "0")
    wait_for(lambda: stream.length() == 0)
    assert len(set(reader.steps.ids)) == 1


def test_a_reader_that_fails_begins_anew(start_reader, stream, monkeypatch):
    """One moment without memory must not end a registration in silence."""
    reader = start_reader()
    seen = []
    deliver = reader.runner._visitor._deliver

    def short_of_memory(*arguments):
        seen.append(arguments)
        if len(seen) == 1:
            raise MemoryError
        return deliver(*arguments)

    monkeypatch.setattr(reader.runner._visitor, "_deliver", short_of_memory)
    ids = stream.add(3, reader)
    wait_for(lambda: stream.length() == 0, what="the entries to be delivered after all")
    assert reader.steps.ids == ids
    assert len(seen) > 1


def test_a_function_that_hangs_shows_in_the_lag(start_reader, stream):
    reader = start_reader()
    reader.steps.gate.clear()
    stream.add(1, reader)
    wait_for(lambda: reader.runner.lag_ms > 50, what="the lag to grow while the function hangs")
    shown = reader.stats.fields(True, reader.runner.lag_ms)
    assert shown[shown.index("lastEstimatedLagMS") + 1] >= 50
    reader.steps.gate.set()
    wait_for(lambda: stream.length() == 0)
    assert reader.runner.lag_ms == 0
