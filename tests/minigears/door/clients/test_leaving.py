"""How a client ends: by QUIT, by an error, in the middle of something."""

import socket

import psutil
import pytest

from tests.minigears.realgears import descriptors
from tests.minigears.realredis import wait_for


def test_what_is_sent_after_a_waiting_client_has_left_stays(gears_either_way):
    with gears_either_way.client() as client:
        with gears_either_way.raw() as sock:
            sock.sendall(b"SET k:1 1\r\nBLPOP k:list 0\r\n")
            assert sock.recv(100) == b"+OK\r\n"
            wait_for(lambda: client.info("clients")["blocked_clients"] == 1, what="BLPOP")
        wait_for(lambda: client.info("clients")["blocked_clients"] == 0, what="Redis to know")
        client.rpush("k:list", "v")
        assert client.lrange("k:list", 0, -1) == ["v"]


@pytest.mark.parametrize("bad", ["*1\r\n$x", "ECHO 'a"])
def test_what_came_before_an_error_is_answered_before_it(gears_either_way, bad):
    with gears_either_way.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(f"SET k:1 1\r\nGET k:1\r\n{bad}\r\n".encode())
        assert stream.read().startswith(b"+OK\r\n$1\r\n1\r\n-ERR Protocol error")


def test_quit_and_protocol_errors_close(gears_either_way):
    with gears_either_way.raw() as sock:
        sock.sendall(b"QUIT\r\n")
        assert sock.recv(100) == b"+OK\r\n"
        assert sock.recv(100) == b""
    with gears_either_way.raw() as sock:
        sock.sendall(b"*1\r\n$x\r\n")
        assert sock.recv(200).startswith(b"-ERR Protocol error")
        assert sock.recv(100) == b""


@pytest.mark.parametrize("more", ["", "SET k:1 2\r\n"])
def test_all_replies_come_before_the_end_that_a_client_asks_for(gears_either_way, more):
    with gears_either_way.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(b"SET k:0 0\r\n")
        assert stream.readline() == b"+OK\r\n"
        sock.sendall(f"SET k:1 1\r\nGET k:1\r\nQUIT\r\n{more}".encode())
        assert stream.read() == b"+OK\r\n$1\r\n1\r\n+OK\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        "GET k:0",
        "SET k:1 1\r\nGET k:0",
        "MULTI\r\nSET k:1 1\r\nEXEC\r\nGET k:0",
        "SET k:1 1\r\nCOMMAND INFO RG.TRIGGER\r\nGET k:0",
        "CLIENT REPLY SKIP",
        "SET k:1 1\r\nBLPOP k:list 0\r\nINFO",
        "",
    ],
)
def test_what_a_client_sent_before_it_said_no_more_is_answered(gears_either_way, sent):
    """`printf … | nc` closes its half at once, and reads on."""
    answered = sent.endswith("GET k:0")
    with gears_either_way.raw() as sock, sock.makefile("rb") as stream:
        sock.sendall(f"{sent}\r\n".encode())
        sock.shutdown(socket.SHUT_WR)
        assert stream.read().endswith(b"$-1\r\n") is answered


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(gears_either_way):
    door = psutil.Process(gears_either_way.process.pid)
    before = descriptors(door)
    for _ in range(20):
        with gears_either_way.raw() as sock:
            sock.sendall(b"SET k:1 1\r\n*3\r\n$3\r\nSET\r\n$3\r\nk:2\r\n$100\r\nhalf")
    wait_for(lambda: descriptors(door) <= before, what="closed connections")
    with gears_either_way.client() as client:
        assert client.get("k:1") == "1"
        assert client.get("k:2") is None
