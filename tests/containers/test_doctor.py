"""`lab doctor` for containers: every trouble that it knows, provoked."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator

import pytest

import lab
from lab.checkup import containers as checkup
from lab.checkup.findings import Finding, Level
from lab.stack import containers
from lab.stack.containers import engine
from tests.containers.conftest import run_docker
from tests.freeports import free_ports
from tests.plugins.docker_here import MONGO_IMAGE

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("containers")]
only_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can hide Docker or be someone else"
)

FOREIGN = "write-behind-test/foreign:latest"


def found(what: str) -> Finding:
    """The one line of the report about `what`."""
    (line,) = [line for line in lab.doctor().findings if line.what == what]
    return line


def test_a_machine_that_is_well(stack):
    report = lab.doctor()
    assert report.healthy, report
    assert found("Docker").level is Level.OK
    assert found("recipes").detail == "reach MongoDB at mongo:27017"


@only_root
def test_no_docker(home):
    # In a name space of its own, where the daemon's socket is hidden; without docker on the PATH.
    hide = f"{shutil.which('mount')} -t tmpfs none /run && exec {shutil.which('lab')} doctor"
    words = [shutil.which("unshare"), "--mount", shutil.which("sh"), "-c", hide]
    env = {**os.environ, "PATH": "/nowhere"}
    done = subprocess.run(words, env=env, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "Docker is not installed" in done.stdout
    assert "→ Install it" in done.stdout


def test_the_daemon_does_not_run(home, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{home}/docker.sock")
        line = found("Docker")
    assert line.level is Level.BAD
    assert "No Docker daemon answers" in line.detail
    assert "Start" in line.mend


@only_root
def test_no_permission_on_the_socket(home):
    lab.doctor()  # imports what it needs, which the other user may not read
    engine._client.cache_clear()
    os.seteuid(65534)  # nobody
    try:
        line = found("Docker")
    finally:
        os.seteuid(0)
    assert line.level is Level.BAD
    assert "may not talk to Docker" in line.detail
    assert "usermod -aG docker" in line.mend


def test_no_docker_command_while_the_daemon_runs(home, monkeypatch):
    assert "docker command" not in [line.what for line in lab.doctor().findings]
    monkeypatch.setenv("PATH", "/nowhere")
    line = found("docker command")
    assert line.level is Level.BAD
    assert "not on the PATH" in line.detail
    assert "Install it" in line.mend


def test_an_image_that_is_missing_while_the_registry_is_out_of_reach(home, monkeypatch):
    monkeypatch.setenv("LAB_REDIS_IMAGE", f"127.0.0.1:{free_ports(1)[0]}/nobody/has:this")
    line = found("image of redis")
    assert line.level is Level.BAD
    assert "cannot be pulled" in line.detail
    assert "make images" in line.mend


@pytest.fixture
def foreign_image(engine) -> Iterator[str]:
    """An image for another architecture than the daemon's."""
    ours = engine.version()["Arch"]
    config = {
        "architecture": "arm64" if ours == "amd64" else "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    manifest = [{"Config": "config.json", "RepoTags": [FOREIGN], "Layers": []}]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, value in (("config.json", config), ("manifest.json", manifest)):
            text = json.dumps(value).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    engine.images.load(file.getvalue())
    yield FOREIGN
    engine.images.remove(FOREIGN)


def test_an_image_for_another_architecture(home, monkeypatch, foreign_image):
    monkeypatch.setenv("LAB_REDIS_IMAGE", foreign_image)
    line = found("image of redis")
    assert line.level is Level.BAD
    assert "and this machine is not" in line.detail
    assert "LAB_REDIS_IMAGE" in line.mend


def test_a_port_that_is_taken(home, monkeypatch):
    port = free_ports(1)[0]
    monkeypatch.setenv("LAB_PORT_MONGO", str(port))
    with socket.create_server(("127.0.0.1", port)):
        line = found(f"port {port}")
    assert line.level is Level.NOTE
    assert "taken by" in line.detail
    assert "next free port" in line.mend


def test_a_disk_that_is_nearly_full(engine, home, monkeypatch):
    free = shutil.disk_usage(engine.info()["DockerRootDir"]).free
    monkeypatch.setattr(checkup, "LEAST_DISK", free * 2)
    line = found("Docker's disk")
    assert line.level is Level.BAD
    assert "docker system prune" in line.mend


def test_a_container_that_died_at_start_shows_its_log(home, monkeypatch):
    monkeypatch.setenv("LAB_REDIS_IMAGE", "write-behind/minigears:latest")
    with pytest.raises(lab.StartFailed):
        lab.up()
    line = found("Redis with Gears")
    assert line.level is Level.BAD
    assert "ended with code 2" in line.detail
    assert "Error: --listen 0.0.0.0:6380 is open to others" in line.detail
    assert "docker logs wb-" in line.mend


def test_a_container_that_ran_out_of_memory(home):
    limits = ["--memory", "16m", "--memory-swap", "16m"]
    labels = [f"--label={containers.HOME}={home}", "--label=write-behind.lab.part=redis"]
    # What eats is a child: Docker hears of an end and of lack of memory by two ways, and forgets what comes late.
    eats = "python3 -c 'bytearray(1 << 30)'; exec sleep 3600"
    words = ["--detach", *limits, *labels, "--entrypoint", "sh", MONGO_IMAGE, "-c", eats]
    name = run_docker("run", *words).strip()
    about = [f"--filter=container={name}", "--filter=event=oom", "--since=1h", "--until=0s"]
    lab.wait_until(lambda: run_docker("events", *about).strip(), "Docker has noticed", 60)
    run_docker("kill", name)
    run_docker("wait", name)
    line = found("Redis with Gears")
    assert line.level is Level.BAD
    assert "ran out of memory" in line.detail
    assert "more memory" in line.mend


def test_redis_that_cannot_reach_mongodb(stack):
    network = next(
        iter(
            json.loads(run_docker("inspect", stack.redis_container))[0]["NetworkSettings"][
                "Networks"
            ]
        )
    )
    run_docker("network", "disconnect", network, stack.redis_container.replace("-redis", "-mongo"))
    line = found("recipes")
    assert line.level is Level.BAD
    assert "cannot reach MongoDB" in line.detail
    lab.down()
    assert lab.up().redis.ping()  # what the line says mends it
    assert found("recipes").level is Level.OK


def test_a_part_that_is_stopped_is_no_fault(stack):
    lab.stop("mongo")
    line = found("MongoDB")
    assert line.level is Level.NOTE
    assert line.mend == "Start it: `lab up`."
