"""The embedded stack starts, is found again, and mends itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pymongo.errors
import pytest
import redis
from pymongo import WriteConcern

import lab
from lab import paths
from lab.stack import lifecycle, ports
from lab.stack.embedded import processes, sockets, statefile
from lab.stack.embedded import running as embedded
from lab.stack.embedded.services import SERVICES
from lab.stack.model import Stack
from tests.lab.stack.embedded.counting import count, pids

Elsewhere = Callable[[str], "subprocess.Popen[str]"]
UP = "import lab; stack = lab.up(); print('ready')"


def test_up_makes_every_part_answer(stack: Stack) -> None:
    assert stack.redis.ping()
    assert stack.redis_direct.ping()
    assert stack.db.command("ping")["ok"] == 1
    assert lab.status().running
    assert stack.redis.json().set("doc", "$", {"a": 1})
    modules = stack.redis.info("modules")["modules"]
    assert {"ReJSON", "search"} <= {module["name"] for module in modules}
    assert stack.cli == f"redis-cli -p {os.environ['LAB_PORT_MINIGEARS']}"


def test_second_up_finds_the_same_stack(stack: Stack) -> None:
    before = pids()
    assert lab.up() is stack
    assert pids() == before


def test_stack_outlives_the_kernel_that_started_it(home: Path, elsewhere: Elsewhere) -> None:
    kernel = elsewhere(UP + "; import sys; sys.stdout.flush(); sys.stdin.read()")
    assert kernel.stdout
    assert any("ready" in line for line in kernel.stdout) or kernel.wait() == 0
    os.kill(kernel.pid, signal.SIGKILL)
    kernel.wait()
    before = pids()
    assert len(before) == len(SERVICES)
    assert lab.up().redis.ping()
    assert pids() == before


def test_down_leaves_nothing_behind_but_the_data(home: Path) -> None:
    stack = lab.up()
    stack.redis.set("kept", "yes")
    stack.db.things.insert_one({"kept": True})
    used = embedded.status().ports()
    lab.down()
    assert processes.marked(home) == []
    assert all(ports.is_free(port) for port in used)
    assert not sockets.path(home).exists()
    assert not lab.status().rows
    again = lab.up()
    assert again.redis.get("kept") == "yes"
    assert again.db.things.count_documents({"kept": True}) == 1


def test_down_without_a_stack_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lab.down()
    assert "Nothing was running" in capsys.readouterr().out


@pytest.mark.parametrize("service", list(SERVICES))
def test_only_the_dead_process_is_started_again(
    breakable: Stack, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stack, before = breakable, pids()
    lab.prepare("empty")
    stack.redis.set("kept", "yes")
    journaled = stack.db.things.with_options(write_concern=WriteConcern(j=True))
    journaled.insert_one({"_id": 1})
    psutil.Process(before[service]).kill()
    lab.wait_until(lambda: service not in pids(), what=f"{service} is gone")
    assert lab.up() == stack  # the same addresses
    after = pids()
    assert {name for name in after if after[name] != before[name]} == {service}
    assert "had ended" in capsys.readouterr().out
    assert stack.redis.ping()
    assert stack.db.things.find_one({"_id": 1})


def test_a_process_that_hangs_is_replaced(
    breakable: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    hung = pids()["redis"]
    os.kill(hung, signal.SIGSTOP)
    lab.up()
    assert "does not answer" in capsys.readouterr().out
    assert pids()["redis"] != hung
    assert lab.up() == breakable  # the same addresses
    assert breakable.redis.ping()


def test_a_state_file_that_names_strangers_harms_nobody(home: Path) -> None:
    me = processes.Proc(os.getpid(), "another boot/1")
    stale = statefile.State(
        {
            name: statefile.KnownService(service.preferred_port, me)
            for name, service in SERVICES.items()
        }
    )
    statefile.write(home, stale)
    assert lab.up().redis.ping()
    assert os.getpid() not in pids().values()


@pytest.mark.parametrize("damage", ["", "{", '{"format": 99, "services": {}}', "[]", "\0\0"])
def test_a_damaged_state_file_is_put_aside(
    home: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / "stack.json").write_text(damage)
    assert statefile.read(home) == statefile.State()
    assert "damaged" in capsys.readouterr().out
    assert (home / "stack.damaged.json").read_text() == damage


def test_a_half_written_state_file_costs_a_restart(
    breakable: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    home, before = paths.home(), pids()
    breakable.redis.set("kept", "yes")
    file = home / "stack.json"
    file.write_text(file.read_text()[:40])
    again = lab.up()
    said = capsys.readouterr().out
    assert "damaged" in said
    assert "left redis behind" in said
    assert not set(before.values()) & set(pids().values())
    assert again == breakable  # the same addresses
    assert again.redis.get("kept") == "yes"
    assert [count(home, name) for name in SERVICES] == [1] * len(SERVICES)


def test_a_start_that_is_killed_is_cleaned_up(home: Path, elsewhere: Elsewhere) -> None:
    starting = elsewhere(UP)
    lab.wait_until(
        lambda: processes.marked(home, "redis") or starting.poll() is not None, what="it starts"
    )
    starting.kill()
    starting.wait()
    assert lab.up().redis.ping()
    assert [count(home, name) for name in SERVICES] == [1] * len(SERVICES)


def test_what_a_killed_start_did_not_write_down_is_ended(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service = SERVICES["redis"]
    home.mkdir()
    service.prepare(home)
    argv = service.argv(home, service.preferred_port)
    orphan = processes.spawn(argv, home=home, service="redis", log=service.log(home))
    lab.wait_until(lambda: service.holder(home), what="it answers")
    lab.up()
    assert not orphan.alive
    assert f"process {orphan.pid}" in capsys.readouterr().out
    assert count(home, "redis") == 1


def test_two_kernels_that_start_at_once_share_one_stack(home: Path, elsewhere: Elsewhere) -> None:
    code = "import lab; print('at', lab.up().redis_url)"
    kernels = [elsewhere(code) for _ in range(2)]
    said = [kernel.communicate(timeout=60)[0] for kernel in kernels]
    places = {line for text in said for line in text.splitlines() if line.startswith("at ")}
    assert len(places) == 1, said
    assert [kernel.returncode for kernel in kernels] == [0, 0]
    assert [count(home, name) for name in SERVICES] == [1] * len(SERVICES)


def test_services_stop_start_and_die_on_their_own(breakable: Stack) -> None:
    stack = breakable
    lab.stop("mongo")
    assert "mongo" not in pids()
    assert ports.is_free(embedded.status().services["mongo"].port)
    with pytest.raises(pymongo.errors.ServerSelectionTimeoutError), pymongo.timeout(0.2):
        stack.db.command("ping")
    lab.start("mongo")
    assert stack.db.command("ping")["ok"] == 1
    lab.kill("redis")
    with pytest.raises(redis.ConnectionError):
        stack.redis_direct.ping()
    lab.start("redis")
    assert stack.redis_direct.ping()
    with pytest.raises(lab.LabError, match="there are: redis"):
        lab.stop("mysql")


def test_another_kernel_may_stop_what_this_one_started(
    breakable: Stack, elsewhere: Elsewhere
) -> None:
    lab.kill("mongo")
    lab.start("mongo")  # now it is a child of this process, whoever started the stack
    other = elsewhere("import lab; lab.stop('mongo')")
    said = other.communicate(timeout=60)[0]
    assert other.returncode == 0
    assert said == ""  # in order, at once, and not by force
    assert "mongo" not in pids()


def test_stopping_a_part_of_nothing_says_what_to_do(home: Path) -> None:
    with pytest.raises(lab.LabError, match=r"lab\.up\(\) first"):
        lab.stop("redis")


def test_a_service_of_another_version_is_forgotten(home: Path) -> None:
    home.mkdir()
    services = '{"redis": {"port": 7001, "proc": null}, "older": {"port": 7002, "proc": null}}'
    (home / "stack.json").write_text(f'{{"format": 1, "services": {services}}}')
    assert [row.status for row in lab.status().rows] == ["stopped"]
    assert list(statefile.read(home).services) == ["redis"]


STEALS = """
import os, sys
from pathlib import Path
from lab.stack.embedded import datalock
with datalock.taken(Path(sys.argv[1])):
    print("has them", flush=True)
    sys.stdin.read()
"""


def test_data_that_another_process_has_are_not_opened_twice(home: Path) -> None:
    home.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", STEALS, str(home / "redis")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(lab.LabError, match=rf"are in use by .*\(process {other.pid}\)"):
            lab.up()
        assert count(home, "redis") == 0
        other.communicate("")
    assert lab.up().redis.ping()


def test_a_redis_without_our_marks_is_asked_before_its_data_are_opened(home: Path) -> None:
    """As one that was started by hand, or whose environment cannot be read."""
    service = SERVICES["redis"]
    home.mkdir()
    service.prepare(home)
    words = service.argv(home, service.preferred_port)
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as stranger:
        try:
            lab.wait_until(lambda: service.holder(home), what="it answers")
            with pytest.raises(lab.LabError, match=rf"in use by Redis \(process {stranger.pid}\)"):
                lab.up()
        finally:
            stranger.kill()
    assert lab.up().redis.ping()


def test_what_is_left_behind_ends_in_order_and_keeps_its_writes(home: Path) -> None:
    lab.up().db.things.insert_one({"_id": 1})  # w: 1, which a kill would lose
    (home / "stack.json").unlink()
    assert lab.up().db.things.find_one({"_id": 1})


def test_down_with_data_says_what_it_deletes(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.up().redis.set("gone", "soon")
    lab.down(data=True)
    said = capsys.readouterr().out
    assert f"Deleting the data of Redis (embedded stack): {home / 'redis'}" in said
    assert str(home / "mongo") in said
    assert not (home / "redis").exists()
    assert not (home / "mongo").exists()


def test_down_acts_on_the_stack_that_is_named_and_on_no_other(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.up().redis.set("kept", "yes")
    monkeypatch.setattr(lifecycle, "_current", None)
    monkeypatch.setenv("LAB_STACK", "containers")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(lab.LabError, match="No Docker daemon"):
        lab.down(data=True)
    monkeypatch.setenv("LAB_STACK", "embedded")
    assert len(pids()) == len(SERVICES)
    assert lab.up().redis.get("kept") == "yes"
