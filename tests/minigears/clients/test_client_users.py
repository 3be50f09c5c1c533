"""Who may run code: whom Redis would let run scripts, and nobody else."""

from __future__ import annotations

import pytest
import redis
from redis.exceptions import NoPermissionError

from tests.minigears.clients.clientprograms import run
from tests.minigears.realgears import PASSWORD, MiniGears

pytestmark = pytest.mark.xdist_group("clients")

SCRIPT = "GB('ShardsIDReader').run()"
COMMANDS = [
    ("RG.PYEXECUTE", SCRIPT),
    ("RG.DUMPREGISTRATIONS",),
    ("RG.TRIGGER", "t"),
    ("RG.CONFIGSET", "k", "v"),
    ("RG.NOSUCHCOMMAND",),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_client_without_password_gets_rediss_own_error(guarded: MiniGears, command) -> None:
    with guarded.client(protocol=2) as client:  # RESP3 begins with HELLO, which Redis refuses
        with pytest.raises(redis.AuthenticationError) as of_redis:
            client.get("k")
        with pytest.raises(redis.AuthenticationError) as of_gears:
            client.execute_command(*command)
        assert str(of_gears.value) == str(of_redis.value) == "Authentication required."


@pytest.mark.parametrize("user", ["writer", "reader"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_user_who_may_not_run_scripts_gets_rediss_own_error(
    guarded: MiniGears, user: str, command
) -> None:
    with guarded.client(username=user, password=user) as client:
        with pytest.raises(NoPermissionError) as of_redis:
            client.eval("return 1", 0)
        with pytest.raises(NoPermissionError) as of_gears:
            client.execute_command(*command)
    expected = str(of_redis.value).replace("'eval'", f"'{command[0].lower()}'")
    assert str(of_gears.value) == expected


def test_a_user_who_may_run_scripts_runs_them(guarded: MiniGears) -> None:
    for login in ({"username": "coder", "password": "coder"}, {"password": PASSWORD}):
        with guarded.client(**login) as client:
            assert client.execute_command("RG.PYEXECUTE", SCRIPT) == [["1"], []]


def test_rights_are_those_of_the_last_login(guarded: MiniGears) -> None:
    with guarded.raw() as sock:
        stream = sock.makefile("rb")

        def call(line: bytes) -> bytes:
            sock.sendall(line + b"\r\n")
            return stream.readline()

        assert call(b"RG.PYDUMPREQS").startswith(b"-NOAUTH")
        assert call(b"AUTH coder wrong").startswith(b"-WRONGPASS")
        assert call(b"RG.PYDUMPREQS").startswith(b"-NOAUTH")
        assert call(b"AUTH coder coder") == b"+OK\r\n"
        assert call(b"RG.PYDUMPREQS") == b"*0\r\n"
        assert call(b"AUTH writer writer") == b"+OK\r\n"
        assert call(b"RG.PYDUMPREQS").startswith(b"-NOPERM")


def test_what_redis_refuses_triggers_nothing(guarded: MiniGears) -> None:
    with guarded.client(username="coder", password="coder") as coder:
        coder.execute_command(
            "RG.PYEXECUTE",
            "GB().foreach(lambda x: execute('INCR', 'count')).register(prefix='k:*', mode='sync')",
        )
        with guarded.client(username="reader", password="reader") as reader:
            with pytest.raises(NoPermissionError):
                reader.set("k:1", "v")
        with guarded.client(username="writer", password="writer") as writer:
            writer.set("k:2", "v")
        assert coder.get("count") == "1"


def test_redis_cli_logs_in(guarded: MiniGears, redis_cli: str) -> None:
    words = (redis_cli, "-p", guarded.port, "--no-auth-warning")
    assert run(*words, "-a", PASSWORD, "RG.PYEXECUTE", SCRIPT) == "1\n\n"
    assert "NOAUTH" in run(*words, "RG.PYEXECUTE", SCRIPT)
    words += ("--user", "writer", "--pass", "writer")
    of_redis, of_gears = run(*words, "EVAL", "", "0"), run(*words, "RG.PYEXECUTE", SCRIPT)
    assert of_redis.startswith("NOPERM")
    assert of_gears == of_redis.replace("'eval'", "'rg.pyexecute'")


def test_a_user_who_may_not_even_say_ping_is_refused_and_goes_on(guarded: MiniGears) -> None:
    with guarded.client(username="reader", password="reader") as reader:
        assert reader.get("k:none") is None
        with pytest.raises(NoPermissionError, match=r"'rg\.pydumpreqs'"):
            reader.execute_command("RG.PYDUMPREQS")
        assert reader.get("k:none") is None
