"""`SLOWLOG` shows what took long in functions, between what took long in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from minigears.door.serving.slowlog import SlowLog
from tests.minigears.realgears import MiniGears

SLEEPS = (
    "import time\nGB('CommandReader').foreach(lambda x: time.sleep(.05)).register(trigger='sleep')"
)


@pytest.fixture
def client(gears: MiniGears) -> Iterator[redis.Redis]:
    """A client; what takes 20 ms is slow."""
    with gears.client() as client:
        client.config_set("slowlog-log-slower-than", 20_000)
        client.slowlog_reset()
        yield client
        client.config_set("slowlog-log-slower-than", 10_000)


def slow(client: redis.Redis, *count: int) -> list[str]:
    return [entry["command"].decode() for entry in client.slowlog_get(*count)]


def test_slow_triggers_and_scripts_are_listed_with_redis_own(gears: MiniGears, client: redis.Redis):
    gears.run(SLEEPS)
    client.slowlog_reset()
    client.execute_command("RG.TRIGGER", "sleep", "word")
    gears.run("import time; time.sleep(.05)")
    client.eval("for i = 1, 3e7 do local x = i end", 0)
    own = ("EVAL for i = 1", "RG.")  # on a machine that is busy, anything may be slow
    listed = sorted(" ".join(words.split()) for words in slow(client) if words.startswith(own))
    assert listed[1:] == ["RG.PYEXECUTE import time; time.sleep(.05)", "RG.TRIGGER sleep word"]
    assert listed[0].startswith("EVAL for i = 1")
    assert client.slowlog_len() >= 3
    assert len(slow(client, 1)) == 1
    [entry] = [e for e in client.slowlog_get() if e["command"].startswith(b"RG.TRIGGER")]
    assert entry["duration"] >= 50_000
    ids = [e["id"] for e in client.slowlog_get(100)]
    assert len(set(ids)) == len(ids)
    client.slowlog_reset()
    assert not [words for words in slow(client) if words.startswith(own)]


def test_what_is_slow_inside_multi_is_listed_for_itself(gears: MiniGears, client: redis.Redis):
    gears.run(SLEEPS.replace("'sleep'", "'sleep', mode='sync'"))
    client.slowlog_reset()
    with client.pipeline() as pipe:
        pipe.execute_command("RG.TRIGGER", "sleep", "inside")
        pipe.execute()
    assert "RG.TRIGGER sleep inside" in slow(client)


def test_what_is_quick_or_never_slow_is_not_listed(gears: MiniGears, client: redis.Redis):
    gears.run(SLEEPS)
    client.config_set("slowlog-log-slower-than", -1)
    client.slowlog_reset()
    client.execute_command("RG.TRIGGER", "sleep")
    assert client.slowlog_len() == 0


def test_inside_multi_and_with_bad_words_it_is_redis_own(client: redis.Redis):
    assert client.pipeline().slowlog_len().slowlog_get().execute() == [0, []]
    with pytest.raises(redis.ResponseError):
        client.execute_command("SLOWLOG", "GET", "many")


def test_it_is_bounded_and_shortens_long_commands():
    log = SlowLog()
    for _ in range(200):
        log.add([b"RG.TRIGGER", b"x" * 1000, *[b"w"] * 100], 1, b"")
    assert len(log) == 128
    newest, oldest = log.among([], -1)[0], log.among([], -1)[-1]
    assert b"*32\r\n" in newest
    assert b"... (872 more bytes)" in newest
    assert b"... (71 more arguments)" in newest
    assert newest > oldest
