"""A TCP relay before a real server, so that a test can stop the clock between two bytes.

A worker is killed "before the bulk write" by holding the request that carries a known text, and
"after the bulk write, before the acknowledgement" by passing it on and holding the reply.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"
_CHUNK = 1 << 16


class Watch:
    """Counts a text in the requests, and the requests that carry it."""

    def __init__(self, text: bytes):
        self.text = text
        self.count = 0
        self.requests = 0
        self.seen = threading.Event()

    def feed(self, tail: bytes, chunk: bytes, new_request: bool) -> bool:
        """Look at the next chunk of a connection; `tail` is the end of what came before."""
        found = (tail[-len(self.text) + 1 :] + chunk).count(self.text)
        if found:
            self.count += found
            self.requests += new_request
            self.seen.set()
        return bool(found)


class Hold(Watch):
    """Stops the first connection whose request carries the text: the request, or its reply."""

    def __init__(self, text: bytes, replies: bool):
        super().__init__(text)
        self.replies = replies
        self.taken = False
        self.answered = threading.Event()
        """The server has answered what was held."""
        self._decided = threading.Event()
        self._drop = False

    def wait(self, seconds: float = 60) -> bool:
        """Wait until there is something to hold; returns whether there is."""
        return self.seen.wait(seconds)

    def release(self) -> None:
        """Pass it on, whoever sent it may be dead by now."""
        self._decided.set()

    def drop(self) -> None:
        """Never pass it on: the connection is closed."""
        self._drop = True
        self._decided.set()

    def decide(self) -> bool:
        """Wait for the decision; returns whether to pass on."""
        self._decided.wait()
        return not self._drop


class Pipe:
    """One client's connection, and what its requests have to do with holds."""

    def __init__(self, gate: Gate, client: socket.socket, server: socket.socket):
        self.gate, self.client, self.server = gate, client, server
        self.turn = True
        """The next chunk of the client begins a request: the server spoke last."""
        self.held: Hold | None = None
        self.tail = b""

    def run(self) -> None:
        threads = [threading.Thread(target=f, daemon=True) for f in (self._requests, self._replies)]
        for thread in threads:
            thread.start()

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _requests(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := self.client.recv(_CHUNK):
                hold = self.gate.look(self, chunk)
                self.turn = False
                if hold and hold.replies:
                    self.held = hold
                elif hold:
                    if not hold.decide():
                        break
                    self.held = hold
                if not self.gate.may_pass():
                    break
                self.server.sendall(chunk)
                if self.gate.passed():
                    break
                self.tail = (self.tail + chunk)[-200:]
            else:
                if self.held and not self.held.answered.is_set():
                    return  # the dead one's request is on its way; its answer closes this
        self.close()

    def _replies(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := self.server.recv(_CHUNK):
                self.turn = True
                if held := self.held:
                    held.answered.set()
                    if held.replies and not held.decide():
                        break
                rest = self.gate.rest_of_replies(len(chunk))
                self.client.sendall(chunk[:rest])
                if rest is not None:
                    break
        if self.held:
            self.held.answered.set()  # or it never will be
        self.close()


class Gate:
    """Relays a port of its own to the port of a server, which may come and go."""

    def __init__(self, server_port: int):
        self.server_port = server_port
        self.connections = 0
        """Connections that were tried, the refused ones included."""
        self._refusing = False
        self._left: int | None = None
        self._once = False
        self._reply_bytes: int | None = None
        self._watches: list[Watch] = []
        self._pipes: list[Pipe] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                try:
                    if self._refusing:
                        raise ConnectionRefusedError
                    server = socket.create_connection((LOOPBACK, self.server_port), 5)
                    server.settimeout(None)
                except OSError:
                    client.close()
                    continue
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pipe = Pipe(self, client, server)
                with self._lock:
                    self._pipes = [p for p in self._pipes if p.client.fileno() >= 0] + [pipe]
                pipe.run()

    def look(self, pipe: Pipe, chunk: bytes) -> Hold | None:
        """Show a chunk to everybody who watches; returns the hold that takes it."""
        with self._lock:
            for watch in self._watches:
                if isinstance(watch, Hold):
                    if not watch.taken and watch.feed(pipe.tail, chunk, pipe.turn):
                        watch.taken = True
                        return watch
                else:
                    watch.feed(pipe.tail, chunk, pipe.turn)
        return None

    @contextlib.contextmanager
    def watch(self, text: bytes) -> Iterator[Watch]:
        """Count this text in what clients send."""
        watch = Watch(text)
        with self._lock:
            self._watches.append(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches.remove(watch)

    @contextlib.contextmanager
    def hold(self, text: bytes, replies: bool = False) -> Iterator[Hold]:
        """Hold the first request with this text, or its reply, until told otherwise."""
        hold = Hold(text, replies)
        with self._lock:
            self._watches.insert(0, hold)
        try:
            yield hold
        finally:
            hold.release()
            with self._lock:
                self._watches.remove(hold)

    def cut_after(self, requests: int) -> None:
        """Pass on so many more requests, then cut the connection before the reply, and any other."""
        with self._lock:
            self._left = requests

    def lose_reply(self) -> None:
        """Pass on one request and cut its connection before the reply; take new connections."""
        with self._lock:
            self._left, self._once = 1, True

    def cut_reply(self, after: int) -> None:
        """Cut a connection when so many more bytes of replies were passed on; take new connections."""
        with self._lock:
            self._reply_bytes = after

    def rest_of_replies(self, size: int) -> int | None:
        """How much of a reply to pass on before the cut; None: all of it, and no cut."""
        with self._lock:
            left = self._reply_bytes
            if left is None:
                return None
            self._reply_bytes = left - size if size < left else None
            return left if size >= left else None

    def heal(self) -> None:
        """Pass everything on again."""
        with self._lock:
            self._left, self._refusing, self._reply_bytes = None, False, None

    def refuse(self) -> None:
        """Close all connections, and each that comes."""
        with self._lock:
            self._refusing, pipes = True, self._pipes
        for pipe in pipes:
            pipe.close()

    def may_pass(self) -> bool:
        """Whether one more request may pass."""
        with self._lock:
            return self._left is None or self._left > 0

    def passed(self) -> bool:
        """Count a request; returns whether its connection ends here."""
        with self._lock:
            if self._left is None:
                return False
            self._left -= 1
            ends = self._left <= 0
            if ends and self._once:
                self._left, self._once = None, False
            else:
                self._refusing = ends
            return ends

    def close(self) -> None:
        """Close everything."""
        self.refuse()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
