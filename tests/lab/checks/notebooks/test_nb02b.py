"""The check of a waiting strategy tells which kind of server an answer takes for one that is ready."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import redis

import lab
from lab.checks import strangers
from lab.checks.strangers import serving
from lab.stack.model import Stack


def port_is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def says_something(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), 1) as connection:
            connection.settimeout(1)
            connection.sendall(b"PING\r\n")
            return bool(connection.recv(100))
    except OSError:
        return False


def waits_for_ever(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port)) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100) == b"+PONG\r\n"
    except OSError:
        return False


def raises(host: str, port: int) -> bool:
    return bool(redis.Redis(host, port, socket_timeout=1).ping())


@pytest.mark.parametrize(
    ("is_ready", "told"),
    [
        ("PING", "not a function"),
        (lambda host, port: None, "does not return True"),
        (lambda host, port: True, "a port at which nobody listens"),
        (raises, "the answer is False"),
        (port_is_open, "look at what the reply says"),
        (says_something, "look at what the reply says"),
        (waits_for_ever, "had no answer after"),
    ],
)
def test_a_strategy_that_is_fooled_is_told_by_what(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, is_ready: Any, told: str
) -> None:
    # A slow machine must not be taken for a client that waits for ever, nor the test for a slow one.
    patience = 1.0 if is_ready is waits_for_ever else 60.0
    monkeypatch.setattr(strangers, "PATIENCE", patience)
    verdict = lab.check("02b-1", is_ready)
    assert not verdict
    assert told in verdict.message


def test_silence_is_no_answer(stack: Stack) -> None:
    """What takes an open port for enough is told at the first server that gives it away."""
    with serving(b"") as port:
        assert port_is_open("127.0.0.1", port)
        assert not says_something("127.0.0.1", port)


def test_without_docker_one_line_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert lab.container_images() == {}
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "No containers here: No Docker daemon answers at unix:///nowhere" in said
