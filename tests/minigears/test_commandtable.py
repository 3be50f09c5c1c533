"""What the door and the executor know of commands, from Redis's reply to COMMAND."""

from __future__ import annotations

import pytest

from minigears.commandtable import CommandTable

TABLE = CommandTable.from_reply(
    [
        [b"get", 2, [b"readonly"], 1, 1, 1],
        [b"set", -3, [b"write"], 1, 1, 1],
        [b"client", -2, [], 0, 0, 0, [], [], [], [[b"client|id", 2, [], 0, 0, 0]]],
    ]
)


@pytest.mark.parametrize(
    ("given", "fitted"),
    [
        (b"GET k", b"GET k"),
        (b"get k l m", b"get k"),
        (b"GET", b"GET GET"),
        (b"SET k", b"SET k k"),
        (b"SET k v EX 1", b"SET k v EX 1"),
        (b"CLIENT ID x", b"CLIENT ID"),
        (b"CLIENT", b"CLIENT CLIENT"),
        (b"NOSUCH a b", b"NOSUCH a b"),
    ],
)
def test_as_many_words_as_a_command_takes(given: bytes, fitted: bytes):
    assert TABLE.fitted(given.split()) == fitted.split()
