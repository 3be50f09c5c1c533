"""The command line, as somebody on call uses it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rich.console import Console

from recipes.streams import Metrics, Sink, Worker, WriteBehind
from recipes.streams.cli import main
from recipes.streams.core.names import CONSUMER, GROUP
from recipes.streams.verbs import looking
from recipes.streams.verbs.commands import _READABLE
from recipes.streams.verbs.places import MEND, TRY_AGAIN
from recipes.streams.worker.health import serve
from tests.freeports import free_ports
from tests.recipes.servers import MongoServer, PlainRedis, has_json, wait_for
from tests.recipes.streams.conftest import QUICK, drained, letters
from tests.recipes.streams.test_worker import raw

Run = Callable[..., Result]


@pytest.fixture
def run(redis_server: PlainRedis, mongo_server: MongoServer, mongo: Sink) -> Run:
    mongo.open()
    where = {
        "WRITEBEHIND_REDIS": redis_server.url,
        "WRITEBEHIND_DATABASE": f"{mongo_server.url}/test",
        "WRITEBEHIND_ROUTE": "Movie:=movies Person:=people",
        "WRITEBEHIND_PARTITIONS": "2",
        "COLUMNS": "200",
    }

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner(env=where).invoke(main, words)
        assert result.exit_code == code, result.output
        return result

    return run


def test_a_worker_of_the_command_line_drains_on_sigterm(
    wb: WriteBehind,
    redis_server: PlainRedis,
    mongo_server: MongoServer,
    mongo: Sink,
    tmp_path: Path,
) -> None:
    [port] = free_ports(1)
    config = tmp_path / "config"
    config.write_text(
        f"# a comment\nWRITEBEHIND_REDIS={redis_server.url}\nWRITEBEHIND_DATABASE={mongo_server.url}/test\n"
        'export WRITEBEHIND_ROUTE="Movie:=movies Person:=people"\nWRITEBEHIND_PARTITIONS = 2\n'
        f"WRITEBEHIND_METRICS_PORT={port}\n"
    )
    words = [sys.executable, "-m", "recipes.streams", "--config", str(config), "worker"]
    worker = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        for n in range(100):
            wb.set(f"Movie:{n}", {"n": n})
        drained(wb)
        wait_for(lambda: b"ok" in get(port, "health"), 60)
        assert b"ok" in get(port, "live")
        page = get(port, "metrics").decode()
        assert 'writebehind_queue_entries{partition="p00"}' in page
        assert "writebehind_lag_seconds_bucket" in page
    finally:
        worker.send_signal(signal.SIGTERM)
        _, log = worker.communicate(timeout=60)
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert events[0] == "started"
    assert events[-1] == "stopped"
    assert worker.returncode == 0
    assert not wb.redis.exists(*[p.lease for p in wb.partitions.all()])
    assert mongo.read("Movie:99") is not None


@pytest.mark.parametrize("line", ["WRITEBEHIND_LEESE=3", "WRITEBEHIND_REDIS redis://:secret@host"])
def test_a_line_of_the_configuration_that_means_nothing_is_said(
    run: Run, tmp_path: Path, line: str
) -> None:
    config = tmp_path / "config"
    config.write_text(f"{line}\n")
    said = run("--config", str(config), "status", code=2).output
    assert "WRITEBEHIND_LEASE" in said
    assert "secret" not in said


def test_each_setting_of_the_worker_may_be_an_environment_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: dict[str, Any] = {}

    def run(worker: Worker) -> None:
        told.update(vars(worker.settings))

    monkeypatch.setattr(Worker, "run", run)
    meant = {"batch_entries": 7, "batch_wait": 0.7, "lease": 70.0, "attempts": 3, "writers": 4}
    environment = {f"WRITEBEHIND_{name.upper()}": str(value) for name, value in meant.items()}
    environment |= {
        "WRITEBEHIND_DATABASE": "mongodb://nowhere/x",
        "WRITEBEHIND_ROUTE": "Movie:=movies",
    }
    result = CliRunner(env=environment).invoke(main, ["worker"])
    assert result.exit_code == 0, result.output
    assert {name: told[name] for name in meant} == meant


def test_an_outage_is_no_reason_to_restart_the_worker(
    redis_server: PlainRedis, mongo: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/health tells of the outage; /live only of a worker that stands still."""
    [port] = free_ports(1)
    nowhere = Redis(port=1, retry=Retry(NoBackoff(), 0))
    worker = Worker(nowhere, mongo, QUICK, Metrics(io.StringIO()))
    thread = threading.Thread(target=worker.run)
    with serve(worker.metrics, worker, port):
        thread.start()
        wait_for(lambda: b"503" in get(port, "health") and "Error" in worker.trouble(), 60)
        assert get(port, "live") == b"ok\n"
        monkeypatch.setattr("recipes.streams.worker.worker._STANDS_STILL", -1000)
        assert b"503" in get(port, "live")
        worker.stop()
    thread.join(60)


def plain(redis: Redis, key: str, document: object) -> None:
    """A write that nobody captures."""
    if has_json():
        redis.json().set(key, "$", document)
    else:
        redis.set(key, json.dumps(document))


def get(port: int, page: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}") as answer:
            found: bytes = answer.read()
            return found
    except OSError as error:
        return str(error).encode()


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
    start_worker: Callable[..., Worker],
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
    run: Run, wb: WriteBehind, mongo: Sink, start_worker: Callable[..., Worker]
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
    run: Run, wb: WriteBehind, mongo: Sink, redis: Redis, start_worker: Callable[..., Worker]
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
    run: Run, wb: WriteBehind, redis: Redis, mongo: Sink, start_worker: Callable[..., Worker]
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


def test_why(run: Run, wb: WriteBehind, mongo: Sink, start_worker: Callable[..., Worker]) -> None:
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
