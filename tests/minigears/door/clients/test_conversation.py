"""What a client says, and what is done about it. No socket: bytes in, bytes and effects out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigears.commandtable import CommandTable
from minigears.door.capture.captures import Captures
from minigears.door.capture.queue import Queue
from minigears.door.clients.conversation import Conversation
from minigears.door.clients.states import Place, State, Told, Transition
from minigears.door.commands.classifier import Classifier
from minigears.door.commands.parser import RequestParser
from minigears.door.events.journal import Intent
from minigears.interest import Interest
from minigears.protocol import encode_command

TABLE = CommandTable.from_reply(
    [
        [b"get", 2, [b"readonly"], 1, 1, 1],
        [b"set", -3, [b"write"], 1, 1, 1],
        [b"blpop", -3, [b"write", b"blocking"], 1, -2, 1],
    ]
)
WATCH = {"id": "r", "prefix": "k:*", "events": None, "commands": None, "mode": "sync"}
OK = b"+OK\r\n"


class Valve:
    def __init__(self):
        self.reasons = set()
        self.pause, self.resume = self.reasons.add, self.reasons.discard


class World:
    """A conversation, and a note of all that it wants done; `redis` answers as it is told to."""

    crowded = False
    address = b"127.0.0.1:1"

    def __init__(self, welcome=True):
        self.to_redis = self.to_client = b""
        self.served, self.refused, self.recorded, self.settling = [], [], [], []
        self.reading, self.hearing = Valve(), Valve()
        self.table, self.captures = TABLE, Captures({b"m:": Queue()})
        interest = Interest.from_frame({"keys": [WATCH], "streams": [], "hooks": []})
        self.classifier = Classifier(TABLE, interest, self.captures)
        self.place = Place()
        self.refuse = self.refused.append
        self.talk = Conversation(self, self, self.place)
        self.place.take(Transition.INTRODUCE)
        self.talk.introduce(lambda: self.place.take(Transition.PART))
        self.redis(b"+PONG\r\n" if welcome else b"-NOAUTH Authentication required.\r\n")
        self.sent()

    # what the conversation has done for it

    def send(self, raw):
        self.to_redis += raw

    def write(self, data):
        self.to_client += data

    def serve(self, argv):
        self.served.append(argv)

    def failed(self, error):
        raise error

    def came_to_rest(self):
        pass

    def record(self, keys):
        self.recorded.append(keys)
        return Intent(keys)

    def settle(self, holds, callback):
        self.settling.append(callback)

    # what a test does

    def says(self, *lines):
        self.talk.received(b"".join(encode_command(line.split()) for line in lines))
        return self

    def redis(self, *replies):
        self.talk.heard(b"".join(replies))
        return self

    def sent(self):
        """What has gone to Redis since the last time, as text; a marker is `?`."""
        raw, self.to_redis = self.to_redis, b""
        commands = RequestParser().feed(raw)
        marks = [len(argv) == 2 and argv[0] == b"PING" for argv in commands]
        self.nonces = [argv[1] for argv in itertools.compress(commands, marks)]
        return [
            "?" if mark else b" ".join(argv).decode()
            for argv, mark in zip(commands, marks, strict=True)
        ]

    def marker(self):
        [nonce] = self.nonces
        return b"$32\r\n%b\r\n" % nonce

    def told(self):
        told, self.to_client = self.to_client, b""
        return told


def captured(line, protocol):
    """The call that takes the place of a write, for a client that speaks this RESP."""
    call = Captures({b"m:": Queue()}).rewrite(line.encode().split(), TABLE, protocol)
    return b" ".join(call).decode()


def test_what_concerns_nobody_goes_to_redis_as_it_came():
    world = World()
    world.talk.received(b"*2\r\n$3\r\nGET\r\n$1\r\n")
    world.talk.received(b"x\r\n")
    assert world.to_redis == b"*2\r\n$3\r\nGET\r\n$1\r\nx\r\n"
    assert world.redis(b"$1\r\n").told() == b"$1\r\n"


def test_a_served_command_waits_for_what_came_before_and_what_came_behind_waits_for_it():
    world = World().says("GET x", "RG.PYSTATS", "GET y")
    assert world.sent() == ["GET x", "?"]
    world.redis(b"$-1\r\n")
    assert world.served == []
    world.redis(world.marker())
    assert world.served == [[b"RG.PYSTATS"]]
    world.says("GET z")
    assert world.sent() == []
    world.talk.reply(b"*0\r\n")
    world.talk.served()
    assert world.sent() == ["GET y", "GET z"]
    assert world.told() == b"$-1\r\n*0\r\n"
    assert world.place.now is State.RELAYING


def test_a_reply_is_held_until_its_functions_are_done():
    world = World().says("SET k:1 v")
    assert world.sent() == ["?", "SET k:1 v"]
    assert world.recorded == [{b"k:1"}]
    assert world.redis(world.marker(), OK).told() == b""
    [settled] = world.settling
    settled()
    assert world.told() == OK


def test_a_thousand_served_commands_of_one_pipeline_are_no_deep_recursion():
    world = World().says(*["RG.PYSTATS"] * 5000)
    world.sent()
    world.redis(world.marker())
    for _ in range(5000):
        world.talk.served()
    assert len(world.served) == 5000
    assert world.place.now is State.RELAYING


@pytest.mark.parametrize(
    ("reply", "protocol"),
    [(b"-NOPROTO unsupported protocol version\r\n", 2), (b"%1\r\n+proto\r\n:3\r\n", 3)],
)
def test_a_captured_write_behind_hello_is_told_the_resp_that_redis_agreed_to(reply, protocol):
    world = World().says("GET x", "HELLO 3", "SET m:1 v")
    assert world.sent() == ["GET x", "?"]
    world.redis(b"$-1\r\n", world.marker())
    assert world.served == [[b"HELLO", b"3"]]
    if not reply.startswith(b"-"):
        world.talk.protocol = 3  # as `served.py` does, once Redis has agreed
    world.talk.served()
    [call] = world.sent()
    assert call == captured("SET m:1 v", protocol)


def test_reset_goes_back_to_resp2():
    world = World()
    world.talk.protocol = 3
    world.says("RESET", "SET m:1 v")
    [reset, call] = world.sent()
    assert reset == "RESET"
    assert call == captured("SET m:1 v", 2)


def test_the_command_to_be_skipped_may_come_later_and_is_one_only():
    world = World().says("CLIENT REPLY SKIP")
    world.sent()
    world.redis(world.marker())
    world.talk.tell(Told.ALL_BUT_NEXT)
    world.talk.served()
    assert world.place.now is State.SKIPPING
    world.says("GET x", "GET y")
    assert world.sent() == ["GET x"]
    world.redis(b"$1\r\n1\r\n")
    assert world.sent() == ["GET y"]
    assert world.redis(b"$1\r\n2\r\n").told() == b"$1\r\n2\r\n"


def test_exec_is_served_when_its_reply_is_the_one_to_be_skipped():
    world = World().says("MULTI", "RG.PYSTATS")
    world.sent()
    world.redis(world.marker(), OK)
    world.talk.queue(world.served.pop(), b"mark")
    world.talk.served()
    world.says("CLIENT REPLY SKIP", "EXEC")
    world.talk.tell(Told.ALL_BUT_NEXT)
    world.talk.served()
    assert world.served == [[b"CLIENT", b"REPLY", b"SKIP"], [b"EXEC"]]
    world.talk.reply(b"*0\r\n")
    assert world.told() == OK


def test_what_makes_no_sense_is_refused_behind_the_replies_before_it():
    world = World()
    world.talk.received(encode_command([b"GET", b"x"]) + b"*1\r\nnonsense\r\n")
    assert world.sent() == ["GET x", "?"]
    assert world.refused == []
    world.redis(b"$-1\r\n", world.marker())
    assert len(world.refused) == 1


def test_nothing_follows_a_command_that_is_served_for_a_client_that_left_long_ago():
    world = World().says("RG.PYSTATS", "SET x 1")
    world.sent()
    world.redis(world.marker())
    world.talk.cut_short()
    assert world.talk.abandoned
    world.talk.forward([b"SET", b"y", b"1"])
    world.talk.served()
    assert world.sent() == []
    assert world.place.now is State.RELAYING


def test_who_has_not_logged_in_is_asked_about_before_anything_is_done():
    world = World(welcome=False).says("SET k:1 v")
    assert world.sent() == ["PING"]
    world.redis(b"-NOAUTH Authentication required.\r\n")
    assert world.sent() == ["SET k:1 v"]
    assert world.recorded == []
    world.says("SET k:2 v")
    assert world.sent() == []  # the one before it is not answered
    world.redis(b"-NOAUTH Authentication required.\r\n")
    assert world.sent() == ["PING"]
    world.redis(b"+PONG\r\n")
    assert world.sent() == ["?", "SET k:2 v"]
    assert world.recorded == [{b"k:2"}]


LINES = (
    "GET x",
    "SET k:1 v",
    "SET m:1 v",
    "RG.PYSTATS",
    "MULTI",
    "EXEC",
    "BLPOP q 0",
    "WAIT 0 0",
    "HELLO 3",
)


@given(st.lists(st.sampled_from(LINES), max_size=8), st.lists(st.integers(0, 400), max_size=6))
def test_wherever_the_stream_is_cut_the_same_happens_in_the_same_order(lines, cuts):
    """Redis answers each command that has reached it before the next bytes come."""
    raw = b"".join(encode_command(line.split()) for line in lines)
    ends = itertools.pairwise([0, *sorted(cuts), len(raw)])
    assert played([raw]) == played(raw[a:b] for a, b in ends)


def played(chunks):
    """What Redis is sent and what is served, in turn; everything is answered at once."""
    world, happened = World(), []
    for chunk in chunks:
        world.talk.received(chunk)
        while (sent := world.sent()) or world.served:
            happened += [line for line in sent if line != "?"]
            world.redis(*(world.marker() if line == "?" else OK for line in sent))
            if world.served:
                happened.append(f"served {world.served.pop()}")
                world.talk.reply(OK)
                world.talk.served()
            while world.settling:
                world.settling.pop(0)()
    return happened, world.told(), world.place.now
