"""A stack that someone else runs, and the kinds of stack that there are."""

from __future__ import annotations

import os
import socket

import pytest

import lab
from lab.stack import external, lifecycle
from lab.stack.model import Stack, Status, hide_password
from tests.freeports import free_ports


@pytest.fixture
def outside(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The shared stack, seen as a server that someone else runs."""
    monkeypatch.setattr(lifecycle, "_current", None)
    monkeypatch.setenv("LAB_STACK", "external")
    monkeypatch.setenv("LAB_REDIS_URL", stack.redis_url)
    monkeypatch.setenv("LAB_MONGO_URL", stack.mongo_url)
    return monkeypatch


def test_external_takes_the_urls_of_the_environment(
    outside: pytest.MonkeyPatch, stack: Stack
) -> None:
    found = lab.up()
    assert found.kind == "external"
    assert found.redis.ping()
    assert found.mongo_url == stack.mongo_url
    assert lab.status().running


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("LAB_REDIS_URL", "", "needs LAB_REDIS_URL, for example"),
        ("LAB_MONGO_URL", "", "needs LAB_MONGO_URL, for example"),
        ("LAB_REDIS_URL", "redis://127.0.0.1:{free}", "Nothing answers as Redis"),
        ("LAB_REDIS_URL", "http://127.0.0.1", "is not a Redis URL"),
        ("LAB_MONGO_URL", "nonsense", "Nothing answers as MongoDB"),
        ("LAB_MONGO_URL", "mongodb://u:secret@127.0.0.1:{free}/", "LAB_MONGO_URL=mongodb://u@127"),
        ("LAB_MONGO_URL", "mongodb://u:secret/x@127.0.0.1:{free}/", "write / as %2F"),
        ("LAB_MONGO_URL", "mongodb://u:se@secret@127.0.0.1:{free}/", "@ as %40"),
        ("LAB_REDIS_URL", "redis://:secret/x@127.0.0.1:{free}", "write / as %2F"),
        ("LAB_REDIS_URL", "redis://127.0.0.1:{free}?password=secret", "Nothing answers as Redis"),
    ],
)
def test_a_wrong_url_is_told_without_its_password(
    outside: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    outside.setattr(external, "_PATIENCE", 0.3)
    outside.setenv(variable, value.format(free=free_ports(1)[0]))
    with pytest.raises(lab.LabError, match=told) as raised:
        lab.up()
    assert "secret" not in str(raised.value)


def test_the_external_stack_is_not_ours_to_stop(
    outside: pytest.MonkeyPatch, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.up()
    for change in (lab.stop, lab.start, lab.kill):
        with pytest.raises(lab.Unsupported, match="did not start the external"):
            change("redis")
    lab.down()
    assert "left running" in capsys.readouterr().out
    assert stack.redis.ping()


def test_status_names_what_does_not_answer(outside: pytest.MonkeyPatch) -> None:
    outside.setenv("LAB_REDIS_URL", f"redis://127.0.0.1:{free_ports(1)[0]}")
    status = lab.status()
    assert not status.running
    assert [row.status for row in status.rows] == ["no answer", "running"]


def test_an_unknown_kind_is_named_with_those_that_there_are() -> None:
    with pytest.raises(lab.LabError, match="there are: embedded, containers, external"):
        lab.up("cloud")


@pytest.mark.parametrize(
    ("url", "cli", "gears"),
    [
        ("redis://127.0.0.1:6390", "redis-cli -p 6390", "--host 127.0.0.1 --port 6390"),
        (
            "redis://:pw@db.example:7000/0",
            "redis-cli -h db.example -p 7000 -a pw --no-auth-warning",
            "--host db.example --port 7000 --password pw",
        ),
        (
            "redis://:p%40ss%20w@127.0.0.1:7000",
            "redis-cli -p 7000 -a 'p@ss w' --no-auth-warning",
            "--host 127.0.0.1 --port 7000 --password 'p@ss w'",
        ),
    ],
)
def test_terminal_lines_reach_the_front_door(url: str, cli: str, gears: str) -> None:
    made = Stack("external", url, url, "mongodb://x", "mongodb://x", lambda: Status("external", []))
    assert made.cli == cli
    assert ":pw@" not in repr(made)
    assert made.gears_cli_args == gears


def test_passwords_are_hidden() -> None:
    assert hide_password("redis://:p@ss@h:1/0") == "redis://@h:1/0"
    assert hide_password("mongodb://u:p@h/?a=b") == "mongodb://u@h/?a=b"
    assert hide_password("redis://h:1") == "redis://h:1"
    assert hide_password("redis://h:1?password=p&db=2") == "redis://h:1?password=***&db=2"


@pytest.mark.parametrize("line", ["{cli} PING", "gears-cli run {gears}", "echo '{mongo}'"])
def test_a_terminal_line_is_printed_without_a_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    redis, mongo = "redis://:sec%20ret@127.0.0.1:7000", "mongodb://u:secret@h/?a=b&c=d"
    made = Stack("external", redis, redis, mongo, mongo, lambda: Status("external", []))
    monkeypatch.setattr(lifecycle, "_current", made)
    line = line.format(cli=made.cli, gears=made.gears_cli_args, mongo=mongo)
    lab.sh(f": {line}")
    with pytest.raises(lab.CommandFailed) as raised:
        lab.sh(f"false {line}")
    assert "sec" not in capsys.readouterr().out + str(raised.value)


def test_a_server_that_never_answers_is_given_up(outside: pytest.MonkeyPatch) -> None:
    outside.setattr(external, "_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outside.setenv("LAB_REDIS_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}")
        assert [row.status for row in lab.status().rows] == ["no answer", "running"]
        with pytest.raises(lab.LabError, match="Nothing answers as Redis"):
            lab.up()


def test_doctor_does_not_call_a_stack_fit_whose_server_is_away(outside: pytest.MonkeyPatch) -> None:
    assert lab.doctor().healthy
    outside.setenv("LAB_REDIS_URL", f"redis://127.0.0.1:{free_ports(1)[0]}")
    report = lab.doctor()
    assert not report.healthy
    assert "Check LAB_REDIS_URL" in repr(report)


@pytest.mark.parametrize("end", ["/1", "?db=2"])
@pytest.mark.parametrize("variable", ["LAB_REDIS_URL", "LAB_REDIS_DIRECT_URL"])
def test_another_database_is_refused_since_nothing_would_arrive(
    outside: pytest.MonkeyPatch, variable: str, end: str
) -> None:
    outside.setenv(variable, os.environ["LAB_REDIS_URL"] + end)
    with pytest.raises(lab.LabError, match=rf"{variable}=.*recipes see database 0 only"):
        lab.up()
    outside.setenv(variable, os.environ["LAB_REDIS_URL"].removesuffix(end) + "/0")
    assert lab.up().redis.ping()
