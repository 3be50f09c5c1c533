"""Clients that know nothing of write-behind, behind a minigears that captures their writes."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hiredis
import pytest
import redis as redis_py
from redis import Redis

from minigears.door.capture.queue import VERSION as DOOR_VERSION
from recipes.streams import Partitions, Sink, Worker, WriteBehind
from recipes.streams.core.library import SOURCE, VERSION
from tests.minigears.realgears import MiniGears
from tests.recipes.servers import MongoServer, PlainRedis, has_json, wait_for

PARTITIONS = Partitions(2)
pytestmark = pytest.mark.skipif(not has_json(), reason="no RedisJSON that loads into this server")
OPTIONS = ["--capture", "Movie:", "--capture-queue", "wb:2:10:20000"]

COMMANDS = [
    'JSON.SET Movie:1 $ {"n":1,"a":[1,2],"o":{"n":2.5,"a":1},"s":"x","b":true}',
    'JSON.SET Movie:1 $ {"n":0} NX',
    "JSON.SET Movie:1 $.new 7",
    "JSON.SET Movie:1 $.no.such 7",
    'JSON.MERGE Movie:1 $ {"m":1}',
    "JSON.NUMINCRBY Movie:1 $.n 2",
    "JSON.NUMINCRBY Movie:1 $..n 0.25",
    "JSON.NUMINCRBY Movie:1 $..a 1",
    "JSON.NUMINCRBY Movie:1 $.none 1",
    "JSON.NUMINCRBY Movie:1 .n 2",
    "JSON.NUMINCRBY Movie:1 .s 2",
    "JSON.NUMMULTBY Movie:1 $..n 3",
    "JSON.ARRAPPEND Movie:1 $..a 3",
    "JSON.ARRAPPEND Movie:1 .a 3",
    "JSON.ARRAPPEND Movie:1 .s 3",
    "JSON.ARRINSERT Movie:1 $.a 0 9",
    "JSON.ARRTRIM Movie:1 $..a 0 2",
    "JSON.ARRPOP Movie:1 $..a",
    "JSON.ARRPOP Movie:1 .a",
    'JSON.STRAPPEND Movie:1 $.* "y"',
    "JSON.TOGGLE Movie:1 $.*",
    "JSON.TOGGLE Movie:1 .b",
    "JSON.CLEAR Movie:1 $.a",
    "JSON.GET Movie:1 $.n",
    "JSON.DEL Movie:1 $.none",
    "JSON.DEL Movie:1 $.n",
    "JSON.NUMINCRBY Movie:1",
    "JSON.SET Movie:1",
    "SET Movie:1",
    "JSON.NUMINCRBY Movie:none $.n 1",
    "EXPIRE Movie:1 1000",
    "PERSIST Movie:1",
    "RENAME Movie:1 Movie:2",
    "RENAME Movie:1 Movie:2",
    'SET Movie:2 {"t":1}',
    "GET Movie:2",
    'SET Movie:2 {"t":2} NX',
    'SET Movie:2 {"t":3} GET',
    'GETSET Movie:2 {"t":4}',
    "JSON.MERGE Movie:2 $ {}",
    "GETDEL Movie:2",
    "GETDEL Movie:2",
    'JSON.MSET Movie:3 $ {"a":1} Other:3 $ {"a":2}',
    "DEL Movie:3 Other:3 Movie:4",
    "UNLINK Movie:3",
    "MULTI",
    'JSON.SET Movie:5 $ {"n":1}',
    "JSON.NUMINCRBY Movie:5 $.n 1",
    "JSON.ARRPOP Movie:5 $.n",
    "EXEC",
    "MULTI",
    'JSON.SET Movie:5 $ {"n":9}',
    "SET Movie:5",
    "EXEC",
    "MULTI",
    "DEL Movie:5",
    "DISCARD",
    "EXPIRE Movie:5 -1",
]


@pytest.fixture(scope="module")
def door(redis_server: PlainRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniGears]:
    gears = MiniGears(redis_server, tmp_path_factory.mktemp("door"), *OPTIONS)
    gears.start()
    yield gears
    assert gears.stop() == 0


@pytest.fixture
def client(redis: Redis, door: MiniGears) -> Iterator[Redis]:
    """An application's: it imports nothing of the recipe, whose worker has been there."""
    WriteBehind(redis, PARTITIONS).prepare()
    with redis_py.Redis(port=door.port) as client:
        yield client


def waiting(redis: Redis) -> dict[str, str]:
    """The last entry of each document, by its key."""
    entries = [e for p in PARTITIONS.all() for e in redis.xrange(p.stream)]
    return {fields[b"key"].decode(): fields[b"doc"].decode() for _, fields in entries}


def replies(place: object, protocol: int, commands: list[str], pieces: int) -> list[bytes]:
    """What a server answers to each command, byte by byte."""
    unix = isinstance(place, str)
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as sock:
        sock.settimeout(60)
        sock.connect(place)  # type: ignore[arg-type]
        stream = sock.makefile("rb")
        words = [line.split() for line in commands]
        packed = [hiredis.pack_command(tuple(w.encode() for w in argv)) for argv in words]
        sock.sendall(hiredis.pack_command((b"HELLO", str(protocol).encode())))
        one_reply(stream)
        answers = []
        for at in range(0, len(packed), pieces):
            sock.sendall(b"".join(packed[at : at + pieces]))
            answers += [one_reply(stream) for _ in packed[at : at + pieces]]
    return answers


def one_reply(stream: object) -> bytes:
    line = stream.readline()  # type: ignore[attr-defined]
    kind, rest = line[:1], line[1:-2]
    if kind in b"$=" and int(rest) >= 0:
        line += stream.read(int(rest) + 2)  # type: ignore[attr-defined]
    elif kind in b"*~>%" and int(rest) > 0:
        count = int(rest) * (2 if kind == b"%" else 1)
        line += b"".join(one_reply(stream) for _ in range(count))
    return bytes(line)


def test_door_and_library_are_of_one_version() -> None:
    assert DOOR_VERSION == VERSION


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("pieces", [1, 1000])
def test_replies_are_those_of_redis_byte_for_byte(
    client: Redis, door: MiniGears, tmp_path: Path, protocol: int, pieces: int
) -> None:
    client.delete("Movie:1")  # only so that something was captured already
    door.server.client().flushall()
    WriteBehind(door.server.client(), PARTITIONS).prepare()
    plain = PlainRedis(tmp_path)
    plain.start()
    try:
        # Ten entries may wait in the queue of this door, so the stream is emptied now and then.
        theirs, ours = [], []
        for part in parts(COMMANDS):
            theirs += replies(str(plain.socket), protocol, part, pieces)
            ours += replies(("127.0.0.1", door.port), protocol, part, pieces)
            for partition in PARTITIONS.all():
                door.server.client().xtrim(partition.stream, 0)
    finally:
        plain.stop(signal.SIGKILL)
    assert list(zip(COMMANDS, ours, strict=True)) == list(zip(COMMANDS, theirs, strict=True))


GREETINGS = [
    "HELLO 4;{}",
    "HELLO 3 AUTH nobody wrong;{}",
    "HELLO 3 SETNAME;{}",
    "HELLO 3;{};HELLO 2;{};HELLO 3;{};HELLO 4;{};RESET;{}",
    "MULTI;HELLO 3;EXEC;{}",
    "MULTI;HELLO 3;DISCARD;{}",
    "MULTI;{};HELLO 3;EXEC;{}",
    "MULTI;HELLO 4;EXEC;{}",
    "MULTI;HELLO 3;RESET;{}",
    "HELLO 3;MULTI;{};RESET;{}",
    "GET x;HELLO 3;{};GET x",
]


@pytest.mark.parametrize("pieces", [1, 1000])
@pytest.mark.parametrize("greeting", GREETINGS)
def test_a_captured_write_is_answered_in_the_resp_that_redis_has_agreed_to(
    client: Redis, door: MiniGears, greeting: str, pieces: int
) -> None:
    """And in no other, if it refuses `HELLO`: beside a key that is not captured."""
    redis = door.server.client()
    lines = {}
    for key in ("Movie:1", "Other:1"):
        redis.execute_command("JSON.SET", key, "$", '{"n":1}')
        commands = greeting.replace("{}", f"JSON.NUMINCRBY {key} $.n 1").split(";")
        answers = replies(("127.0.0.1", door.port), 2, commands, pieces)
        lines[key] = [a for c, a in zip(commands, answers, strict=True) if c[:5] != "HELLO"]
        lines[key] = [re.sub(rb":\d+", b":", line) for line in lines[key]]
    assert lines["Movie:1"] == lines["Other:1"]


def parts(commands: list[str]) -> Iterator[list[str]]:
    """Few commands at a time, transactions whole."""
    part: list[str] = []
    for command in commands:
        part.append(command)
        inside = "MULTI" in part and part[-1] not in ("EXEC", "DISCARD")
        if len(part) >= 4 and not inside:
            yield part
            part = []
    yield part


def test_each_document_is_queued_as_it_then_is(client: Redis, redis: Redis) -> None:
    client.execute_command("JSON.SET", "Movie:1", "$", '{"n":1}')
    client.execute_command("JSON.NUMINCRBY", "Movie:1", "$.n", 4)
    client.execute_command("JSON.SET", "Movie:2", "$", '{"n":2}')
    client.execute_command("JSON.SET", "Other:1", "$", '{"n":3}')
    client.delete("Movie:2", "Other:1")
    with client.pipeline(transaction=True) as pipe:
        pipe.execute_command("JSON.SET", "Movie:3", "$", '{"n":3}')
        pipe.execute_command("RENAME", "Movie:3", "Movie:4")
        pipe.execute()
    assert waiting(redis) == {
        "Movie:1": '{"n":5}',
        "Movie:2": "",
        "Movie:3": "",
        "Movie:4": '{"n":3}',
    }


def test_a_full_queue_refuses_before_anything_is_written(client: Redis, redis: Redis) -> None:
    for n in range(10):
        client.execute_command("JSON.SET", "Movie:1", "$", f'{{"n":{n}}}')
    with pytest.raises(redis_py.ResponseError, match="WBFULL 10 entries wait"):
        client.execute_command("JSON.SET", "Movie:1", "$", '{"n":10}')
    assert redis.execute_command("JSON.GET", "Movie:1") == b'{"n":9}'
    client.execute_command("JSON.SET", "Other:1", "$", "{}")  # what is not captured has room
    with pytest.raises(redis_py.ResponseError, match="WBFULL"):
        client.delete("Movie:1")
    assert redis.exists("Movie:1")


def test_what_is_too_large_for_the_queue_is_refused(client: Redis, redis: Redis) -> None:
    client.execute_command("JSON.SET", "Movie:1", "$", "{}")
    large = '{"text":"' + "x" * 30_000 + '"}'
    with pytest.raises(redis_py.ResponseError, match="WBFULL"):
        client.execute_command("JSON.SET", "Movie:1", "$", large)
    assert redis.execute_command("JSON.GET", "Movie:1") == b"{}"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("HSET", "Movie:1", "title", "M"), "WBCOMMAND HSET"),
        (("INCR", "Movie:1"), "WBCOMMAND INCR"),
        (("COPY", "Other:1", "Movie:1"), "WBCOMMAND COPY"),
        (("EVAL", "return redis.call('SET', KEYS[1], '{}')", "1", "Movie:1"), "WBCOMMAND EVAL"),
        (("SET", "Movie:1", "no JSON"), "WBJSON"),
        (("RENAME", "Hash:1", "Movie:1"), "WRONGTYPE"),
        (("MSET", "Other:1", "no JSON", "Movie:1", "{}", "Movie:2", "no JSON"), "WBJSON"),
        (("APPEND", "Movie:1", "{}"), "WBCOMMAND APPEND"),
        (("BITOP", "NOT", "Movie:1", "Other:1"), "WBCOMMAND BITOP"),
        (("BLMOVE", "List:1", "Movie:1", "LEFT", "LEFT", "0"), "WBCOMMAND BLMOVE"),
        (("BLPOP", "List:1", "Movie:1", "0"), "WBCOMMAND BLPOP"),
        (("FCALL", "wb", "1", "Movie:1"), "WBCOMMAND FCALL"),
        (("HPEXPIRE", "Movie:1", "1", "FIELDS", "1", "a"), "WBCOMMAND HPEXPIRE"),
        (("HSETEX", "Movie:1", "EX", "9", "FIELDS", "1", "a", "b"), "WBCOMMAND HSETEX"),
        (("LMOVE", "List:1", "Movie:1", "LEFT", "LEFT"), "WBCOMMAND LMOVE"),
        (("MOVE", "Movie:1", "1"), "WBCOMMAND MOVE"),
        (("RESTORE", "Movie:1", "0", "x"), "WBCOMMAND RESTORE"),
        (("SORT", "List:1", "STORE", "Movie:1"), "WBCOMMAND SORT"),
        (("SUNIONSTORE", "Movie:1", "Set:1"), "WBCOMMAND SUNIONSTORE"),
        (("XADD", "Movie:1", "*", "a", "b"), "WBCOMMAND XADD"),
        (("of-a-module", "Movie:1"), "WBCOMMAND OF-A-MODULE"),
        (("JSON.SET", "Movie:{p07}:1", "$", "{}"), "WBCONFIG"),
    ],
)
def test_what_cannot_be_captured_is_refused(
    client: Redis, redis: Redis, words: tuple[str, ...], code: str
) -> None:
    client.hset("Hash:1", "a", "b")
    with pytest.raises(redis_py.ResponseError, match=code):
        client.execute_command(*words)
    assert not redis.keys("Movie:*")
    assert not waiting(redis)


def test_another_database_has_no_queue_and_without_the_library_nothing_is_written(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    with redis_py.Redis(port=door.port, db=3) as other:
        with pytest.raises(redis_py.ResponseError, match="WBCONFIG"):
            other.execute_command("JSON.SET", "Movie:1", "$", "{}")
        assert not other.exists("Movie:1")
    redis.function_flush()
    with pytest.raises(redis_py.ResponseError, match="Function not found"):
        client.execute_command("JSON.SET", "Movie:1", "$", "{}")
    assert not redis.exists("Movie:1")


def test_a_client_that_leaves_at_once_is_captured_or_not_written(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    client.ping()
    with door.raw() as sock:
        sock.sendall(hiredis.pack_command((b"JSON.SET", b"Movie:1", b"$", b'{"n":1}')))
        sock.sendall(hiredis.pack_command((b"JSON.SET", b"Movie:2", b"$", b'{"n":1}'))[:-4])
    wait_for(lambda: bool(redis.exists("Movie:1")), 60)
    assert waiting(redis) == {"Movie:1": '{"n":1}'}
    assert not redis.exists("Movie:2")


def test_the_worker_takes_an_applications_writes_to_mongodb(
    redis: Redis, door: MiniGears, redis_server: PlainRedis, mongo_server: MongoServer, mongo: Sink
) -> None:
    where = [f"WRITEBEHIND_REDIS={redis_server.url}", "WRITEBEHIND_PARTITIONS=2"]
    where += [f"WRITEBEHIND_DATABASE={mongo_server.url}/test", "WRITEBEHIND_ROUTE=Movie:=movies"]
    config = door.directory / "config"
    config.write_text("\n".join(where))
    words = [sys.executable, "-m", "recipes.streams", "--config", str(config), "worker"]
    worker = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        assert worker.stderr is not None
        assert '"started"' in worker.stderr.readline()
        wait_for(lambda: bool(redis.hget(PARTITIONS.config, "partitions")), 60)
        with redis_py.Redis(port=door.port) as client:
            client.execute_command("JSON.SET", "Movie:1", "$", '{"title":"M","votes":1}')
            client.execute_command("JSON.NUMINCRBY", "Movie:1", "$.votes", 41)
            client.execute_command("JSON.SET", "Movie:2", "$", '{"title":"N"}')
            client.delete("Movie:2")
            wait_for(lambda: not waiting(redis), 60)
            assert door.stop() == 0
            door.start()  # it keeps nothing that a restart could lose
            client.execute_command("JSON.SET", "Movie:3", "$", '{"title":"O"}')
        wait_for(lambda: not waiting(redis), 60)
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)
    with mongo_server.client() as database:
        found = {d["_id"]: d for d in database.test.movies.find()}
    live = {k: d for k, d in found.items() if "title" in d}
    assert sorted(live) == ["1", "3"] or sorted(live) == ["Movie:1", "Movie:3"], found
    assert next(d for d in live.values() if d["title"] == "M")["votes"] == 42


NEEDED = [
    "+fcall",
    "+hget",
    "+hmget",
    "+hset",
    "+xlen",
    "+xadd",
    "+zrem",
    "+type",
    "+get",
    "+json.get",
]
"""What the queue needs of a client's user, beside its keys and the client's own command."""
REFUSED = r"(?i)permission|may not|ACL"


def as_user(redis: Redis, door: MiniGears, *rules: str) -> Redis:
    """A client of a user who may say hello, and what the rules say."""
    words = ["reset", "on", ">pw", "+@connection", *rules]
    redis.execute_command("ACL", "SETUSER", "app", *words)
    return redis_py.Redis(port=door.port, username="app", password="pw")


@pytest.mark.parametrize("missing", NEEDED)
def test_a_user_whom_redis_does_not_let_queue_writes_nothing(
    client: Redis, redis: Redis, door: MiniGears, missing: str
) -> None:
    client.execute_command("JSON.SET", "Movie:1", "$", '{"n":0}')
    client.execute_command("JSON.SET", "Movie:2", "$", '{"n":0}')
    before = waiting(redis)
    rules = [rule for rule in NEEDED if rule != missing]
    rules += ["+json.set", "+json.numincrby", "+del", "~Movie:*", "~wb:*"]
    try:
        with as_user(redis, door, *rules) as app:
            for words in (
                ("JSON.SET", "Movie:3", "$", "{}"),
                ("JSON.NUMINCRBY", "Movie:1", "$.n", 1),
                ("DEL", "Movie:1", "Movie:2"),
            ):
                if words[0] == "JSON.SET" and missing in ("+zrem", "+type", "+get", "+json.get"):
                    continue  # of a whole document nothing has to be read
                with pytest.raises(redis_py.ResponseError, match=REFUSED):
                    app.execute_command(*words)
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
    assert waiting(redis) == before
    assert not redis.exists("Movie:3")
    assert redis.execute_command("JSON.GET", "Movie:1") == b'{"n":0}'


def test_a_user_may_write_what_he_may_without_capture_and_no_more(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    client.execute_command("JSON.SET", "Movie:Mine:1", "$", '{"n":0}')
    client.execute_command("JSON.SET", "Movie:Others:1", "$", '{"n":0}')
    before = waiting(redis)
    place = ["wb:config", "Movie:Mine:1", "wb:{p00}", "wb:{p00}:state", "wb:{p00}:due"]
    call = ["FCALL", "wb_capture", len(place), *place, f"{VERSION} 2 10 20000 2"]
    try:
        with as_user(redis, door, *NEEDED, "+json.set", "~Movie:Mine:*", "~wb:*") as app:
            for words, refusal in (
                (["JSON.SET", "Movie:Others:1", "$", "{}"], REFUSED),
                (["DEL", "Movie:Mine:1"], REFUSED),
                ([*call, "JSON.SET", "Movie:Others:1", "$", "{}"], REFUSED),
                ([*call, "DEL", "Movie:Mine:1"], REFUSED),
                ([*call, "FLUSHALL"], "WBCOMMAND"),
                ([*call, "CONFIG", "SET", "save", ""], "WBCOMMAND"),
                ([*call, "EVAL", "return 1", "0"], "WBCOMMAND"),
            ):
                with pytest.raises(redis_py.ResponseError, match=refusal):
                    app.execute_command(*words)
            assert waiting(redis) == before
            app.execute_command("JSON.SET", "Movie:Mine:1", "$", '{"n":1}')
    finally:
        redis.execute_command("ACL", "DELUSER", "app")
    assert redis.execute_command("JSON.GET", "Movie:Others:1") == b'{"n":0}'
    assert waiting(redis) == {**before, "Movie:Mine:1": '{"n":1}'}


@pytest.mark.parametrize(
    "clearing", [("FLUSHALL",), ("FLUSHDB",), ("FUNCTION", "FLUSH"), ("DEL", "wb:config")]
)
def test_a_living_worker_brings_back_what_was_cleared_and_until_then_writes_are_refused(
    client: Redis,
    redis: Redis,
    mongo: Sink,
    start_worker: Callable[..., Worker],
    clearing: tuple[str],
) -> None:
    start_worker(mongo)
    client.execute_command("JSON.SET", "Movie:1", "$", '{"n":1}')
    wait_for(lambda: not waiting(redis), 60)
    redis.execute_command(*clearing)
    acknowledged = 0

    def written() -> bool:
        nonlocal acknowledged
        try:
            client.execute_command("JSON.SET", "Movie:1", "$", f'{{"n":{acknowledged + 2}}}')
        except redis_py.ResponseError as error:
            assert "WBCONFIG" in str(error) or "Function not found" in str(error), error  # noqa: PT017
            return False
        acknowledged += 1
        return acknowledged == 3

    wait_for(written, 60)
    wait_for(lambda: not waiting(redis), 60)
    stored = mongo.read("Movie:1")
    assert stored is not None
    assert stored.document == {"n": 4}


def test_several_documents_of_one_command_are_queued_each_in_its_partition(
    client: Redis, redis: Redis
) -> None:
    keys = [f"Movie:{n}" for n in range(6)]
    client.mset({**dict.fromkeys(keys, "{}"), "Other:1": "no JSON"})
    assert waiting(redis) == dict.fromkeys(keys, "{}")
    assert all(redis.xlen(p.stream) for p in PARTITIONS.all())
    assert client.unlink(*keys[:3], "Other:1") == 4
    assert waiting(redis) == {**dict.fromkeys(keys[:3], ""), **dict.fromkeys(keys[3:], "{}")}


def test_what_only_sets_a_time_queues_nothing_unless_the_document_goes(
    client: Redis, redis: Redis
) -> None:
    client.set("Movie:1", "{}", ex=1000)
    client.persist("Movie:1")
    client.expire("Movie:1", 1000)
    client.getex("Movie:1", px=1_000_000)
    assert sum(redis.xlen(p.stream) for p in PARTITIONS.all()) == 1
    client.pexpireat("Movie:1", 1)
    assert waiting(redis) == {"Movie:1": ""}


def test_a_transaction_whose_watched_document_was_captured_meanwhile_does_nothing(
    client: Redis, redis: Redis, door: MiniGears
) -> None:
    client.set("Movie:1", '{"n":1}')
    with client.pipeline() as pipe, redis_py.Redis(port=door.port) as other:
        pipe.watch("Movie:1")
        pipe.multi()
        pipe.set("Movie:1", '{"n":3}')
        other.set("Movie:1", '{"n":2}')
        with pytest.raises(redis_py.WatchError):
            pipe.execute()
    assert waiting(redis) == {"Movie:1": '{"n":2}'}


def test_who_wants_no_replies_is_captured(client: Redis, redis: Redis, door: MiniGears) -> None:
    client.ping()
    lines = b"CLIENT REPLY OFF|SET Movie:1 {}|CLIENT REPLY ON|CLIENT REPLY SKIP|SET Movie:2 {}|PING"
    with door.raw() as sock:
        sock.sendall(b"".join(hiredis.pack_command(tuple(x.split())) for x in lines.split(b"|")))
        stream = sock.makefile("rb")
        assert [one_reply(stream), one_reply(stream)] == [b"+OK\r\n", b"+PONG\r\n"]
    assert waiting(redis) == {"Movie:1": "{}", "Movie:2": "{}"}


@pytest.mark.parametrize("theirs", ["2, 1", "99, 98"])
def test_beside_another_version_of_the_library_nothing_is_written(
    client: Redis, redis: Redis, theirs: str
) -> None:
    other = SOURCE.replace(f"VERSION, OLDEST = {VERSION}, ", f"VERSION, OLDEST = {theirs} -- ")
    redis.function_load(other, replace=True)
    with pytest.raises(redis_py.ResponseError, match="WBVERSION this library has version"):
        client.set("Movie:1", "{}")
    assert not redis.exists("Movie:1")
    WriteBehind(redis, PARTITIONS).prepare()
    if theirs == "2, 1":  # an older one is replaced
        client.set("Movie:1", "{}")
        assert waiting(redis) == {"Movie:1": "{}"}


def test_a_redis_that_is_full_refuses_the_whole_write(client: Redis, redis: Redis) -> None:
    client.set("Movie:1", '{"n":1}')
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis_py.ResponseError, match=r"OOM|used memory"):
            client.set("Movie:1", '{"n":2}')
        with pytest.raises(redis_py.ResponseError, match=r"OOM|used memory"):
            client.delete("Movie:1")
    finally:
        redis.config_set("maxmemory", 0)
    assert redis.get("Movie:1") == b'{"n":1}'
    assert waiting(redis) == {"Movie:1": '{"n":1}'}
