"""Clients that speak command by command, and the crowd in which they share connections."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager

from minigears.door.pooled.guest import FEW
from minigears.protocol import encode_command
from tests.minigears.realgears import MiniGears


class Talk:
    """One client, command by command, raw."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.sock.settimeout(30)
        self.stream = sock.makefile("rb")

    def say(self, *argv: bytes | str) -> None:
        self.sock.sendall(encode_command(argv))

    def ask(self, *argv: bytes | str) -> bytes:
        self.say(*argv)
        return self.hear()

    def hear(self) -> bytes:
        line = self.stream.readline()
        if line[:1] in (b"$", b"=") and line[:2] != b"$-":
            return line + self.stream.read(int(line[1:]) + 2)
        if line[:1] in (b"*", b"%"):
            count = int(line[1:]) * (2 if line[:1] == b"%" else 1)
            return line + b"".join(self.hear() for _ in range(count))
        return line


@contextmanager
def crowd(gears):
    """Clients that only make it a crowd."""
    with ExitStack() as stack:
        for _ in range(FEW):
            stack.enter_context(gears.client()).dbsize()
        yield


def sharing(gears: MiniGears) -> int:
    """How many clients are on shared connections."""
    with gears.client() as client:
        return int(client.info("minigears")["minigears_clients_sharing"])
