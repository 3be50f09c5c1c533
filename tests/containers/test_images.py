"""Which image is taken where no variable names one: the tutorial's, ours, or the one to be pulled."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator

import pytest

from lab.stack.containers import images
from tests.plugins.docker_here import MONGO_IMAGE

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("containers")]

PUBLISHED = "write-behind-test/published:latest"
BUILT = "write-behind-test/built:latest"


@pytest.fixture
def here(engine, monkeypatch) -> Iterator[Callable[[str], None]]:
    """Puts an image on this machine under one of two names, the tutorial's or ours."""
    monkeypatch.delenv("LAB_REDIS_IMAGE", raising=False)
    monkeypatch.setitem(images.PUBLISHED, "redis", PUBLISHED)
    monkeypatch.setitem(images.BUILT, "redis", BUILT)
    made: list[str] = []

    def tag(name: str) -> None:
        engine.images.get(MONGO_IMAGE).tag(name)
        made.append(name)

    yield tag
    for name in made:
        engine.images.remove(name)


@pytest.mark.parametrize("machine", ["x86_64", "AMD64"])
def test_on_amd64_the_tutorials_goes_first(here, monkeypatch, machine):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert images.chosen("redis") == PUBLISHED  # neither is here: it will be pulled
    here(BUILT)
    assert images.chosen("redis") == BUILT
    here(PUBLISHED)
    assert images.chosen("redis") == PUBLISHED


@pytest.mark.parametrize("machine", ["arm64", "aarch64"])
def test_on_arm64_ours_goes_first(here, monkeypatch, machine):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert images.chosen("redis") == BUILT
    here(PUBLISHED)
    assert images.chosen("redis") == PUBLISHED
    here(BUILT)
    assert images.chosen("redis") == BUILT


def test_a_variable_goes_before_all(here, monkeypatch):
    here(PUBLISHED)
    monkeypatch.setenv("LAB_REDIS_IMAGE", "somebody/else:1")
    assert images.chosen("redis") == "somebody/else:1"


def test_redisinsight_has_no_image_of_ours(monkeypatch):
    monkeypatch.delenv("LAB_REDISINSIGHT_IMAGE", raising=False)
    assert images.chosen("redisinsight") == images.PUBLISHED["redisinsight"]
