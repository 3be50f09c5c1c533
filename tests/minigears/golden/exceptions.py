"""The exchanges of the recording that differ here, and what each reply must be instead."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable

from tests.minigears.golden.recording import Tree, parse

CALLS = """
GB GearsBuilder GearsSession atomic call_next configGet execute executeCommand flat_error
gearsConfigGet gearsFuture getGearsSession getMyHashTag get_command hashtag isAsyncAllow
isInAtomicBlock log override_reply registerTE runCoroutine setGearsSession
"""
"""What RedisGears documents that a script may call."""
INSIDES = 61
"""Names of RedisGears's own that its script sees besides."""
SPELLINGS = "callNext executeCommand getCommand getMyHashTag overrideReply registerTimeEvent"
"""Names that RedisGears's package `redisgears` has, and here the script, too."""


def _only_result(reply: bytes) -> bytes:
    """The one result of a run without errors."""
    kind, value = parse(reply)
    assert kind == "*"
    (_, results), errors = value
    assert errors == ("*", [])
    [(_, result)] = results
    return bytes(result)


def python_version(reply: bytes, recorded: bytes) -> bool:
    """128: the Python that runs here."""
    return _only_result(reply) == sys.version.encode()


def global_names(reply: bytes, recorded: bytes) -> bool:
    """129: what is documented, and nothing that RedisGears does not have."""
    ours, theirs = (set(ast.literal_eval(_only_result(r).decode())) for r in (reply, recorded))
    documented = ours >= set(CALLS.split()) and ours - theirs == set(SPELLINGS.split())
    return documented and len(theirs - ours) == INSIDES


def fails_at_a_string(reply: bytes, recorded: bytes) -> bool:
    """167: keys that are no strings, in order, and the error of the string where SCAN met it."""
    (_, results), (_, errors) = _both(reply)
    keys = [value for _, value in results]
    others = {b"s:json", b"s:list", b"s:set", b"s:stream", b"s:zset"}
    if len(errors) != 1 or keys != sorted(set(keys) & others):
        return False
    last = ast.literal_eval(errors[0][1].decode())[-1]
    return re.fullmatch(r"Exception: bad s:(1|bin|utf8)\n", last) is not None


def _both(reply: bytes) -> tuple[Tree, Tree]:
    kind, (results, errors) = parse(reply)
    assert kind == "*"
    return results, errors


def unknown_to_lua(reply: bytes, recorded: bytes) -> bool:
    """197: the words of Redis or of Valkey; the script and its line are those recorded."""
    where = recorded[recorded.index(b" script: ") :]
    words = (b"Unknown Redis command", b"Unknown command")
    return reply in [b"-ERR " + w + b" called from script" + where for w in words]


MUST_BE: dict[int, Callable[[bytes, bytes], bool]] = {
    128: python_version,
    129: global_names,
    167: fails_at_a_string,
    197: unknown_to_lua,
}
"""By number: whether a reply, beside the recorded one, is right."""
