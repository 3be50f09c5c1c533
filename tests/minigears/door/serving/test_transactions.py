"""Between MULTI and EXEC: what Redis does not know runs, too, and stands in the array of EXEC."""

from __future__ import annotations

import pytest
import redis

from minigears.protocol import array_elements
from tests.minigears.realgears import MiniGears

TRIGGERS = """
async def coroutine(x): return 1
GB('CommandReader').map(lambda x: execute('INCR', 'n')).register(trigger='sync', mode='sync')
GB('CommandReader').map(lambda x: isAsyncAllow()).register(trigger='may wait', mode='sync')
GB('CommandReader').map(coroutine).register(trigger='coroutine', mode='sync')
GB('CommandReader').map(lambda x: 1).register(trigger='async')
"""
OVERRIDE = """
GB('KeysReader').foreach(lambda x: override_reply([x['key'], get_command()[0]])) \\
    .register(prefix='k:*', mode='MODE', commands=['set', 'del'], readValue=False)
"""
HOOK = """
GB('CommandReader').map(lambda x: call_next(x[1], 'hooked')) \\
    .register(hook='set', keyprefix='h:', mode='MODE', convertToStr=False)
"""
ONLY_SYNC = (
    "can not run a non-sync execution inside a MULTI/LUA (blocking is not allowed) or on loading."
)


def transaction(gears: MiniGears, *commands: tuple[str, ...], **options: object) -> list[object]:
    """What EXEC answers, errors as text; each command on its own, then all in one piece."""
    answers = []
    for pieces in (False, True):
        with gears.client(single_connection_client=True, **options) as client:
            connection = client.connection
            assert connection is not None
            words = [("MULTI",), *commands, ("EXEC",)]
            if pieces:
                connection.send_packed_command(connection.pack_commands(words))
            for command in words:
                if not pieces:
                    connection.send_command(*command)
                answer = connection.read_response()
        answers.append([str(r) if isinstance(r, Exception) else r for r in answer])
        client.close()
    assert answers[0] == answers[1]
    return answers[0]


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_sync_trigger_runs_behind_the_transaction(gears: MiniGears, protocol: int):
    gears.run(TRIGGERS)
    replies = transaction(
        gears,
        ("SET", "n", "5"),
        ("RG.TRIGGER", "sync"),
        ("GET", "n"),
        ("RG.TRIGGERONKEY", "sync", "n"),
        ("GET", "none"),
        protocol=protocol,
    )
    assert replies == ["OK", ["6"], "5", ["7"], None]


def test_nothing_waits_inside_multi(gears: MiniGears):
    gears.run(TRIGGERS)
    replies = transaction(
        gears,
        ("RG.TRIGGER", "async"),
        ("RG.TRIGGER", "may wait"),
        ("RG.TRIGGER", "coroutine"),
        ("RG.TRIGGER", "none"),
        ("RG.PYEXECUTE", "1"),
        ("RG.INFOCLUSTER",),
    )
    assert ONLY_SYNC in replies[0]
    assert replies[1] == ["False"]
    assert "Creating async record is not allowed" in replies[2]
    assert replies[3] == "subcommand not found"
    assert "Can not run gears inside a multi exec" in replies[4]
    assert replies[5] == "no cluster mode"


OVERRIDDEN = [["k:1", "SET"], "OK", ["k:2", "SET"], None, ["k:1", "DEL"], None]  # once for each
AS_THEY_WERE = ["OK", "OK", "OK", None, 2, None]


@pytest.mark.parametrize(
    ("mode", "told"),
    [("sync", OVERRIDDEN), ("async", AS_THEY_WERE), ("async_local", AS_THEY_WERE)],
)
def test_sync_functions_override_replies_of_a_transaction(
    gears: MiniGears, mode: str, told: list[object]
):
    gears.run(OVERRIDE.replace("MODE", mode))
    replies = transaction(
        gears,
        ("SET", "k:1", "v"),
        ("SET", "other", "v"),
        ("SET", "k:2", "v"),
        ("SET", "k:1", "v", "NX"),
        ("DEL", "k:1", "k:2"),
        ("GET", "k:1"),
    )
    assert replies == told


@pytest.mark.parametrize("protocol", [2, 3])
def test_what_a_transaction_did_not_set_is_not_overridden_by_another_commands_event(
    gears: MiniGears, protocol: int
):
    gears.run(OVERRIDE.replace("MODE", "sync").replace(", 'del']", "]"))
    with gears.client() as client:
        client.set("k:1", "v")
    nothing = ("SET", "k:1", "v", "NX"), ("DEL", "k:1"), ("APPEND", "k:1", "v")
    assert transaction(gears, *nothing, protocol=protocol) == [None, 1, 1]
    set_anew = ("SET", "k:2", "v", "GET"), ("DEL", "k:2")
    assert transaction(gears, *set_anew, protocol=protocol) == [["k:2", "SET"], 1]


def test_a_command_that_fails_is_not_overridden(gears: MiniGears):
    gears.run(OVERRIDE.replace("MODE", "sync"))
    wrong = "wrong number of arguments for 'set' command"
    with gears.client(single_connection_client=True) as client:
        client.execute_command("MULTI")
        with pytest.raises(redis.ResponseError, match=wrong):
            client.execute_command("SET", "k:1")
        with pytest.raises(redis.ResponseError, match="Transaction discarded"):
            client.execute_command("EXEC")
    assert transaction(gears, ("SET", "k:1", "v")) == [["k:1", "SET"]]


def test_what_is_discarded_or_watched_away_runs_nothing(gears: MiniGears):
    gears.run(TRIGGERS)
    with gears.client(single_connection_client=True) as client, gears.client() as other:
        client.execute_command("MULTI")
        client.execute_command("RG.TRIGGER", "sync")
        client.execute_command("DISCARD")
        client.execute_command("WATCH", "key")
        client.execute_command("MULTI")
        client.execute_command("RG.TRIGGER", "sync")
        other.set("key", "changed")
        assert client.execute_command("EXEC") is None
        assert client.execute_command("GET", "n") is None
        assert client.execute_command("RG.TRIGGER", "sync") == ["1"]


def test_hooks_inside_multi(gears: MiniGears):
    gears.run(HOOK.replace("MODE", "sync"))
    assert transaction(gears, ("SET", "h:1", "v"), ("SET", "x", "v"), ("GET", "x")) == [
        *("OK", "OK", "v")
    ]
    with gears.client() as client:
        assert client.get("h:1") == "hooked"


def test_a_hook_that_may_wait_is_not_for_transactions(gears: MiniGears):
    gears.run(HOOK.replace("MODE", "async"))
    [reply, other] = transaction(gears, ("SET", "h:1", "v"), ("SET", "x", "v"))
    assert ONLY_SYNC in reply
    assert other == "OK"
    with gears.client() as client:
        assert client.get("h:1") is None


def test_whoever_may_not_write_does_not_write_by_a_hook(gears: MiniGears):
    gears.run(HOOK.replace("MODE", "sync"))
    with gears.client() as client:
        client.execute_command("ACL", "SETUSER", "bob", "on", ">secret", "+@all", "~h:1", "~x")
        try:
            replies = transaction(
                gears,
                *(("SET", "h:2", "v"), ("SET", "h:1", "v"), ("PING",)),
                username="bob",
                password="secret",
            )
            assert "permissions" in str(replies[0])
            assert replies[1:] == ["OK", "PONG"]
            assert client.mget("h:1", "h:2") == ["hooked", None]
        finally:
            client.execute_command("ACL", "DELUSER", "bob")


@pytest.mark.parametrize(
    ("raw", "elements"),
    [
        (b"*0\r\n", []),
        (b"*-1\r\n", None),
        (b"_\r\n", None),
        (b"-EXECABORT x\r\n", None),
        (b"*3\r\n+OK\r\n$-1\r\n$2\r\n\r\n\r\n", [b"+OK\r\n", b"$-1\r\n", b"$2\r\n\r\n\r\n"]),
        (
            b"*2\r\n*2\r\n:1\r\n*-1\r\n%1\r\n+a\r\n*1\r\n_\r\n",
            [b"*2\r\n:1\r\n*-1\r\n", b"%1\r\n+a\r\n*1\r\n_\r\n"],
        ),
        (b"*2\r\n=5\r\ntxt:x\r\n#t\r\n", [b"=5\r\ntxt:x\r\n", b"#t\r\n"]),
        (b"*1\r\n|1\r\n+k\r\n:1\r\n~1\r\n,1.5\r\n", [b"|1\r\n+k\r\n:1\r\n~1\r\n,1.5\r\n"]),
    ],
)
def test_elements_of_an_array(raw: bytes, elements: list[bytes] | None):
    assert array_elements(raw) == elements
