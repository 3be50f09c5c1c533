"""Commands and options of RedisGears through a real door, which nothing else here uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from tests.minigears.realgears import MiniGears
from tests.minigears.realredis import wait_for


@pytest.fixture
def client(gears: MiniGears) -> Iterator[redis.Redis]:
    with gears.client() as client:
        yield client


def registrations(client: redis.Redis) -> list[dict]:
    dumped = client.execute_command("RG.DUMPREGISTRATIONS")
    return [dict(zip(one[::2], one[1::2], strict=True)) for one in dumped]


def data(registration: dict) -> dict:
    flat = registration["RegistrationData"]
    return dict(zip(flat[::2], flat[1::2], strict=True))


def outstanding(client: redis.Redis) -> int:
    return client.info("minigears")["minigears_events_outstanding"]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_unregister_and_abort_what_runs(gears, client, mode):
    gears.run(f"""
def f(x):
    execute('SET', 'running', 1)
    while not execute('EXISTS', 'go'): pass
    execute('SET', 'ended', 1)
GB('KeysReader').foreach(f).register(prefix='k:*', mode='{mode}')
""")
    with gears.raw() as sock:
        sock.sendall(b"SET k:1 1\r\n")
        wait_for(lambda: client.exists("running"), what="the function")
        [registration] = registrations(client)
        assert client.execute_command("RG.UNREGISTER", registration["id"], "ABORTPENDING") == "OK"
        wait_for(lambda: outstanding(client) == 0, what="the end of the function")
        assert sock.recv(100) == b"+OK\r\n"
    client.set("go", 1)
    assert not client.exists("ended")


def test_unregister_lets_what_runs_end(gears, client):
    gears.run("""
def f(x):
    execute('SET', 'running', 1)
    while not execute('EXISTS', 'go'): pass
    execute('SET', 'ended', 1)
GB('KeysReader').foreach(f).register(prefix='k:*', mode='async')
""")
    client.set("k:1", 1)
    wait_for(lambda: client.exists("running"), what="the function")
    [registration] = registrations(client)
    assert client.execute_command("RG.UNREGISTER", registration["id"]) == "OK"
    client.set("go", 1)
    wait_for(lambda: client.exists("ended"), what="the end of the function")


def test_refreshcluster(client):
    assert client.execute_command("RG.REFRESHCLUSTER") == "OK"


@pytest.mark.parametrize(
    ("options", "expected"),
    [("", "123"), ("fromId='0-0'", "123"), ("fromId='2-0'", "3"), ("fromId='3-1'", "")],
)
def test_a_stream_is_read_from_an_id_on(client, options, expected):
    for n in "123":
        client.xadd("s", {"n": n}, id=f"{n}-0")
    script = f"GB('StreamReader').map(lambda x: x['value']['n']).run('s', {options})"
    assert client.execute_command("RG.PYEXECUTE", script) == [list(expected), []]
    assert client.xlen("s") == 3


def hook(name: str, *more: str) -> str:
    options = ", ".join(["hook='hset'", "mode='sync'", "convertToStr=False", *more])
    return f"GB('CommandReader').map(lambda x: ['{name}', call_next(*x[1:])]).register({options})\n"


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_hook_of_keys_with_a_prefix(gears, client, mode):
    gears.run(hook("hooked", "keyprefix='k:*'").replace("'sync'", f"'{mode}'"))
    pipe = client.pipeline(transaction=False)
    for key in ("k:1", "x:1", "k:1", "kk:1"):
        pipe.execute_command("hSet", key, "f", key)
    assert pipe.execute() == [["hooked", 1], 1, ["hooked", 0], 1]
    assert client.hget("k:1", "f") == "k:1"


def test_hooks_stand_one_before_the_other(gears, client):
    """The last one registered comes first, whatever its prefix."""
    gears.run(hook("first"))
    gears.run(hook("second", "keyprefix='k:*'"))
    assert client.execute_command("HSET", "k:1", "f", "v") == ["second", ["first", 1]]
    assert client.execute_command("HSET", "x:1", "f", "v") == ["first", 1]
    for registration in registrations(client):
        client.execute_command("RG.UNREGISTER", registration["id"])
    assert client.hset("k:1", "f", "v") == 0


@pytest.mark.parametrize("in_multi", [False, True])
def test_a_hook_is_given_any_number_of_words(gears, client, in_multi):
    """So a hook may extend a command. What it passes on has to be what Redis knows."""
    gears.run("""
def f(x): return x[1:] if len(x) != 3 else call_next(*x[1:])
GB('CommandReader').map(f).register(hook='get', mode='sync', convertToStr=False)
GB('CommandReader').map(f).register(hook='get', keyprefix='k', mode='sync', convertToStr=False)
""")
    pipe = client.pipeline(transaction=in_multi)
    for words in (["k"], ["k", "a", "b"], ["x", "a", "b"], [], ["k", "a"]):
        pipe.execute_command("GET", *words)
    *said, refused = pipe.execute(raise_on_error=False)
    assert said == [["k"], ["k", "a", "b"], ["x", "a", "b"], []]
    assert "gears.error: Invalid argument" in str(refused)


@pytest.mark.parametrize("words", ["CLIENT ID", "CLIENT REPLY OFF", "COMMAND COUNT", "ACL WHOAMI"])
def test_a_hook_of_a_command_whose_second_word_says_what_it_does(gears, words):
    name = words.split()[0].lower()
    gears.run(f"GB('CommandReader').map(lambda x: '+hooked').register(hook='{name}')")
    with gears.raw() as sock:
        sock.sendall(words.encode() + b"\r\n")
        assert sock.recv(100) == b"+hooked\r\n"


def test_an_error_that_begins_with_pause_pauses_a_stream(gears, client):
    gears.run("""
def f(x):
    if not execute('EXISTS', 'go'):
        flat_error('PAUSE the database is away')
    execute('RPUSH', 'seen', x['value']['n'])
GB('StreamReader').foreach(f).register(prefix='s', onFailedPolicy='retry', onFailedRetryInterval=1)
""")
    client.xadd("s", {"n": 1})
    wait_for(lambda: data(registrations(client)[0])["status"] == "PAUSED", what="the pause")
    client.xadd("s", {"n": 2})
    client.set("go", 1)
    [registration] = registrations(client)
    assert data(registration)["numFailures"] == 1
    assert data(registration)["lastError"] == "PAUSE the database is away"
    assert client.xlen("s") == 2
    client.execute_command("RG.UNPAUSEREGISTRATIONS", registration["id"])
    wait_for(lambda: client.lrange("seen", 0, -1) == ["1", "2"], what="both entries")
    wait_for(lambda: data(registrations(client)[0])["status"] != "PAUSED", what="the status")


def test_a_thread_can_act_for_a_session(gears, client):
    gears.run(
        """
from threading import Thread
def f(x):
    session = getGearsSession()
    def work():
        before = getGearsSession()
        setGearsSession(session)
        execute('RPUSH', 'seen', str(before is None), str(getGearsSession() == session))
    Thread(target=work).start()
GB('CommandReader').foreach(f).register(trigger='t')
"""
    )
    client.execute_command("RG.TRIGGER", "t")
    wait_for(lambda: client.lrange("seen", 0, -1) == ["True", "True"], what="the thread")
