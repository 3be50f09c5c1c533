"""What is done with minigears's own rights is done for nobody whom Redis would refuse it."""

from __future__ import annotations

import signal

import pytest
import redis
from realgears import MiniGears
from realredis import RedisServer, wait_for

PASSWORD = "a-secret-of-this-test"
USERS = {
    "connects": "+@connection",
    "gets": "~* +get",
    "of_a": "~a:* &a:* +@all",
    "reads": "%R~* (%W~a:* +set +append) +@read",
    "all": "~* &* +@all",
}
SEEN = "execute('INCR', 'seen')"
"""What a function does that nobody but minigears may have caused."""
HOOK = """
GB('CommandReader').map(lambda x: [{seen}, call_next({words})])\
    .register(hook='{name}', mode='{mode}', convertToStr=False)
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A minigears before a Redis with a password and users."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--save", "")
    server.start()
    with redis.Redis(unix_socket_path=str(server.socket)) as direct:
        for name, rules in USERS.items():
            direct.execute_command("ACL", "SETUSER", name, "on", f">{name}", *rules_of(rules))
        direct.config_set("requirepass", PASSWORD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIGEARS_REDIS_PASSWORD", PASSWORD)
        gears = MiniGears(server, tmp_path_factory.mktemp("gears"))
        gears.start()
    yield gears
    assert gears.stop() == 0
    server.stop(signal.SIGKILL)


def rules_of(rules: str) -> list[str]:
    """ACL rules; a selector in brackets is one word."""
    head, bracket, rest = rules.partition("(")
    if not bracket:
        return head.split()
    selector, _, tail = rest.partition(")")
    return [*head.split(), f"({selector})", *tail.split()]


@pytest.fixture
def admin(guarded):
    """A client that may do everything; no registrations, no keys."""
    with guarded.client(password=PASSWORD) as client:
        for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
            client.execute_command("RG.UNREGISTER", registration[1])
        client.flushall()
        client.set("k", "v")
        yield client


def hook(admin, name="get", mode="sync", words="*x[1:]", seen=SEEN):
    script = HOOK.format(seen=seen, words=words, name=name, mode=mode)
    admin.execute_command("RG.PYEXECUTE", script)


def login(guarded, user):
    return guarded.client(username=user, password=user, protocol=2)


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
