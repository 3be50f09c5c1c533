"""Frames between the door and the executor.

A frame is a 4-byte big-endian length and a `marshal` payload. `marshal` knows built-in types only,
so reading a frame runs nothing; both ends are the same Python, so its format never differs.
`encode` and `FrameReader` do no I/O and serve both sides; `Link` is the executor's blocking socket.
"""

from __future__ import annotations

import contextlib
import marshal
import socket
import struct
import threading
from collections import deque
from typing import Any

_LENGTH = struct.Struct(">I")
_CHUNK = 256 * 1024  # bytes


def encode(frame: Any) -> bytes:
    """`frame` (tuples, lists, dicts, bytes, str, numbers, None) as bytes for the wire."""
    payload = marshal.dumps(frame)
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Turns bytes as they arrive into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Take `data` and return the frames that are now complete, oldest first."""
        self._buffer += data
        frames = []
        start = 0
        buffer = self._buffer
        while len(buffer) - start >= _LENGTH.size:
            end = start + _LENGTH.size + _LENGTH.unpack_from(buffer, start)[0]
            if len(buffer) < end:
                break
            frames.append(marshal.loads(bytes(buffer[start + _LENGTH.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames


class LinkClosed(ConnectionError):
    """The other side has gone."""


class Link:
    """One end of a socket pair: many threads may send, one thread receives."""

    def __init__(self, sock: socket.socket):
        sock.setblocking(True)
        self._sock = sock
        self._frames = FrameReader()
        self._ready: deque[Any] = deque()
        self._sending = threading.Lock()

    @classmethod
    def from_fd(cls, fd: int) -> Link:
        """Take over an inherited descriptor."""
        return cls(socket.socket(fileno=fd))

    def fileno(self) -> int:
        """The descriptor, for `select`."""
        return self._sock.fileno()

    def send(self, frame: Any) -> None:
        """Send one frame whole; raises LinkClosed when the other side has gone."""
        data = encode(frame)
        try:
            with self._sending:
                self._sock.sendall(data)
        except OSError as error:
            raise LinkClosed(str(error)) from error

    def receive(self) -> Any:
        """Wait for the next frame; raises LinkClosed at the end."""
        while not self._ready:
            self._ready.extend(self._read(0))
        return self._ready.popleft()

    def receive_available(self) -> list[Any]:
        """Frames that have arrived, without waiting; raises LinkClosed at the end."""
        frames = list(self._ready)
        self._ready.clear()
        try:
            return frames + self._read(socket.MSG_DONTWAIT)
        except BlockingIOError:
            return frames

    def _read(self, flags: int) -> list[Any]:
        try:
            data = self._sock.recv(_CHUNK, flags)
        except BlockingIOError:
            raise
        except OSError as error:
            raise LinkClosed(str(error)) from error
        if not data:
            raise LinkClosed("the other side has gone")
        return self._frames.feed(data)

    def shutdown(self) -> None:
        """End the conversation: who waits in `receive`, here or there, gets LinkClosed."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close this end."""
        self._sock.close()
