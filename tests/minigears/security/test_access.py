"""Who may do what: as Redis itself decides it."""

import os
import subprocess
import sys

import psutil
import pytest
import redis

from tests.minigears.realgears import PASSWORD, MiniGears, guarded_gears


@pytest.fixture(scope="module")
def modules_guarded(tmp_path_factory):
    """A minigears before a Redis with a password, on any address."""
    users = {"reader": "~* +@read", "scripter": "~* +@scripting +@write"}
    directory = tmp_path_factory.mktemp("guarded")
    with guarded_gears(directory, users, "--listen", "0.0.0.0:0") as gears:
        yield gears


@pytest.fixture
def guarded(modules_guarded, monkeypatch):
    """It, with no registration and no key, in an environment that knows the password."""
    monkeypatch.setenv("MINIGEARS_REDIS_PASSWORD", PASSWORD)
    modules_guarded.empty(password=PASSWORD)
    return modules_guarded


def run(*options: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "minigears", *map(str, options)],
        capture_output=True, text=True, timeout=60, env=os.environ | environment,
    )  # fmt: skip


@pytest.mark.parametrize("option", ["--listen", "--metrics"])
@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "example.org"])
def test_another_address_needs_a_password(option, host):
    told = run(option, f"{host}:0")
    assert told.returncode == 2
    assert "--allow-open" in told.stderr


def test_allow_open_does_without(redis_server, tmp_path):
    gears = MiniGears(redis_server, tmp_path, "--listen", "0.0.0.0:0", "--allow-open")
    gears.start()
    with gears.client() as client:
        assert client.ping()
    assert gears.stop() == 0


@pytest.mark.parametrize(
    "words", [["RG.PYEXECUTE", "GB().run()"], ["RG.DUMPREGISTRATIONS"], ["GET", "k"]]
)
def test_who_has_not_logged_in_gets_the_error_of_redis(guarded, words):
    with guarded.client(protocol=2) as client:
        with pytest.raises(redis.AuthenticationError, match="Authentication required"):
            client.execute_command(*words)


def test_gears_commands_with_the_password(guarded):
    with guarded.client(password=PASSWORD) as client:
        assert client.execute_command("RG.PYEXECUTE", "GB('ShardsIDReader').run()") == [["1"], []]
        assert client.set("k", "v" * 200_000)
    with guarded.client(password="wrong") as client:
        with pytest.raises(redis.AuthenticationError, match="invalid username-password pair"):
            client.ping()


def test_gears_commands_need_the_right_to_run_scripts(guarded):
    with guarded.client(username="reader", password="reader") as reader:
        assert reader.get("k") is None
        with pytest.raises(
            redis.exceptions.NoPermissionError, match=r"run the 'rg\.pyexecute' command"
        ):
            reader.execute_command("RG.PYEXECUTE", "GB().run()")
    with guarded.client(username="scripter", password="scripter") as scripter:
        script = "GB('KeysReader').foreach(lambda x: None).register(prefix='k*', mode='sync')"
        assert scripter.execute_command("RG.PYEXECUTE", script) in ("OK", b"OK")
        assert scripter.set("k", 1)  # this user may not say PING, which marks replies


def test_messages_do_not_get_anybody_past_the_right_to_run_scripts(guarded):
    with guarded.client(password=PASSWORD) as admin, guarded.raw() as sock:
        admin.acl_setuser("listener", enabled=True, passwords=["+l"], keys=["*"], channels=["*"],
                          categories=["+@all"], commands=["-eval"])  # fmt: skip
        stream = sock.makefile("rb")
        sock.sendall(b"AUTH listener l\r\nINFO server\r\nSUBSCRIBE c\r\n")
        while stream.readline() != b"subscribe\r\n":
            pass
        for _ in range(5):
            admin.publish("c", "x")
        sock.sendall(b"UNSUBSCRIBE c\r\nPING end\r\n")
        while stream.readline() != b"end\r\n":
            pass
        sock.sendall(b"GET none\r\nGET none\r\nRG.PYEXECUTE GB().run()\r\n")
        assert [stream.readline() for _ in range(2)] == [b"$-1\r\n", b"$-1\r\n"]
        assert stream.readline().startswith(b"-NOPERM")


@pytest.mark.parametrize("between", [b"", b"GET k\r\n", b"SET k 1\r\n", b"MULTI\r\n"])
def test_logging_in_again_after_a_reset(guarded, between):
    with guarded.client(password=PASSWORD) as admin, guarded.raw() as sock:
        admin.execute_command("RG.PYEXECUTE", "GB().register(prefix='k', mode='sync')")
        stream = sock.makefile("rb")
        login = b"AUTH %s\r\n" % PASSWORD.encode()
        sock.sendall(login + b"RESET\r\n" + between + login + b"SET k 2\r\nGET k\r\n")
        assert [stream.readline() for _ in range(2)] == [b"+OK\r\n", b"+RESET\r\n"]
        assert not between or stream.readline().startswith(b"-NOAUTH")
        replies = [b"+OK\r\n", b"+OK\r\n", b"$1\r\n", b"2\r\n"]
        assert [stream.readline() for _ in replies] == replies


def test_logging_in_with_the_first_bytes_of_a_large_command(guarded):
    value = b"v" * 3_000_000
    with guarded.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(b"AUTH %s\r\n" % PASSWORD.encode())
        sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n" % (len(value), value))
        assert [stream.readline() for _ in range(2)] == [b"+OK\r\n", b"+OK\r\n"]


def test_who_has_not_logged_in_cannot_fill_the_memory(guarded):
    door = psutil.Process(guarded.process.pid)
    before = door.memory_info().rss
    with guarded.raw() as sock:
        sock.sendall(b"*2\r\n$3\r\nGET\r\n$500000000\r\n")
        with pytest.raises(ConnectionError):  # noqa: PT012 - one of many sends fails
            for _ in range(200):
                sock.sendall(b"x" * (1 << 20))
    assert door.memory_info().rss < before + (32 << 20)


def test_the_password_is_nowhere_to_be_read(guarded):
    processes = [psutil.Process(guarded.process.pid), guarded.executor]
    assert not any(PASSWORD in " ".join(process.cmdline()) for process in processes)
    with guarded.client(password=PASSWORD) as client:
        script = "import os\nGB('ShardsIDReader').map(lambda x: str(dict(os.environ))).run()"
        [[environment], _] = client.execute_command("RG.PYEXECUTE", script)
    assert "PATH" in environment
    assert PASSWORD not in environment
    assert PASSWORD not in guarded.log


COUNT = "GB().foreach(lambda x: execute('INCR', 'n')).register(prefix='k:*', mode='sync')"


def test_a_password_may_be_set_while_it_runs(gears):
    gears.run(COUNT)
    with redis.Redis(unix_socket_path=str(gears.server.socket)) as direct:
        direct.config_set("requirepass", PASSWORD)
        try:
            with gears.client() as stranger, pytest.raises(redis.AuthenticationError):
                stranger.execute_command("RG.DUMPREGISTRATIONS")
            with gears.client(password=PASSWORD) as client:
                assert client.set("k:1", 1)
                assert client.get("n") == "1"
                assert len(client.execute_command("RG.DUMPREGISTRATIONS")) == 1
        finally:
            direct.config_set("requirepass", "")


def test_who_may_not_say_ping_is_served_all_the_same(gears):
    gears.run(COUNT)
    with redis.Redis(unix_socket_path=str(gears.server.socket)) as direct:
        direct.execute_command("ACL", "SETUSER", "default", "-ping")
        try:
            with gears.client() as client:
                assert client.set("k:1", 1)
                assert client.get("n") == "1"
                assert len(client.execute_command("RG.DUMPREGISTRATIONS")) == 1
        finally:
            direct.execute_command("ACL", "SETUSER", "default", "+@all")


def test_whom_redis_does_not_let_in_is_told_so(gears):
    with redis.Redis(unix_socket_path=str(gears.server.socket)) as direct:
        limit = direct.config_get("maxclients")["maxclients"]
        direct.config_set("maxclients", 1)
        try:
            for _ in range(30):  # Redis closes before, while or after the door asks it something
                with gears.raw() as sock, sock.makefile("rb") as stream:
                    assert stream.read() == b"-ERR max number of clients reached\r\n"
        finally:
            direct.config_set("maxclients", limit)


@pytest.mark.parametrize("rules", [["resetchannels"], ["&*", "-psubscribe"]])
def test_a_user_that_may_not_listen_is_refused_at_once(redis_server, tmp_path, rules):
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as direct:
        words = ["ACL", "SETUSER", "gears", "on", ">p", "~*", "+@all", *rules]
        direct.execute_command(*words)
    url = f"unix://gears@{redis_server.socket}"
    told = run("--redis", url, "--listen", "127.0.0.1:0", MINIGEARS_REDIS_PASSWORD="p")
    assert told.returncode == 1
    assert "NOPERM" in told.stderr
    assert "give its user +psubscribe and all channels" in told.stderr


def test_functions_find_no_password_in_their_environment(guarded, tmp_path):
    url = f"unix://:{PASSWORD}@{guarded.server.socket}"
    words = [sys.executable, "-m", "minigears", "--listen", "127.0.0.1:0"]
    words += ["--password-env", "OTHER", "--cache", str(tmp_path)]
    environment = os.environ | {"MINIGEARS_REDIS": url, "OTHER": PASSWORD}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline().rpartition(":")[2])
        with redis.Redis(port=port, password=PASSWORD, decode_responses=True) as client:
            script = "import os\nGB('ShardsIDReader').map(lambda x: str(dict(os.environ))).run()"
            [[seen], _] = client.execute_command("RG.PYEXECUTE", script)
        process.terminate()
    assert "PATH" in seen
    assert PASSWORD not in seen


@pytest.mark.parametrize("password", ["wrong-secret", ""])
def test_a_wrong_password_is_said_clearly(guarded, tmp_path, password):
    told = run(
        "--redis", f"unix://{guarded.server.socket}", "--listen", "127.0.0.1:0",
        MINIGEARS_REDIS_PASSWORD=password,
    )  # fmt: skip
    assert told.returncode == 1
    assert "WRONGPASS" in told.stderr or "NOAUTH" in told.stderr
    assert "Traceback" not in told.stderr
    assert "wrong-secret" not in told.stderr


def test_requirement_names_are_no_options(gears):
    with pytest.raises(redis.ResponseError, match="Could not satisfy requirements"):
        gears.run("GB().run()", "REQUIREMENTS", "--index-url=http://127.0.0.1:1/")


def test_a_password_of_our_own_is_not_one_for_everybody(start_redis, monkeypatch):
    server = start_redis("--save", "")
    with redis.Redis(unix_socket_path=str(server.socket)) as direct:
        direct.acl_setuser("mg", enabled=True, passwords=["+own"], keys=["*"], channels=["*"],
                           categories=["+@all"])  # fmt: skip
    told = run(
        "--redis",
        f"unix://mg@{server.socket}",
        "--listen",
        "0.0.0.0:0",
        MINIGEARS_REDIS_PASSWORD="own",
    )
    assert told.returncode == 1
    assert "lets in who has no password" in told.stderr
