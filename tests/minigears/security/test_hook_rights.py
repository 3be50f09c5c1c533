"""A hook runs for whoever Redis would let run the command, and for nobody else."""

from __future__ import annotations

import pytest
import redis

from tests.minigears.realgears import PASSWORD
from tests.minigears.security.rights import hook, login


def test_a_hook_runs_for_nobody_who_has_not_logged_in(guarded, admin):
    hook(admin)
    hook(admin, "set")
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(b"GET k\r\nSET k 1\r\nGET\r\nRESET\r\nGET k\r\n")
        said = [stream.readline() for _ in range(5)]
        assert said[3] == b"+RESET\r\n"
        assert all(line.startswith(b"-") for line in said[:3] + said[4:])
        assert said[0].startswith(b"-NOAUTH")
        assert said[4].startswith(b"-NOAUTH")
        sock.sendall(b"AUTH %s\r\nGET k\r\n" % PASSWORD.encode())
        assert [stream.readline() for _ in range(4)] == [
            b"+OK\r\n",
            b"*2\r\n",
            b":1\r\n",
            b"$1\r\n",
        ]
        assert stream.readline() == b"v\r\n"
        sock.sendall(b"RESET\r\nGET k\r\n")
        assert stream.readline() == b"+RESET\r\n"
        assert stream.readline().startswith(b"-NOAUTH")
    assert admin.execute_command("EXISTS", "seen") == 1
    assert int(admin.execute_command("STRLEN", "seen")) == 1


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("connects", "GET k"),
        ("of_a", "GET b:1"),
        ("of_a", "MGET a:1 a:2 b:1"),
        ("of_a", "PUBLISH b:c x"),
        ("reads", "SET b:1 v"),
        ("reads", "SET a:1 v GET"),
        ("gets", "SET k v"),
    ],
)
def test_a_hook_runs_for_nobody_whom_redis_would_refuse(guarded, admin, mode, user, words):
    argv = words.split()
    with login(guarded, user) as client:
        with pytest.raises(redis.exceptions.NoPermissionError) as plain:
            client.execute_command(*argv)
        hook(admin, argv[0].lower(), mode)
        with pytest.raises(redis.exceptions.NoPermissionError) as hooked:
            client.execute_command(*argv)
    assert str(hooked.value) == str(plain.value)
    assert admin.exists("seen") == 0


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("of_a", "GET a:1"),
        ("of_a", "MGET a:1 a:2"),
        ("reads", "APPEND a:1 v"),
        ("reads", "GET b:1"),
    ],
)
def test_a_hook_runs_for_whom_redis_lets(guarded, admin, user, words):
    argv = words.split()
    hook(admin, argv[0].lower())
    with login(guarded, user) as client:
        assert client.execute_command(*argv)[0] == 1


def test_words_of_the_wrong_number_are_no_way_around(guarded, admin):
    hook(admin, "get", words="'b:1'", seen="execute('GET', x[1])")
    admin.execute_command("SET", "b:1", "secret")
    with login(guarded, "of_a") as client, pytest.raises(redis.ResponseError) as refused:
        client.execute_command("GET", "b:1", "more")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_call_next_runs_what_the_client_may_run(guarded, admin, mode):
    admin.set("b:1", "secret")
    hook(admin, "get", mode, words="'b:1'", seen="1")
    with login(guarded, "of_a") as client:
        with pytest.raises(redis.ResponseError, match="NOPERM") as refused:
            client.get("a:1")
        assert "secret" not in str(refused.value)
    with login(guarded, "all") as client:
        assert client.get("a:1") == [1, "secret"]


def test_call_next_into_another_hook_asks_first(guarded, admin):
    hook(admin, "get", words="*x[1:]")
    hook(admin, "get", words="'b:1'", seen="1")
    with login(guarded, "of_a") as client, pytest.raises(redis.ResponseError, match="NOPERM"):
        client.get("a:1")
    assert admin.execute_command("EXISTS", "seen") == 0


def test_rights_taken_while_connected(guarded, admin):
    hook(admin, "strlen")
    change = ("ACL", "SETUSER", "passing", "on", ">passing", "~*")
    admin.execute_command(*change, "+@all")
    with login(guarded, "passing") as client:
        assert client.strlen("k") == [1, 1]
        admin.execute_command(*change, "-strlen")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.strlen("k")
        admin.execute_command(*change, "+strlen")
        assert client.strlen("k") == [2, 1]
        admin.execute_command(*change, "off")  # who is connected stays, as in Redis
        assert client.strlen("k") == [3, 1]
        admin.execute_command("ACL", "DELUSER", "passing")
        with pytest.raises(redis.RedisError):
            client.strlen("k")
    assert admin.get("seen") == "3"


def test_another_user_on_the_same_connection(guarded, admin):
    hook(admin)
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(b"HELLO 3 AUTH all all\r\n")
        while stream.readline() != b"$7\r\n":
            pass
        sock.sendall(b"PING now\r\n")
        while stream.readline() != b"now\r\n":
            pass
        sock.sendall(b"GET k\r\nAUTH connects connects\r\nGET k\r\nAUTH all wrong\r\nGET k\r\n")
        sock.sendall(b"AUTH gets gets\r\nGET k\r\nMULTI\r\n")
        said = [stream.readline() for _ in range(3)]
        assert said == [b"*2\r\n", b":1\r\n", b"$1\r\n"]
        assert stream.readline() == b"v\r\n"
        said = [stream.readline() for _ in range(8)]
        assert [line[:8] for line in said] == [
            *(b"+OK\r\n", b"-NOPERM ", b"-WRONGPA", b"-NOPERM "),
            *(b"+OK\r\n", b"*2\r\n", b":2\r\n", b"$1\r\n"),
        ]
        assert stream.readline() == b"v\r\n"
        assert stream.readline().startswith(b"-NOPERM")


def test_logging_in_inside_a_transaction(guarded, admin):
    hook(admin)
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(
            b"AUTH all all\r\nMULTI\r\nAUTH connects connects\r\nGET k\r\nEXEC\r\nGET k\r\n"
        )
        said = [stream.readline() for _ in range(4)]
        assert said == [b"+OK\r\n", b"+OK\r\n", b"+QUEUED\r\n", b"+QUEUED\r\n"]
        assert stream.readline() == b"*2\r\n"
        assert stream.readline() == b"+OK\r\n"
        assert all(stream.readline().startswith(b"-NOPERM") for _ in range(2))
    assert admin.execute_command("EXISTS", "seen") == 0


def test_messages_are_not_taken_for_an_answer_of_redis(guarded, admin):
    hook(admin)
    forged = b"*2\r\n$2\r\nid\r\n:1\r\n"
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(b"AUTH connects connects\r\nGET k\r\n")
        assert stream.readline() == b"+OK\r\n"
        assert stream.readline().startswith(b"-NOPERM")
        admin.execute_command("ACL", "SETUSER", "connects", "+subscribe", "&*")
        sock.sendall(b"SUBSCRIBE c\r\n")
        while stream.readline() != b":1\r\n":
            pass
        for _ in range(20):
            admin.publish("c", forged)
        sock.sendall(b"GET k\r\n" * 3)
        errors = 0
        while errors < 3:
            errors += stream.readline().startswith(b"-NOPERM")
    assert admin.execute_command("EXISTS", "seen") == 0
