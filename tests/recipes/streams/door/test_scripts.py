"""Scripts and functions of clients that know nothing of write-behind, on keys that the door captures."""

from __future__ import annotations

import pytest
import redis as redis_py
from redis import Redis

from tests.minigears.realgears import MiniGears
from tests.recipes.servers import has_json
from tests.recipes.streams.door.capturing import waiting
from tests.recipes.streams.door.test_replies import replies
from tests.recipes.streams.door.test_rights import NEEDED, REFUSED, as_user

pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")
SET = "return redis.call('JSON.SET', KEYS[1], '$', ARGV[1])"
FUNCTION = """#!lua name=mine
local function set(keys, args) return redis.call('JSON.SET', keys[1], '$', args[1]) end
redis.register_function('mine_set', set)
redis.register_function('wb_mine', set)"""


def test_what_a_script_changes_of_the_keys_it_declares_is_queued(
    client: Redis, redis: Redis
) -> None:
    client.execute_command("JSON.SET", "Movie:3", "$", '{"n":3}')
    redis.xtrim("wb:{p00}", 0)
    redis.xtrim("wb:{p01}", 0)
    both = "local r = redis.call('JSON.SET', KEYS[1], '$', ARGV[1]); redis.call('DEL', KEYS[2]); return r"
    assert client.eval(both, 4, "Movie:1", "Movie:3", "Movie:4", "Other:1", '{"n":1}') == b"OK"
    assert client.evalsha(client.script_load(SET), 1, "Movie:2", '{"n":2}') == b"OK"
    redis.function_load(FUNCTION, replace=True)
    assert client.fcall("mine_set", 1, "Movie:5", '{"n":5}') == b"OK"
    assert (
        client.fcall("wb_mine", 1, "Movie:6", '{"n":6}') == b"OK"
    )  # no name is enough to be the recipe's
    assert waiting(redis) == {
        "Movie:1": '{"n":1}',
        "Movie:2": '{"n":2}',
        "Movie:3": "",
        "Movie:5": '{"n":5}',
        "Movie:6": '{"n":6}',
    }


def test_a_script_that_changes_nothing_has_no_entry(client: Redis, redis: Redis) -> None:
    client.execute_command("JSON.SET", "Movie:1", "$", '{"n":1}')
    client.execute_command("SET", "Movie:2", '{"n":2}')
    before = [redis.xlen("wb:{p00}"), redis.xlen("wb:{p01}")]
    text = "return {redis.call('JSON.GET', KEYS[1]), redis.call('GET', KEYS[2])}"
    said = client.eval(text, 3, "Movie:1", "Movie:2", "Movie:3")
    assert said == [b'{"n":1}', b'{"n":2}']
    assert [redis.xlen("wb:{p00}"), redis.xlen("wb:{p01}")] == before


def test_a_script_that_fails_has_entries_for_what_it_has_done(client: Redis, redis: Redis) -> None:
    with pytest.raises(redis_py.ResponseError, match="WRONGTYPE"):
        client.eval(SET + " and redis.call('HGET', KEYS[1], 'a')", 1, "Movie:1", '{"n":1}')
    assert waiting(redis) == {"Movie:1": '{"n":1}'}


def test_a_full_queue_refuses_before_a_script_begins(client: Redis, redis: Redis) -> None:
    for n in range(10):
        client.execute_command("JSON.SET", "Movie:1", "$", f'{{"n":{n}}}')
    with pytest.raises(redis_py.ResponseError, match="WBFULL 10 entries wait"):
        client.eval(SET, 1, "Movie:1", '{"n":10}')
    assert redis.execute_command("JSON.GET", "Movie:1") == b'{"n":9}'
    assert client.execute_command("EVAL_RO", "return 1", 1, "Movie:1") == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("EVAL", SET, "1", "Movie:{p07}:1", "{}"), "WBCONFIG"),
        (("EVAL", "return redis.call('SET', KEYS[1], 'x')", "1", "Hash:1"), "holds no document"),
        (("EVALSHA", "0" * 40, "1", "Movie:1"), "No matching script"),
        (("FCALL", "wb", "1", "Movie:1"), "Function not found"),
        (("EVAL", "no Lua", "1", "Movie:1"), "Error compiling script"),
    ],
)
def test_a_script_that_cannot_be_captured_or_run_writes_nothing(
    client: Redis, redis: Redis, words: tuple[str, ...], code: str
) -> None:
    if words[3] == "Hash:1":
        redis.hset("Movie:Hash", "a", "b")
        words = (*words[:3], "Movie:Hash")
    with pytest.raises(redis_py.ResponseError, match=code):
        client.execute_command(*words)
    assert not redis.keys("Movie:[^H]*")
    assert not waiting(redis)
    assert client.ping()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("return redis.call('SET', KEYS[1], 'no JSON')", "WBJSON"),
        ("return redis.call('HSET', KEYS[1], 'a', 'b')", "WRONGTYPE"),
        ("return redis.call('SET', KEYS[1], '')", "WRONGTYPE"),
    ],
)
def test_what_a_script_makes_of_a_key_is_told_if_it_is_no_document(
    client: Redis, redis: Redis, text: str, code: str
) -> None:
    with pytest.raises(redis_py.ResponseError, match=f"{code} .*after the script"):
        client.eval(text, 1, "Movie:1")
    assert not waiting(redis)


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize(
    "commands",
    [
        "EVAL return{1,{2,'x'},false,redis.status_reply('A')} 1 {};EVAL return(7) 1 {};GET {}",
        "EVAL return{double=3.5} 1 {};EVAL redis.setresp(3)return{map={a=1}} 1 {}",
        "SET {} 1;EVAL return(redis.call('INCR',KEYS[1])) 1 {};GET {}",
        "EVAL return(redis.call('LPUSH',KEYS[1])) 1 {};EVAL error('x') 1 {};EVAL",
    ],
)
def test_scripts_are_answered_as_beside_a_key_that_is_not_captured(
    client: Redis, door: MiniGears, commands: str, protocol: int, pieces: int
) -> None:
    said = {}
    for key in ("Movie:1", "Other:1"):
        lines = commands.replace("{}", key).split(";")
        said[key] = replies(("127.0.0.1", door.port), protocol, lines, pieces)
        said[key] = [line.replace(key.encode(), b"{}") for line in said[key]]
    assert said["Movie:1"] == said["Other:1"]


def test_in_a_transaction_of_the_client_or_while_it_watches_a_script_is_refused(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    """A transaction of the door's would end what it watches, or is not possible."""
    with redis_py.Redis(port=door.port, single_connection_client=True) as one:
        script = ("EVAL", SET, 1, "Movie:1", "{}")
        one.execute_command("MULTI")
        one.execute_command(*script)
        [said] = one.execute_command("EXEC")
        assert "WBCOMMAND EVAL" in str(said)
        one.execute_command("WATCH", "Other:1")
        with pytest.raises(redis_py.ResponseError, match="WBCOMMAND EVAL"):
            one.execute_command(*script)
        redis.set("Other:1", "2")
        one.execute_command("MULTI")
        one.execute_command("SET", "Other:2", "3")
        assert one.execute_command("EXEC") is None
        assert not redis.exists("Movie:1")
        one.execute_command("WATCH", "Other:1")
        with pytest.raises(redis_py.ResponseError, match="wrong number"):
            one.execute_command("UNWATCH", "Other:1")
        with pytest.raises(redis_py.ResponseError, match="WBCOMMAND EVAL"):
            one.execute_command(*script)
        one.execute_command("UNWATCH")
        with pytest.raises(redis_py.ResponseError, match="wrong number"):
            one.execute_command("WATCH")
        assert one.execute_command(*script) == b"OK"
    assert waiting(redis) == {"Movie:1": "{}"}


@pytest.mark.parametrize("missing", [*NEEDED, "+multi", "+eval"])
def test_a_user_whom_redis_does_not_let_queue_runs_no_script(
    client: Redis, redis: Redis, door: MiniGears, missing: str
) -> None:
    rules = [rule for rule in (*NEEDED, "+eval") if rule != missing]
    rules += ["-multi"] if missing == "+multi" else ["+multi"]
    rules += ["+exec", "+discard", "+json.set", "~Movie:*", "~wb:*"]
    try:
        with as_user(redis, door, *rules) as app:
            with pytest.raises(redis_py.ResponseError, match=REFUSED):
                app.eval(SET, 1, "Movie:1", "{}")
            assert app.ping()
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
    assert not redis.exists("Movie:1")
    assert not waiting(redis)


def test_a_function_registered_on_its_keys_runs_before_a_script_is_answered(
    client: Redis, redis: Redis
) -> None:
    registered = "GB('KeysReader').foreach(lambda r: execute('INCR', 'seen')).register('Movie:*', mode='sync')"
    client.execute_command("RG.PYEXECUTE", registered)
    try:
        for n in range(5):
            client.eval(SET, 1, "Movie:1", f'{{"n":{n}}}')
            assert redis.get("seen") == str(n + 1).encode()
    finally:
        for registration in client.execute_command("RG.DUMPREGISTRATIONS"):
            client.execute_command("RG.UNREGISTER", registration[1])
