"""redis-cli, redis-py 4 to 8, node-redis: sessions that go as with RedisGears."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import redis

from tests.minigears.clients.clientprograms import node_redis, python_with, run
from tests.minigears.realgears import MiniGears

HERE = Path(__file__).parent
SCRIPT = """
GB('KeysReader').foreach(lambda x: execute('INCR', 'count')).register(prefix='k:*', mode='sync')
"""

pytestmark = pytest.mark.xdist_group("clients")


@pytest.mark.parametrize(
    "version",
    [
        redis.__version__,
        *(
            pytest.param(version, marks=pytest.mark.long)
            for version in ("4.6.0", "5.3.1", "6.4.0", "7.4.1", "8.1.0")
            if version != redis.__version__
        ),
    ],
)
@pytest.mark.usefixtures("needs_json")
def test_redis_py(gears: MiniGears, version: str) -> None:
    python = sys.executable if version == redis.__version__ else python_with(f"redis=={version}")
    assert run(python, HERE / "redispy_session.py", gears.port).strip() == version


@pytest.mark.long
def test_node_redis(gears: MiniGears) -> None:
    node_redis(HERE / "noderedis_session.mjs", gears.port)


class RedisCli:
    """redis-cli, for one minigears."""

    def __init__(self, program: str, gears: MiniGears):
        self._words = (program, "-p", gears.port)

    def __call__(self, *words: object, stdin: str = "") -> str:
        return run(*self._words, *words, input=stdin)


@pytest.fixture
def cli(redis_cli: str, gears: MiniGears) -> RedisCli:
    """redis-cli for a minigears that is empty."""
    return RedisCli(redis_cli, gears)


@pytest.mark.parametrize("protocol", ["-2", "-3"])
def test_redis_cli(cli: RedisCli, protocol: str) -> None:
    assert cli(protocol, "RG.PYEXECUTE", "GB('ShardsIDReader').run()") == "1\n\n"
    assert cli(protocol, "-x", "RG.PYEXECUTE", stdin=SCRIPT) == "OK\n"
    assert cli(protocol, stdin="SET k:1 v\nHSET k:2 f v\nGET count\n") == "OK\n1\n2\n"
    assert "ZeroDivisionError" in cli(protocol, "RG.PYEXECUTE", "1 / 0")
    assert cli(protocol, "-n", 3, "SET", "k:1", "v") == "OK\n"
    assert cli(protocol, "-r", 3, "INCR", "k:n") == "1\n2\n3\n"
    assert sorted(cli("--scan", "--pattern", "k:*").split()) == ["k:1", "k:2", "k:n"]


def test_redis_cli_json_output(cli: RedisCli) -> None:
    cli("SADD", "s", "a")
    reply = cli("--json", "RG.PYEXECUTE", "GB('KeysOnlyReader').run()")
    assert json.loads(reply) == [["s"], []]


def test_redis_cli_mass_insertion(cli: RedisCli) -> None:
    cli("-x", "RG.PYEXECUTE", stdin=SCRIPT)
    said = cli("--pipe", stdin="".join(f"SET k:{n} v\r\n" for n in range(2000)))
    assert "errors: 0, replies: 2000" in said
    assert cli("GET", "count") == "2000\n"
