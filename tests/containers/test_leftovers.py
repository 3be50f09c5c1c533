"""Nothing of a stack is left: no volume without a name, and nothing after a kernel or a run is killed."""

from __future__ import annotations

import signal
import subprocess

import psutil
import pytest
from jupyter_client.manager import start_new_kernel

import lab
from tests.containers.conftest import all_volumes, left_of, parts_of, volumes_of
from tests.inner import inner_run
from tests.plugins import janitor
from tests.plugins.docker_here import MONGO_IMAGE, REDIS_IMAGES

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("containers")]

VOLUMES = "write-behind-test/volumes:latest"


@pytest.fixture
def image_with_a_volume_more(engine):
    """MongoDB's image, which declares a volume that the lab does not know."""
    container = engine.containers.create(MONGO_IMAGE)
    container.commit(VOLUMES, changes="VOLUME /elsewhere")
    container.remove(v=True)
    yield VOLUMES
    engine.images.remove(VOLUMES)


def test_every_volume_of_the_stack_has_a_name(engine, home, stack):
    declared = volumes_of(parts_of(engine, home).values())
    assert all(name.startswith("wb-") for name in declared)
    assert declared <= set(left_of(engine, home))  # those with the label
    lab.down()
    assert declared <= all_volumes(engine)
    lab.down(data=True)
    assert not declared & all_volumes(engine)


def test_down_removes_a_volume_without_a_name(engine, home, monkeypatch, image_with_a_volume_more):
    monkeypatch.setenv("LAB_MONGO_IMAGE", image_with_a_volume_more)
    lab.up()
    used = volumes_of(parts_of(engine, home).values())
    (nameless,) = [name for name in used if not name.startswith("wb-")]
    lab.down()
    assert used - all_volumes(engine) == {nameless}


def test_down_finds_the_stack_of_a_kernel_that_was_killed(engine, home):
    kernel, client = start_new_kernel()
    try:
        reply = client.execute_interactive("import lab; lab.up()", timeout=120)
        assert reply["content"]["status"] == "ok"
        kernel.signal_kernel(signal.SIGKILL)
        process = psutil.Process(kernel.provisioner.pid)
        psutil.wait_procs([process])
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    assert {part.status for part in parts_of(engine, home).values()} == {"running"}
    subprocess.run(["lab", "down", "--data"], check=True, capture_output=True)
    assert left_of(engine, home) == []


WAITS_WITH_A_STACK = f"""
import os, sys
import lab

def test_inner():
    os.environ["LAB_REDIS_IMAGE"] = {REDIS_IMAGES[0]!r}
    os.environ["LAB_MONGO_IMAGE"] = {VOLUMES!r}
    lab.up("containers")
    print("WAITING", flush=True)
    sys.stdin.read()
"""


def test_a_run_of_tests_that_is_killed_leaves_nothing(tmp_path, engine, image_with_a_volume_more):
    with inner_run(tmp_path, WAITS_WITH_A_STACK) as run:
        run.wait_for("WAITING")
        folder = run.folder()
        made = janitor.docker_things(folder)
        used = volumes_of(thing for thing in made if hasattr(thing, "image"))
        assert {type(thing).__name__ for thing in made} == {"Container", "Network", "Volume"}
        assert any(not name.startswith("wb-") for name in used)
        processes = [*psutil.Process(run.process.pid).children(), *janitor.processes(folder)]
        run.process.kill()
        psutil.wait_procs(processes)  # the janitor is one of them
    assert janitor.docker_things(folder) == []
    assert not used & all_volumes(engine)
    assert run.left_nothing()
