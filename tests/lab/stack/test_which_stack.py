"""Which stack is meant when nobody names one."""

from __future__ import annotations

from pathlib import Path

import pytest

import lab
from lab import paths
from lab.stack import lifecycle


@pytest.fixture
def unnamed(home: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("LAB_STACK")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    return monkeypatch


def test_a_machine_that_runs_it_whole_gets_the_embedded_one(unnamed: pytest.MonkeyPatch) -> None:
    assert lifecycle.kind() == "embedded"


def test_a_machine_without_the_modules_goes_to_containers_and_says_so(
    unnamed: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """macOS, and Linux on arm64."""
    unnamed.setattr(paths, "redis_modules", dict)
    assert lifecycle.kind() == "containers"
    with pytest.raises(lab.LabError, match="No Docker daemon answers"):
        lab.up()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("RedisJSON and RediSearch have no wheel for")
    assert "so the stack runs in containers" in line


def test_without_docker_it_stays_the_embedded_one(unnamed: pytest.MonkeyPatch) -> None:
    unnamed.setattr(paths, "redis_modules", dict)
    unnamed.setattr(lifecycle, "is_likely", lambda: False)
    assert lifecycle.kind() == "embedded"


def test_who_names_one_gets_that(unnamed: pytest.MonkeyPatch) -> None:
    unnamed.setattr(paths, "redis_modules", dict)
    unnamed.setenv("LAB_STACK", "embedded")
    assert lifecycle.kind() == "embedded"
