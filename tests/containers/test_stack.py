"""`lab.up("containers")`: what it starts, what it survives, and that nothing is left of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest
import redis

import lab
from lab.stack import containers, lifecycle
from tests.containers.conftest import left_of, parts_of
from tests.freeports import free_ports
from tests.inner import hear_ctrl_c
from tests.plugins.docker_here import MONGO_IMAGE, REDIS_IMAGES

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("containers")]

KERNEL = "import lab; lab.up()"


def test_both_stores_answer_and_the_recipe_knows_the_alias(stack):
    assert stack.redis.ping()
    assert stack.mongo.admin.command("ping")
    assert stack.recipe_mongo_url == "mongodb://mongo:27017"
    assert stack.redis.execute_command("RG.INFOCLUSTER") == "no cluster mode"
    stack.redis.set("a", 1)
    assert stack.redis_direct.get("a") == "1"
    with pytest.raises(redis.ResponseError, match="unknown command"):
        stack.redis_direct.execute_command("RG.INFOCLUSTER")


def test_the_terminal_line_runs_redis_cli_in_the_container(stack):
    assert stack.cli == f"docker exec -i {stack.redis_container} redis-cli"
    assert lab.sh(f"{stack.cli} SET a 1") == "OK\n"
    assert stack.redis.get("a") == "1"
    assert lab.sh(f"{stack.cli} RG.INFOCLUSTER") == '"no cluster mode"\n'


def test_it_listens_on_loopback_only_and_on_a_network_of_its_own(engine, home, stack):
    networks = set()
    for container in parts_of(engine, home).values():
        for bound in container.attrs["NetworkSettings"]["Ports"].values():
            assert {to["HostIp"] for to in bound or ()} <= {"127.0.0.1"}
        networks |= set(container.attrs["NetworkSettings"]["Networks"])
    (network,) = networks
    assert engine.networks.list(names=[network])[0].attrs["Labels"][containers.HOME] == str(home)


def test_a_second_up_finds_what_runs_and_mends_what_does_not(engine, home, stack):
    before = {name: part.id for name, part in parts_of(engine, home).items()}
    lifecycle._current = None  # as another kernel
    assert lab.up().redis_url == stack.redis_url
    lab.kill("mongo")
    parts_of(engine, home)["redis"].remove(force=True)
    again = lab.up()
    assert again.mongo_url == stack.mongo_url
    after = {name: part.id for name, part in parts_of(engine, home).items()}
    assert after["mongo"] == before["mongo"]
    assert after["redis"] != before["redis"]
    assert again.redis.ping()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_part_that_ended_is_gone_and_comes_back_with_its_data(stack, end):
    stack.redis.set("kept", "yes")
    stack.redis_direct.execute_command("WAITAOF", 1, 0, 5000)
    stack.db.movies.insert_one({"movieId": "1"})
    for service in ("redis", "mongo"):
        getattr(lab, end)(service)
        assert [row.status for row in lab.status().rows].count("stopped") >= 1
        lab.start(service)
    assert lab.status().running
    assert stack.redis.get("kept") == "yes"
    assert stack.db.movies.count_documents({"movieId": "1"}) == 1


def test_gears_cannot_be_stopped_without_redis(stack):
    with pytest.raises(lab.Unsupported, match="inside the container of Redis"):
        lab.stop("minigears")


def test_data_survive_down_and_go_when_asked(engine, home, stack):
    stack.redis.set("kept", "yes")
    stack.db.movies.insert_one({"movieId": "1"})
    lab.down()
    assert parts_of(engine, home) == {}
    again = lab.up()
    assert again.redis.get("kept") == "yes"
    assert again.db.movies.count_documents({}) == 1
    lab.down(data=True)
    assert left_of(engine, home) == []


def test_each_image_keeps_its_own_data_and_is_not_swapped_unasked(home, stack, monkeypatch):
    stack.redis.set("written by", "8.2")
    monkeypatch.setenv("LAB_REDIS_IMAGE", REDIS_IMAGES[1])
    with pytest.raises(lab.LabError, match=r"there as write-behind/redis:8\.2.*lab down"):
        lab.up()
    lab.down()
    other_one = lab.up()
    assert other_one.redis.info("server")["server_name"] == "valkey"
    assert other_one.redis.get("written by") is None


def test_taken_ports_are_left_alone(home, monkeypatch):
    first = free_ports(1)[0]
    with socket.create_server(("127.0.0.1", first)):
        monkeypatch.setenv("LAB_PORT_MONGO", str(first))
        stack = lab.up()
        assert str(first) not in stack.mongo_url
        assert stack.mongo.admin.command("ping")


def test_the_stack_outlives_its_kernel_with_ryuk_enabled_or_not(engine, home):
    for ryuk_disabled in ("true", "false"):
        env = {**os.environ, "TESTCONTAINERS_RYUK_DISABLED": ryuk_disabled}
        subprocess.run([sys.executable, "-c", KERNEL], env=env, check=True, capture_output=True)
        assert {part.status for part in parts_of(engine, home).values()} == {"running"}
        session = "org.testcontainers.session-id"
        assert {part.labels[session] for part in parts_of(engine, home).values()} == {
            "write-behind-lab"
        }
        lab.down()
    assert not [c for c in engine.containers.list() if "ryuk" in str(c.image.tags)]


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_an_interrupted_start_leaves_nothing_that_down_does_not_find(engine, home, blow):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    starting = subprocess.Popen(["lab", "up"], **quiet, preexec_fn=hear_ctrl_c)
    while not parts_of(engine, home):
        assert starting.poll() is None
    starting.send_signal(blow)
    starting.wait(timeout=60)
    assert left_of(engine, home) != []
    subprocess.run(["lab", "down", "--data"], check=True, capture_output=True)
    assert left_of(engine, home) == []


def test_down_of_the_embedded_stack_leaves_containers_and_names_them(engine, home, stack):
    stack.redis.set("kept", "yes")
    env = {name: value for name, value in os.environ.items() if name != "LAB_STACK"}
    words = ["lab", "down", "--data"]
    done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
    assert "The containers stack still runs: LAB_STACK=containers" in done.stdout
    assert stack.redis.get("kept") == "yes"


def test_a_container_that_ends_at_start_shows_its_log(home, monkeypatch):
    monkeypatch.setenv("LAB_REDIS_IMAGE", "write-behind/minigears:latest")
    with pytest.raises(lab.StartFailed, match=r"ended at start.*docker logs wb-.*-redis") as died:
        lab.up()
    assert "Error: --listen 0.0.0.0:6380 is open to others" in str(died.value)


def test_an_image_that_cannot_be_had_says_what_to_do(home, monkeypatch):
    monkeypatch.setenv("LAB_REDIS_IMAGE", f"127.0.0.1:{free_ports(1)[0]}/nobody/has:this")
    with pytest.raises(lab.LabError, match=r"cannot be pulled.*make images"):
        lab.up()


def test_other_containers_and_volumes_are_not_touched(engine, home, stack):
    volume = engine.volumes.create()
    mounted = {volume.name: {"bind": "/data/db"}}
    other = engine.containers.run(MONGO_IMAGE, detach=True, volumes=mounted)
    try:
        lab.down(data=True)
        other.reload()
        assert other.status == "running"
        assert engine.volumes.get(volume.name)
    finally:
        other.remove(force=True, v=True)
        volume.remove()


def test_a_container_that_was_removed_by_hand_is_missed(engine, home, stack):
    parts_of(engine, home)["mongo"].remove(force=True)
    assert not lab.status().running
    assert [row.status for row in lab.status().rows if row.component == "MongoDB"] == ["not there"]
    with pytest.raises(lab.LabError, match="container of mongo is not there any more"):
        lab.stop("mongo")
    lab.up()
    assert lab.status().running


def test_a_part_may_be_killed_twice(stack):
    lab.kill("mongo")
    lab.kill("mongo")
    lab.start("mongo")
    assert stack.mongo.admin.command("ping")


def test_a_name_that_no_image_can_have_says_what_to_do(home, monkeypatch):
    monkeypatch.setenv("LAB_MONGO_IMAGE", "Bad Name!!")
    with pytest.raises(lab.LabError, match="Check the name"):
        lab.up()
    assert not lab.doctor().healthy
