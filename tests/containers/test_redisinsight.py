"""RedisInsight beside the stack, with an image in its place: no registry can be counted on here."""

from __future__ import annotations

import subprocess
import urllib.request

import pytest

import lab
from tests.containers.conftest import left_of, parts_of

pytestmark = [pytest.mark.containers, pytest.mark.xdist_group("containers")]


@pytest.fixture
def with_insight(home, monkeypatch, insight_image) -> lab.Stack:
    monkeypatch.setenv("LAB_REDISINSIGHT", "1")
    monkeypatch.setenv("LAB_REDISINSIGHT_IMAGE", insight_image)
    return lab.up()


def test_it_is_ready_after_up_and_says_where(with_insight):
    (row,) = [row for row in with_insight.status().rows if row.component == "RedisInsight"]
    assert row.status == "running"
    with urllib.request.urlopen(f"http://{row.address}/api/health/") as reply:
        assert reply.status == 200


def test_it_knows_redis_and_is_removed_with_the_stack(engine, home, with_insight):
    told = parts_of(engine, home)["redisinsight"].attrs["Config"]["Env"]
    assert {"RI_REDIS_HOST=redis", "RI_REDIS_PORT=6379"} <= set(told)
    lab.down(data=True)
    assert left_of(engine, home) == []


def test_its_log_is_shown(with_insight):
    shown = subprocess.run(["lab", "logs", "redisinsight"], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    assert "GET /api/health/" in shown.stdout + shown.stderr  # by which lab.up() knew it was ready


def test_without_the_variable_it_is_not_there(stack):
    shown = subprocess.run(["lab", "logs", "redisinsight"], capture_output=True, text=True)
    assert shown.returncode == 1
    assert "LAB_REDISINSIGHT=1 adds RedisInsight" in " ".join(shown.stderr.split())
