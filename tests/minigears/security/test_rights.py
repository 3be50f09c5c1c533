"""What is done with minigears's own rights is done for nobody whom Redis would refuse it."""

from __future__ import annotations

import pytest
import redis

from tests.minigears.realgears import PASSWORD, MiniGears
from tests.minigears.realredis import wait_for
from tests.minigears.security.rights import SEEN, hook, login


@pytest.mark.parametrize("user", ["connects", "gets", "of_a", "reads"])
@pytest.mark.parametrize(
    "words",
    [
        "RG.TRIGGER t b:1",
        "RG.PYEXECUTE GB().run()",
        "RG.DUMPREGISTRATIONS",
        "RG.TRIGGERONKEY t b:1",
    ],
)
def test_triggers_and_scripts_are_for_whom_redis_lets_run_scripts_on_those_keys(
    guarded, admin, user, words
):
    script = f"GB('CommandReader').map(lambda x: {SEEN}).register(trigger='t', mode='sync')"
    admin.execute_command("RG.PYEXECUTE", script)
    with login(guarded, user) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*words.split())
    assert admin.exists("seen") == 0
    with login(guarded, "all") as client:
        assert client.execute_command("RG.TRIGGER", "t", "b:1") == ["1"]
    with login(guarded, "of_a") as client:
        assert client.execute_command("RG.TRIGGERONKEY", "t", "a:1") == ["2"]


def test_a_refused_command_overrides_no_reply(guarded, admin):
    script = "GB('KeysReader').foreach(lambda x: override_reply(get_command()))"
    script += ".register(prefix='b:*', commands=['append'], mode='sync')"
    admin.execute_command("RG.PYEXECUTE", script)
    with (
        login(guarded, "of_a") as client,
        login(guarded, "all") as other,
        guarded.raw() as stranger,
    ):
        for _ in range(30):
            stranger.sendall(b"APPEND b:1 stolen\r\n")
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.append("b:1", "stolen")
            assert other.append("b:1", "v") == ["APPEND", "b:1", "v"]
        with stranger.makefile("rb") as stream:
            assert all(stream.readline().startswith(b"-NOAUTH") for _ in range(30))


def test_what_redis_refuses_leaves_the_door_as_it_was(guarded, admin):
    """`CLIENT REPLY` and `COMMAND INFO` are answered by the door: Redis is asked about them, too."""
    admin.execute_command(
        "ACL", "SETUSER", "mute", "on", ">mute", "~*", "+@all", "-client|reply", "-command"
    )
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(
            b"CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nCOMMAND INFO rg.trigger\r\nGET k\r\n"
        )
        assert all(stream.readline().startswith(b"-NOAUTH") for _ in range(4))
        sock.sendall(b"AUTH mute mute\r\nCLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\n")
        sock.sendall(b"COMMAND INFO rg.trigger\r\nGET k\r\n")
        assert stream.readline() == b"+OK\r\n"
        assert all(stream.readline().startswith(b"-NOPERM") for _ in range(3))
        assert [stream.readline() for _ in range(2)] == [b"$1\r\n", b"v\r\n"]


def test_a_user_of_minigears_that_cannot_ask_is_refused_at_once(start_redis, tmp_path):
    server = start_redis("--save", "")
    with redis.Redis(unix_socket_path=str(server.socket)) as direct:
        direct.execute_command("ACL", "SETUSER", "default", "-acl|dryrun")
    gears = MiniGears(server, tmp_path)
    with pytest.raises(AssertionError):
        gears.start()
    wait_for(lambda: gears.process.poll() is not None, what="minigears to end")
    assert "+acl|dryrun" in gears.log


def test_nothing_is_noted_for_who_has_not_logged_in(guarded, admin):
    admin.execute_command(
        "RG.PYEXECUTE", "GB().foreach(lambda x: x).register(prefix='b:*', mode='sync')"
    )
    with redis.Redis(unix_socket_path=str(guarded.server.socket), password=PASSWORD) as direct:
        before = direct.info("commandstats").get("cmdstat_xadd", {"calls": 0})["calls"]
        with guarded.raw() as sock, sock.makefile("rb") as stream:
            sock.sendall(b"SET b:1 x\r\nMULTI\r\nSET b:1 x\r\nEXEC\r\n" * 10)
            assert all(stream.readline().startswith(b"-") for _ in range(40))
            sock.sendall(b"AUTH all all\r\nSET b:1 x\r\n")
            assert [stream.readline() for _ in range(2)] == [b"+OK\r\n"] * 2
        after = direct.info("commandstats")["cmdstat_xadd"]["calls"]
    assert after == before + 1


def test_who_connected_before_the_password_was_taken_away_is_served_in_full(guarded, admin):
    script = f"GB().foreach(lambda x: {SEEN}).register(prefix='b:*', mode='sync')"
    admin.execute_command("RG.PYEXECUTE", script)
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(b"SET b:1 x\r\n")
        assert stream.readline().startswith(b"-NOAUTH")
        admin.config_set("requirepass", "")
        try:
            sock.sendall(b"GET k\r\nSET b:1 x\r\n")
            assert [stream.readline() for _ in range(3)] == [b"$1\r\n", b"v\r\n", b"+OK\r\n"]
            assert admin.get("seen") == "1"
        finally:
            admin.config_set("requirepass", PASSWORD)


@pytest.mark.parametrize(
    ("user", "rules", "begin"),
    [
        ("nomulti", "-multi", b"MULTI\r\n"),
        ("nodiscard", "-discard", b"MULTI\r\nDISCARD\r\nEXEC\r\n"),
        ("noexec", "-exec", b"MULTI\r\nSET a 1\r\nEXEC\r\n"),
        ("any", "+multi", b"MULTI\r\nEXEC x\r\n"),
        ("any", "+multi", b"MULTI x\r\n"),
        ("any", "+multi", b"MULTI\r\nDISCARD x\r\nEXEC\r\n"),
    ],
)
@pytest.mark.parametrize("pipelined", [True, False])
def test_a_transaction_that_redis_refuses_is_none_here(
    guarded, admin, user, rules, begin, pipelined
):
    """Writes behind it run their functions before they are acknowledged, and hooks stand before them."""
    script = f"GB().foreach(lambda x: {SEEN}).register(prefix='b:*', mode='sync')"
    admin.execute_command("RG.PYEXECUTE", script)
    hook(admin, "strlen", seen="'hooked'", words="*x[1:]")
    admin.execute_command("ACL", "SETUSER", user, "on", ">p", "~*", "&*", "+@all", rules)
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(b"AUTH %s p\r\n" % user.encode())
        assert stream.readline() == b"+OK\r\n"
        sock.sendall(begin)
        replies = begin.count(b"\r\n")
        if not pipelined:
            for _ in range(replies):
                stream.readline()
        sock.sendall(b"SET b:1 x\r\n")
        if pipelined:
            for _ in range(replies):
                stream.readline()
        assert stream.readline() == b"+OK\r\n"
        assert admin.get("seen") == "1"
        sock.sendall(b"STRLEN b:1\r\n")
        assert [stream.readline() for _ in range(3)] == [b"*2\r\n", b"$6\r\n", b"hooked\r\n"]


def test_what_follows_a_refused_multi_at_once_is_noted(guarded, admin):
    """It is sent before it is known that there is no transaction: its keys are in the journal all the same."""
    script = "GB().foreach(lambda x: x).register(prefix='b:*', mode='sync')"
    admin.execute_command("RG.PYEXECUTE", script)
    admin.execute_command("ACL", "SETUSER", "nomulti", "on", ">p", "~*", "&*", "+@all", "-multi")
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        with redis.Redis(unix_socket_path=str(guarded.server.socket), password=PASSWORD) as direct:
            before = direct.info("commandstats").get("cmdstat_xadd", {"calls": 0})["calls"]
            sock.sendall(b"AUTH nomulti p\r\nMULTI\r\nSET b:1 x\r\n")
            assert [stream.readline()[:7] for _ in range(3)] == [b"+OK\r\n", b"-NOPERM", b"+OK\r\n"]
            assert direct.info("commandstats")["cmdstat_xadd"]["calls"] == before + 1
