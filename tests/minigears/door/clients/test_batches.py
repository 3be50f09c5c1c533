"""What goes to Redis together, and what does not. Pure: commands in, batches out."""

from collections import deque

import pytest

from minigears.commandtable import CommandTable
from minigears.door.clients.batches import Batches
from minigears.door.commands.classifier import Classifier
from minigears.interest import Interest

TABLE = CommandTable.from_reply(
    [
        [b"get", 2, [b"readonly"], 1, 1, 1],
        [b"set", -3, [b"write"], 1, 1, 1],
        [b"blpop", -3, [b"write", b"blocking"], 1, -2, 1],
        [b"multi", 1, [], 0, 0, 0],
        [b"exec", 1, [], 0, 0, 0],
        [b"discard", 1, [], 0, 0, 0],
        [b"subscribe", -2, [], 0, 0, 0],
    ]
)
WATCH = {"id": "r", "prefix": "k:*", "events": None, "commands": None, "mode": "sync"}
CLASSIFIER = Classifier(TABLE, Interest.from_frame({"keys": [WATCH], "streams": [], "hooks": []}))


def commands(text):
    return [line.split() for line in text.encode().split(b"; ")]


def cut(text, counting=True):
    """The batches as text; `!` where counting begins, `?` where one may wait."""
    pending = deque(commands(text))
    found = []
    for batch in Batches().cut(pending, CLASSIFIER, counting):
        if batch.commands:
            words = "; ".join(b" ".join(argv).decode() for argv in batch.commands)
            found.append("!" * batch.counted + words + "?" * batch.blocking)
    return found, len(pending)


@pytest.mark.parametrize(
    ("text", "batches"),
    [
        ("SET k:1 v; GET k:1; SET x v", ["SET k:1 v; GET k:1; SET x v"]),
        ("SET k:1 v; BLPOP q 0; GET x", ["SET k:1 v", "BLPOP q 0; GET x?"]),
        ("GET x; BLPOP k:q 0", ["GET x; BLPOP k:q 0?"]),
    ],
)
def test_what_came_before_does_not_wait_for_a_command_that_may(text, batches):
    assert cut(text) == (batches, 0)


def test_counting_begins_with_the_first_command_that_needs_it():
    assert cut("GET x; SET k:1 v; GET y", counting=False)[0] == ["GET x", "!SET k:1 v; GET y"]
    assert cut("GET x; MULTI; EXEC", counting=False)[0] == ["GET x", "!MULTI; EXEC"]


def test_a_cut_ends_before_what_the_door_serves():
    assert cut("GET x; RG.PYSTATS; GET y") == (["GET x"], 2)
    assert cut("GET x; SUBSCRIBE c") == (["GET x"], 1)
    assert cut("GET x; SUBSCRIBE c", counting=False) == (["GET x; SUBSCRIBE c"], 0)


def test_the_keys_of_a_transaction_count_at_its_end():
    batches = Batches()
    pending = deque(commands("MULTI; SET k:1 v; SET x v; SET k:2 v"))
    (batch,) = batches.cut(pending, CLASSIFIER, True)
    assert (batch.keys, batches.in_multi) == ([b"k:1", b"k:2"], True)  # Redis may refuse MULTI
    answer(batch, refused=False)
    (batch,) = batches.cut(deque(commands("SET k:3 v")), CLASSIFIER, True)
    assert (batch.keys, batches.in_multi) == ([], True)
    (batch,) = batches.cut(deque(commands("GET x; EXEC; GET y")), CLASSIFIER, True)
    assert (batch.keys, batch.last, batches.in_multi) == ([b"k:1", b"k:2", b"k:3"], 2, False)


def test_the_keys_of_a_transaction_that_is_discarded_are_forgotten():
    batches = Batches()
    for text in ("MULTI", "SET k:1 v; DISCARD", "MULTI", "SET k:2 v; EXEC"):
        (batch,) = batches.cut(deque(commands(text)), CLASSIFIER, True)
        answer(batch, refused=False)
    assert batch.keys == [b"k:2"]


def answer(batch, refused):
    for _, told in batch.watched:
        told(refused)


def test_a_transaction_that_redis_refuses_is_none():
    batches = Batches()
    (batch,) = batches.cut(deque(commands("MULTI; SET k:1 v")), CLASSIFIER, True)
    answer(batch, refused=True)
    assert not batches.in_multi


@pytest.mark.parametrize(
    ("behind", "in_multi"), [("", True), ("; EXEC", False), ("; EXEC; MULTI", True)]
)
def test_a_transaction_goes_on_when_redis_refuses_to_discard_it(behind, in_multi):
    batches = Batches()
    (batch,) = batches.cut(deque(commands("MULTI")), CLASSIFIER, True)
    answer(batch, refused=False)
    (batch,) = batches.cut(deque(commands("DISCARD" + behind)), CLASSIFIER, True)
    answer(batch, refused=True) if not behind.endswith("MULTI") else batch.watched[0][1](True)
    assert batches.in_multi == in_multi


@pytest.mark.parametrize(
    ("text", "counting", "whole"),
    [
        ("GET x; SET k:1 v; SET x v", True, (2, [b"k:1"])),
        ("GET x; SET x v", False, (0, [])),
        ("SET k:1 v", False, None),
        ("MULTI", True, None),
        ("BLPOP x 0", True, None),
        ("RG.PYSTATS", True, None),
    ],
)
def test_most_commands_go_as_they_came(text, counting, whole):
    batch = Batches().whole(commands(text), CLASSIFIER, counting)
    assert (batch and (batch.last, batch.keys)) == whole


def concerned(text):
    """Keys that the last command changes."""
    batches, found = Batches(), ()
    for argv in commands(text):
        found = batches.concerned(argv, CLASSIFIER.kind(argv), CLASSIFIER)
    return found


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("MULTI; SET k:1 v; MULTI; EXEC", [b"k:1"]),
        ("MULTI x; SET k:1 v", (b"k:1",)),
        ("MULTI; SET k:1 v; EXEC x; EXEC", []),
        ("MULTI; SET k:1 v; DISCARD; EXEC", []),
    ],
)
def test_a_command_of_too_many_words_begins_no_transaction_and_an_exec_of_them_aborts_one(
    text, keys
):
    assert list(concerned(text)) == list(keys)


def test_nothing_comes_between_a_client_s_word_on_caching_and_the_next_command():
    found = cut("GET a; CLIENT CACHING YES; MULTI; SET k:1 v; EXEC", counting=False)
    assert found == (["GET a", "!CLIENT CACHING YES; MULTI; SET k:1 v; EXEC"], 0)


def test_subscribing_inside_multi_takes_effect_at_its_end():
    assert cut("MULTI; SUBSCRIBE c; SET k:1 v; EXEC") == (["MULTI; SUBSCRIBE c; SET k:1 v"], 1)
    assert cut("MULTI; SUBSCRIBE c; DISCARD; MULTI; EXEC")[1] == 0
