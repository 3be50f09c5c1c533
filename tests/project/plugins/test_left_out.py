"""Without Docker a run of tests says in one line what it left out, and why; CI refuses to begin."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.inner import BARE, WORKERS, bare_pytest
from tests.plugins import docker_here
from tests.plugins.docker_here import REQUIRED
from tests.plugins.sandbox import REPOSITORY

NO_DOCKER = {"DOCKER_HOST": "unix:///nowhere/docker.sock"}


def collect(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Let pytest, in a process of its own, name the tests that it would run."""
    command = [*bare_pytest(REPOSITORY, *WORKERS, "pytest_timeout"), "--collect-only", "-q", *words]
    env = {name: value for name, value in os.environ.items() if name != REQUIRED}
    return subprocess.run(
        command, cwd=REPOSITORY, env=env | BARE | variables, capture_output=True, text=True
    )


def left_out(run: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines that say what was left out."""
    return [line for line in run.stdout.splitlines() if line.startswith("Left out")]


@pytest.mark.long
@pytest.mark.parametrize("asked", [[], ["tests/containers"]], ids=["all", "containers"])
def test_one_line_says_what_is_left_out_without_docker(asked):
    run = collect(*asked, **NO_DOCKER)  # `make test` names no folder
    (line,) = left_out(run)
    assert line.startswith(
        "Left out: tests/containers. No Docker daemon answers at unix:///nowhere"
    )
    assert "tests/containers/test_" not in run.stdout


@pytest.mark.long
def test_a_run_of_other_tests_does_not_mention_it():
    assert left_out(collect("tests/data", **NO_DOCKER)) == []


def test_where_nothing_may_be_left_out_the_run_does_not_begin():
    run = collect("tests/data", **NO_DOCKER, **{REQUIRED: "yes"})
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"{REQUIRED} is set, and containers cannot be tested: No Docker daemon" in run.stderr


def test_where_nothing_may_be_left_out_a_skip_is_a_failure(monkeypatch):
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no such thing"):
        docker_here.leave_out("no such thing")
    monkeypatch.setenv(REQUIRED, "yes")
    with pytest.raises(pytest.fail.Exception, match="no such thing"):
        docker_here.leave_out("no such thing")


@pytest.mark.containers
def test_tests_of_compose_are_left_out_where_there_is_none():
    run = collect("tests/containers", PATH="/nowhere")
    assert "Left out: some of tests/containers. docker compose is not installed" in left_out(run)
    assert "test_compose.py" not in run.stdout
    assert "test_stack.py" in run.stdout


@pytest.mark.containers
def test_tests_on_the_base_image_are_left_out_after_plain_make_images(monkeypatch):
    monkeypatch.setattr(docker_here, "BASE_IMAGE", "write-behind-test/nobody-has:this")
    assert docker_here.reason.__wrapped__() == ""
    assert "run `make images BASE=debian`" in docker_here.reason.__wrapped__("base")
