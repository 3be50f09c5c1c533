"""Clients that cost next to nothing: sockets, requests encoded beforehand, one loop.

A client library's own cost would bring every ratio nearer to one.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Sequence
from typing import Any

import hiredis


def encode(words: Sequence[object]) -> bytes:
    """A command as RESP."""
    as_text: tuple[Any, ...] = tuple(w if isinstance(w, (str, bytes)) else str(w) for w in words)
    packed: bytes = hiredis.pack_command(as_text)
    return packed


def run(port: int, clients: list[list[bytes]], depth: int = 1) -> float:
    """Each client sends its requests, `depth` at a time, the next when all have their replies.

    Returns requests a second. Raises RuntimeError at the first error among the replies.
    """
    selector = selectors.DefaultSelector()
    for requests in clients:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        groups = iter(
            [
                (b"".join(requests[i : i + depth]), len(requests[i : i + depth]))
                for i in range(0, len(requests), depth)
            ]
        )
        selector.register(sock, selectors.EVENT_READ, [groups, hiredis.Reader(), 0])
    started = time.perf_counter()
    for key in list(selector.get_map().values()):
        _next(selector, key)
    while selector.get_map():
        for key, _ in selector.select(60):
            _, reader, _ = key.data
            reader.feed(key.fileobj.recv(1 << 16))  # type: ignore[union-attr]
            while (reply := reader.gets()) is not False:
                if isinstance(reply, hiredis.ReplyError):
                    raise RuntimeError(str(reply))
                key.data[2] -= 1
            if key.data[2] == 0:
                _next(selector, key)
    taken = time.perf_counter() - started
    return sum(map(len, clients)) / taken


def _next(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    group = next(key.data[0], None)
    sock: socket.socket = key.fileobj  # type: ignore[assignment]
    if group is None:
        selector.unregister(sock)
        sock.close()
        return
    key.data[2] = group[1]
    sock.sendall(group[0])
