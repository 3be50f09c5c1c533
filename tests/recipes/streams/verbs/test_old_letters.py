"""Dead letters that are replayed late, or more than once: nothing deleted comes back, nothing newer is lost."""

from __future__ import annotations

from recipes.streams import Sink, WriteBehind
from recipes.streams.databases.sink import TOMBSTONE_SECONDS
from recipes.streams.verbs import looking
from tests.recipes.servers import wait_for
from tests.recipes.streams.verbs.conftest import Run
from tests.recipes.streams.working import Start
from tests.recipes.streams.writing import KEY, drained, letters, raw


def bury(wb: WriteBehind, seconds_ago: float) -> None:
    """A dead letter of a write of so long ago."""
    at, now = wb.partitions.of(KEY), int(wb.redis.time()[0])
    written = f"{(now - int(seconds_ago)) * 1000}-0"
    letter = {"id": written, "key": KEY, "doc": '{"n": 1}', "error": "an index", "attempts": 5}
    wb.redis.xadd(at.dead, letter)


def test_a_letter_that_is_refused_again_is_as_old_as_before(
    run: Run, wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    """Else the next replay would overwrite what was written meanwhile."""
    start_worker(mongo)
    raw(wb, KEY, "[1]")
    wait_for(lambda: letters(wb), 60)
    [first] = looking.letters(wb)
    wb.set(KEY, {"n": "newer"})
    drained(wb)
    for _ in range(2):
        run("dead-letters", "replay", "--all")
        wait_for(lambda: letters(wb), 60)
        [again] = looking.letters(wb)
        assert again.letter_id != first.letter_id
        assert again.stream_id == first.stream_id


def test_a_letter_older_than_a_delete_is_remembered_waits_for_somebodys_word(
    run: Run, wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    start_worker(mongo)
    wb.prepare()
    bury(wb, TOMBSTONE_SECONDS + 60)
    assert "--though-gone" in run("dead-letters", "replay", "--all", code=1).output
    assert len(letters(wb)) == 1
    run("dead-letters", "replay", "--all", "--though-gone")
    drained(wb)
    stored = mongo.read(KEY)
    assert stored is not None
    assert stored.document == {"n": 1}


def test_a_young_letter_and_one_whose_document_is_there_are_replayed(
    run: Run, wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    start_worker(mongo)
    wb.prepare()
    bury(wb, TOMBSTONE_SECONDS - 3600)
    run("dead-letters", "replay", "--all")
    wb.set(KEY, {"n": 2})
    bury(wb, TOMBSTONE_SECONDS + 60)
    run("dead-letters", "replay", "--all")
    drained(wb)
    assert letters(wb) == []
    stored = mongo.read(KEY)
    assert stored is not None
    assert stored.document == {"n": 2}


def test_a_clock_that_stepped_back_makes_no_letter_younger(run: Run, wb: WriteBehind) -> None:
    wb.prepare()
    bury(wb, 0)
    at, ahead = wb.partitions.of(KEY), int(wb.redis.time()[0]) + TOMBSTONE_SECONDS + 60
    wb.redis.hset(at.state, "last", f"{ahead * 1000}-0")
    run("dead-letters", "replay", "--all", code=1)
    assert len(letters(wb)) == 1
