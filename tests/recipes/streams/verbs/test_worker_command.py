"""The command that is a worker: its settings, its end, and what it says of its health."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from recipes.streams import Metrics, Sink, Worker, WriteBehind
from recipes.streams.cli import main
from recipes.streams.core.names import GROUP
from recipes.streams.worker.health import serve
from tests.freeports import free_ports
from tests.recipes.servers import MongoServer, PlainRedis, wait_for
from tests.recipes.streams.working import QUICK, running
from tests.recipes.streams.writing import drained


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


IMPATIENT = """
from recipes.streams.cli import main
from recipes.streams.databases import mongo
mongo.ANSWERS_WITHIN = 1.0
main()
"""


def test_a_worker_that_is_asked_to_end_while_the_database_hangs_ends_and_loses_nothing(
    wb: WriteBehind, redis_server: PlainRedis, mongo_server: MongoServer, mongo: Sink
) -> None:
    """It waits for the answer that it has asked for, 20 seconds at most, and begins nothing else."""
    words = [sys.executable, "-c", IMPATIENT, "worker", "--redis", redis_server.url]
    words += [
        "--database",
        f"{mongo_server.url}/test",
        "--route",
        "Movie:=movies",
        "--route",
        "Person:=people",
    ]
    worker = subprocess.Popen([*words, "--partitions", "2"], stderr=subprocess.PIPE, text=True)
    at = wb.partitions.of("Movie:1")
    try:
        wb.set("Movie:1", {"n": 0})
        drained(wb)
        assert mongo_server.process is not None
        mongo_server.process.send_signal(signal.SIGSTOP)
        try:
            wb.set("Movie:1", {"n": 1})
            wait_for(lambda: wb.redis.xpending(at.stream, GROUP)["pending"], 60, "a batch in hand")
            worker.send_signal(signal.SIGTERM)
            _, log = worker.communicate(timeout=60)
        finally:
            mongo_server.process.send_signal(signal.SIGCONT)
        assert worker.returncode == 0, log
        assert wb.redis.xlen(at.stream) == 1
        assert not wb.redis.exists(*[p.lease for p in wb.partitions.all()])
    finally:
        worker.kill()
    with running(Worker(wb.redis, mongo, QUICK)):
        drained(wb)
    stored = mongo.read("Movie:1")
    assert stored is not None
    assert stored.document == {"n": 1}


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
    with serve(worker.metrics, worker, port), running(worker):
        wait_for(lambda: b"503" in get(port, "health") and "Error" in worker.trouble(), 60)
        assert get(port, "live") == b"ok\n"
        monkeypatch.setattr("recipes.streams.worker.worker._STANDS_STILL", -1000)
        assert b"503" in get(port, "live")


def get(port: int, page: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}") as answer:
            found: bytes = answer.read()
            return found
    except OSError as error:
        return str(error).encode()
