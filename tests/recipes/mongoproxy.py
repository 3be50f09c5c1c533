"""A relay in front of MongoDB that answers some commands itself, as a MongoDB in trouble would.

What comes back are whole replies on the wire, so the driver inside Gears makes its own exceptions of them.
Layout of messages: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import bson

from lab.stack.model import Stack
from tests.recipes.gears.families import URL_NAME

Command = dict[str, Any]
Rule = Callable[[Command], "Command | None"]
"""Gets a command with its documents; returns the reply to give instead of MongoDB's, or None."""

_HEADER = struct.Struct("<iiii")
_OP_MSG = 2013
_HAS_CHECKSUM = 1


class MongoProxy:
    """Relays to one MongoDB. `rule` may be set at any moment."""

    def __init__(self, upstream: tuple[str, int]):
        self.rule: Rule | None = None
        self.answered = 0
        """Commands that were answered here."""
        self.flowing = threading.Event()
        """Cleared: it is frozen, as a stopped process is. Connections are taken, nothing is answered."""
        self.flowing.set()
        self._upstream = upstream
        self._ids = itertools.count(1)
        self._errors: dict[int, list[Command]] = {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Close it and every connection."""
        self.flowing.set()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(self._upstream)
                except OSError:
                    client.close()
                    continue
                self._sockets += [client, server]
                writing = threading.Lock()
                for serve in (self._requests, self._replies):
                    arguments = (client, server, writing)
                    threading.Thread(target=serve, args=arguments, daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket, writing: Any) -> None:
        for message in _messages(client):
            self.flowing.wait()
            command = _command(message)
            reply = self.rule(command) if self.rule and command is not None else None
            if reply is None:
                with contextlib.suppress(OSError):
                    server.sendall(message)
                continue
            self.answered += 1
            request = _HEADER.unpack_from(message)[1]
            with contextlib.suppress(OSError):
                if "forward" in reply:
                    self._errors[request] = reply["writeErrors"]
                    server.sendall(_pack(request, 0, reply["forward"]))
                else:
                    with writing:
                        client.sendall(_pack(next(self._ids), request, reply))
        server.close()

    def _replies(self, client: socket.socket, server: socket.socket, writing: Any) -> None:
        for message in _messages(server):
            self.flowing.wait()
            _, number, request, _ = _HEADER.unpack_from(message)
            if errors := self._errors.pop(request, None):
                message = _pack(number, request, {**_command(message), "writeErrors": errors})
            with contextlib.suppress(OSError), writing:
                client.sendall(message)
        client.close()


def _messages(connection: socket.socket) -> Iterator[bytes]:
    """Whole messages, until the connection ends."""
    with contextlib.suppress(OSError), connection.makefile("rb") as stream:
        while len(start := stream.read(4)) == 4:
            yield start + stream.read(struct.unpack("<i", start)[0] - 4)


def _pack(number: int, answers: int, document: Command) -> bytes:
    body = struct.pack("<iB", 0, 0) + bson.encode(document)
    return _HEADER.pack(len(body) + _HEADER.size, number, answers, _OP_MSG) + body


def _command(message: bytes) -> Command | None:
    """The command in a message, its document sequences put where they belong."""
    if _HEADER.unpack_from(message)[3] != _OP_MSG:
        return None
    flags = struct.unpack_from("<I", message, 16)[0]
    end = len(message) - (4 if flags & _HAS_CHECKSUM else 0)
    position, command = 20, {}
    while position < end:
        kind, size = struct.unpack_from("<Bi", message, position)
        section = message[position + 1 : position + 1 + size]
        if kind == 0:
            command.update(bson.decode(section))
        else:
            name, _, documents = section[4:].partition(b"\0")
            command[name.decode()] = bson.decode_all(documents)
        position += 1 + size
    return command


@contextlib.contextmanager
def in_front_of(stack: Stack) -> Iterator[MongoProxy]:
    """A proxy in front of the stack's MongoDB, which recipes that are registered now will use."""
    url = urlsplit(stack.mongo_url)
    proxy = MongoProxy((str(url.hostname), int(url.port or 0)))
    address = stack.mongo_url.replace(str(url.port), str(proxy.port))
    stack.redis.execute_command("RG.CONFIGSET", URL_NAME, address)
    try:
        yield proxy
    finally:
        proxy.close()


def refusing(code: int, documents: Callable[[Command], bool] = lambda one: True) -> Rule:
    """Per document: an error with this code for each update or delete that is chosen; the rest is done."""

    def rule(command: Command) -> Command | None:
        kind = "updates" if "update" in command else "deletes"
        operations = command.get(kind, [])
        errors = [
            {"index": number, "code": code, "errmsg": f"refused with {code}"}
            for number, one in enumerate(operations)
            if documents(one)
        ]
        kept = [one for one in operations if not documents(one)]
        if not errors:
            return None
        if kept:
            return {"forward": {**command, kind: kept}, "writeErrors": errors}
        return {"ok": 1.0, "n": 0, "nModified": 0, "writeErrors": errors}

    return rule


def failing(code: int, labels: tuple[str, ...] = (), **more: Any) -> Rule:
    """Every writing command fails as a whole."""

    def rule(command: Command) -> Command | None:
        if not {"update", "delete"} & command.keys():
            return None
        reply: Command = {"ok": 0.0, "code": code, "errmsg": f"failed with {code}", **more}
        return {**reply, "errorLabels": list(labels)} if labels else reply

    return rule


def unsafe(command: Command) -> Command | None:
    """Written, says the reply, but not by most members."""
    if not {"update", "delete"} & command.keys():
        return None
    count = len(command.get("updates") or command.get("deletes") or [])
    error = {"code": 64, "errmsg": "waiting for replication timed out"}
    return {"ok": 1.0, "n": count, "nModified": 0, "writeConcernError": error}
