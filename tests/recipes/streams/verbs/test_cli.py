"""The command line, as somebody on call uses it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis
from rich.console import Console

from recipes.streams import Sink, WriteBehind
from recipes.streams.core.names import CONSUMER, GROUP
from recipes.streams.verbs import looking
from recipes.streams.verbs.commands import _READABLE
from recipes.streams.verbs.places import MEND, TRY_AGAIN
from tests.recipes.servers import MongoServer, PlainRedis, wait_for
from tests.recipes.streams.verbs.conftest import Run
from tests.recipes.streams.working import QUICK, Start
from tests.recipes.streams.writing import drained, letters, plain, raw


@pytest.mark.parametrize("line", ["WRITEBEHIND_LEESE=3", "WRITEBEHIND_REDIS redis://:secret@host"])
def test_a_line_of_the_configuration_that_means_nothing_is_said(
    run: Run, tmp_path: Path, line: str
) -> None:
    config = tmp_path / "config"
    config.write_text(f"{line}\n")
    said = run("--config", str(config), "status", code=2).output
    assert "WRITEBEHIND_LEASE" in said
    assert "secret" not in said


def test_status(run: Run, wb: WriteBehind) -> None:
    wb.set("Movie:1", {"n": 1})
    output = run("status").output
    assert "nobody" in output
    assert "p01" in output


@pytest.mark.parametrize("count", [1, 3, 5])
def test_status_and_why_tell_what_a_worker_has_in_its_hands(
    run: Run, wb: WriteBehind, redis: Redis, count: int
) -> None:
    for number in range(count):
        wb.set("Movie:1", {"n": number})
    stream = wb.partitions.of("Movie:1").stream
    redis.xgroup_create(stream, GROUP, id="0")
    redis.xreadgroup(GROUP, CONSUMER, {stream: ">"})
    redis.set(wb.partitions.of("Movie:1").lease, "worker")
    (row,) = (line for line in run("status").output.splitlines() if "worker" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][1:3] == [str(count), str(count)]
    assert f"{count} writes are with worker" in run("why", "Movie:1").output


def test_what_is_shown_of_a_letter_can_be_read_on_a_dark_page() -> None:
    page = io.StringIO()
    Console(file=page, force_terminal=True, color_system="standard", theme=_READABLE).print_json(
        data={"id": 1}
    )
    assert '"id"' in page.getvalue()
    assert "34m" not in page.getvalue(), "blue"


def test_dead_letters_are_listed_shown_replayed_and_dropped(
    run: Run,
    wb: WriteBehind,
    mongo: Sink,
    mongo_server: MongoServer,
    start_worker: Start,
) -> None:
    with mongo_server.client() as client:
        client.test.movies.create_index("title", unique=True)
        wb.set("Movie:1", {"title": "Alien"})
        start_worker(mongo)
        drained(wb)
        wb.set("Movie:2", {"title": "Alien"})
        raw(wb, "Movie:3", "[1]")
        wait_for(lambda: len(letters(wb)) == 2, 60)
        assert "Movie:2" in run("dead-letters", "list").output
        client.test.movies.drop_index("title_1")
    names = {
        letter.key: f"{letter.partition.tag}/{letter.letter_id}" for letter in looking.letters(wb)
    }
    assert "Alien" in run("dead-letters", "show", names["Movie:2"]).output
    run("dead-letters", "replay", names["Movie:2"])
    drained(wb)
    assert mongo.read("Movie:2") is not None
    run("dead-letters", "drop", "--yes", "--all")
    assert letters(wb) == []
    run("dead-letters", "replay", code=2)
    run("dead-letters", "show", "p00/1-1", code=1)


def test_a_replayed_letter_does_not_overwrite_a_newer_write(
    run: Run, wb: WriteBehind, mongo: Sink, start_worker: Start
) -> None:
    start_worker(mongo)
    raw(wb, "Movie:1", '{"_id": 1}')
    wait_for(lambda: letters(wb), 60)
    wb.set("Movie:1", {"n": "newer"})
    drained(wb)
    run("dead-letters", "replay", "--all")
    drained(wb)
    stored = mongo.read("Movie:1")
    assert stored is not None
    assert stored.document == {"n": "newer"}


def test_planted_drift_is_found_and_repaired(
    run: Run, wb: WriteBehind, mongo: Sink, redis: Redis, start_worker: Start
) -> None:
    start_worker(mongo)
    for n in range(30):
        wb.set(f"Movie:{n}", {"n": n, "f": 1.0})
    drained(wb)
    assert "0 differences" in run("reconcile").output
    plain(redis, "Movie:1", {"n": "changed by a stranger"})
    plain(redis, "Movie:new", {"n": "never captured"})
    redis.delete("Movie:2")
    output = run("reconcile", code=1).output
    assert "Movie:1: different" in output
    assert "Movie:new: only in Redis" in output
    assert "Movie:2: only in the database" in output
    assert "3 differences" in output
    assert "without being captured" in run("why", "Movie:1").output
    run("reconcile", "--repair")
    drained(wb)
    assert "0 differences" in run("reconcile").output
    assert wb.get("Movie:2") == {"n": 2, "f": 1.0}
    assert mongo.read("Movie:new") is not None


def test_reconcile_goes_on_where_it_was(
    run: Run, wb: WriteBehind, redis: Redis, tmp_path: Path
) -> None:
    for n in range(10):
        plain(redis, f"Movie:{n}", {"n": n})
    place = tmp_path / "place"
    place.write_text("Movie:6")
    assert "3 differences" in run("reconcile", "--resume", str(place), code=1).output
    assert not place.exists()


def test_backfill(
    run: Run, wb: WriteBehind, redis: Redis, mongo: Sink, start_worker: Start
) -> None:
    for n in range(10):
        plain(redis, f"Movie:{n}", {"n": n})
    assert "10 documents" in run("backfill").output
    start_worker(mongo)
    drained(wb)
    assert sum(1 for _ in mongo.scan()) == 10


def test_no_bar_where_nobody_can_watch_it_move(
    wb: WriteBehind, redis: Redis, redis_server: PlainRedis
) -> None:
    """A kernel of Jupyter asks for colours; its cells keep whatever comes to standard error."""
    plain(redis, "Movie:1", {"n": 1})
    words = ["--redis", redis_server.url, "--partitions", "2", "--route", "Movie:=movies"]
    done = subprocess.run(
        [sys.executable, "-m", "recipes.streams", "backfill", *words],
        env={**os.environ, "FORCE_COLOR": "1", "TTY_INTERACTIVE": "0"},
        capture_output=True,
        text=True,
    )
    assert "1 documents queued" in done.stdout, done
    assert done.stderr == ""


def test_why(run: Run, wb: WriteBehind, mongo: Sink, start_worker: Start) -> None:
    assert "neither store" in run("why", "Movie:1").output
    wb.set("Movie:1", {"n": 1})
    assert "no worker holds" in run("why", "Movie:1").output
    start_worker(mongo)
    drained(wb)
    assert "the same" in run("why", "Movie:1").output
    raw(wb, "Movie:1", '{"_id": 1}')
    wait_for(lambda: letters(wb), 60)
    assert "refused the last write" in run("why", "Movie:1").output


def test_what_cannot_be_is_said(run: Run, redis_server: PlainRedis) -> None:
    assert "PREFIX=NAME" in run("why", "x", "--route", "Movie:", code=MEND).output
    assert "mongodb://" in run("why", "x", "--database", "mysql://x", code=MEND).output
    nobody = run("status", "--redis", "redis://127.0.0.1:1", code=TRY_AGAIN).output
    assert "Traceback" not in nobody
    assert "2 partitions" not in run("status").output
    assert QUICK.partitions.count == 2
    run("why", "x", "--partitions", "3", code=MEND)
