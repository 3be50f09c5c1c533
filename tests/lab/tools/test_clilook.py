"""The look of redis-cli: the real one is the measure where the machine has one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab import paths
from lab.stack.model import Stack
from lab.tools import look, rediscli
from lab.tools.replies import Failure, RawConnection, SimpleString
from tests.programs import left_out

OURS = [sys.executable, "-c", "from lab.tools.rediscli import fallback; fallback()"]


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (None, "(nil)"),
        (SimpleString("OK"), "OK"),
        (Failure("ERR no"), "(error) ERR no"),
        (7, "(integer) 7"),
        (b'a"b\\\n\x00', '"a\\"b\\\\\\n\\x00"'),
        ([], "(empty array)"),
        ([b"a", [1, [None]], b"b"], '1) "a"\n2) 1) (integer) 1\n   2) 1) (nil)\n3) "b"'),
        (
            list(range(10)),
            "\n".join(f"{number:>2}) (integer) {number - 1}" for number in range(1, 11)),
        ),
    ],
)
def test_a_reply_looks_as_in_redis_cli(reply: look.Reply, shown: str) -> None:
    assert look.formatted(reply) == shown


def test_text_may_stay_readable() -> None:
    assert look.formatted("é 映".encode()) == '"\\xc3\\xa9 \\xe6\\x98\\xa0"'
    assert look.formatted("é 映".encode(), ascii_only=False) == '"é 映"'
    assert look.formatted(b"\xff", ascii_only=False) == '"\\xff"'


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("GET a", [b"GET", b"a"]),
        ("  SET a 'b c'  ", [b"SET", b"a", b"b c"]),
        (r"SET a 'it\'s \n'", [b"SET", b"a", rb"it's \n"]),
        (r'SET a "\x41\n\"q\""', [b"SET", b"a", b'A\n"q"']),
        ('SET a \'{"title": "é"}\'', [b"SET", b"a", '{"title": "é"}'.encode()]),
        ("SET a ''", [b"SET", b"a", b""]),
        ("", []),
    ],
)
def test_a_line_splits_by_redis_clis_rules(line: str, words: list[bytes]) -> None:
    assert look.split_line(line) == words


@pytest.mark.parametrize("line", ["GET 'a", 'GET "a', "GET 'a'b"])
def test_quotes_that_do_not_match_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="quote"):
        look.split_line(line)


COMMANDS = [
    ["SET", "s", "it's é"],
    ["GET", "s"],
    ["GET", "nothing"],
    ["INCR", "n"],
    ["RPUSH", "l", "a", "", "c"],
    ["LRANGE", "l", "0", "-1"],
    ["LRANGE", "nothing", "0", "-1"],
    ["XADD", "st", "1-1", "f", "v"],
    ["XRANGE", "st", "-", "+"],
    ["EVAL", "return {1, {2, {'x'}}, 'y', {ok='Z'}, {err='ERR e'}}", "0"],
    ["JSON.SET", "j", "$", '{"a": [1, "é"]}'],
    ["JSON.GET", "j"],
    ["NOSUCH", "command"],
]


@pytest.mark.parametrize("terminal", [True, False])
def test_ours_prints_what_redis_cli_prints(stack: Stack, terminal: bool) -> None:
    theirs = rediscli.installed()
    if theirs is None:
        left_out("no redis-cli to compare (Debian: apt-get install redis-tools)")
    printed = {}
    for name, program in (("theirs", [theirs]), ("ours", OURS)):
        stack.redis.flushdb()
        with_look = {**os.environ, "FAKETTY": "1"} if terminal else dict(os.environ)
        given = "\n".join(_line(words) for words in COMMANDS) + "\n"
        done = subprocess.run(
            [*program, *stack.cli.split()[1:]],
            input=given,
            env=with_look,
            text=True,
            capture_output=True,
            check=True,
        )
        printed[name] = done.stdout
    assert printed["ours"] == printed["theirs"]
    assert printed["ours"]


def _line(words: list[str]) -> str:
    return " ".join('"' + word.replace('"', '\\"') + '"' for word in words)


def test_ours_takes_the_last_word_from_a_file(stack: Stack, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"line 1\nit's \xff\n")
    with script.open("rb") as given:
        subprocess.run(
            [*OURS, *stack.cli.split()[1:], "-x", "SET", "file"], stdin=given, check=True
        )
    assert RawConnection.to(stack.redis_url).call("GET", "file") == script.read_bytes()


def test_ours_tells_errors_by_its_status(stack: Stack) -> None:
    plain = [*OURS, *stack.cli.split()[1:]]
    assert subprocess.run([*plain, "NOSUCH"], capture_output=True).returncode == 0
    assert subprocess.run([*plain, "-e", "NOSUCH"], capture_output=True).returncode == 1
    refused = subprocess.run([*OURS, "-p", "1", "PING"], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr == "Could not connect to Redis at 127.0.0.1:1: Connection refused\n"


def test_the_command_of_another_environment_is_not_taken_for_a_redis_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would look for an installed one in the same way, find ours, and so on without end.
    shutil.copy(paths.scripts() / "redis-cli", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert rediscli.installed() != str(tmp_path / "redis-cli")
