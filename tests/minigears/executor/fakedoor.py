"""An executor process with the test in the door's place."""

from __future__ import annotations

import itertools
import queue
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import hiredis

from minigears.link import Link, LinkClosed


class FakeDoor:
    """Starts an executor and speaks both links to it."""

    def __init__(self, redis_socket: Path, cache: Path):
        self._command = [sys.executable, "-m", "minigears.executor"]
        self._command += ["--redis", f"unix://{redis_socket}", "--cache", str(cache)]
        self._numbers = itertools.count(1)
        self.printed = cache.with_name("printed")
        """What functions print."""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns once it has said what it watches."""
        pairs = [socket.socketpair(), socket.socketpair()]
        fds = [theirs.fileno() for _, theirs in pairs]
        options = ["--control-fd", str(fds[0]), "--events-fd", str(fds[1])]
        with self.printed.open("ab") as printed:
            self.process = subprocess.Popen(
                [*self._command, *options], pass_fds=fds, stdout=printed
            )
        for _, theirs in pairs:
            theirs.close()
        self._control, self._events = Link(pairs[0][0]), Link(pairs[1][0])
        self._replies: dict[int, queue.SimpleQueue[Any]] = {}
        self._results: dict[int, queue.SimpleQueue[Any]] = {}
        self._done: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._ready = threading.Event()
        self.interest: dict[str, Any] = {}
        threading.Thread(target=self._read_control, args=(self._control,), daemon=True).start()
        threading.Thread(target=self._read_events, args=(self._events,), daemon=True).start()
        assert self._ready.wait(30), "the executor is not ready"

    def stop(self) -> int:
        """Go away, as a door does; returns the executor's exit status."""
        assert self.process is not None
        for link in (self._control, self._events):
            link.shutdown()
        return self.process.wait(30)

    def kill(self) -> None:
        """End the executor without a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)
        self.stop()

    def send(self, *words: str | bytes) -> queue.SimpleQueue[Any]:
        """Send a command; the queue will give its reply."""
        number = next(self._numbers)
        argv = [w if isinstance(w, bytes) else w.encode() for w in words]
        reply = self._replies[number] = queue.SimpleQueue()
        self._control.send(("command", number, argv, {"resp": 2}))
        return reply

    def call(self, *words: str | bytes) -> Any:
        """Send a command and return its reply; an error is a `hiredis.ReplyError`."""
        return self.send(*words).get(timeout=60)

    def script(self, source: str, *options: str) -> Any:
        """Run a script."""
        return self.call("RG.PYEXECUTE", source, *options)

    def results(self, source: str) -> Any:
        """Run a script that runs a flow; fails unless it has no errors."""
        results, errors = self.script(source)
        assert errors == []
        return results

    def event(self, registration: str, key: bytes, event: str) -> int:
        """Tell of one event; returns its number."""
        return self.events([(registration, key, event)])[0]

    def events(self, events: list[tuple[str, bytes, str]]) -> list[int]:
        """Tell of events in one frame; returns their numbers."""
        numbered = [(next(self._numbers), *event, b"") for event in events]
        self._events.send(("events", numbered))
        return [number for number, *_ in numbered]

    def wait_done(self, *numbers: int) -> None:
        """Wait until these events are done, and no others."""
        done = {self._done.get(timeout=30) for _ in numbers}
        assert done == set(numbers)

    def none_done(self) -> bool:
        """Whether no event was reported done that nobody waited for."""
        return self._done.empty()

    def fire(self, registration: str, key: bytes, event: str) -> None:
        """Tell of one event and wait until it is done."""
        self.wait_done(self.event(registration, key, event))

    def streams(self, *keys: bytes) -> None:
        """Tell of streams with new entries."""
        self._events.send(("streams", list(keys)))

    def hook(self, registrations: list[str], *argv: bytes) -> Any:
        """Have a hooked command answered."""
        return self.ask_later("call", registrations, list(argv), b"default").get(timeout=60)

    def event_of_command(self, registration: str, key: bytes, event: str, *argv: bytes) -> Any:
        """Tell of an event whose function may override the reply of `argv`."""
        return self.ask_later("event", registration, key, event, list(argv)).get(timeout=60)

    def ask_later(self, kind: str, *rest: Any) -> queue.SimpleQueue[Any]:
        """Send a frame that is answered with a result, which the queue will give."""
        number = next(self._numbers)
        result = self._results[number] = queue.SimpleQueue()
        self._events.send((kind, number, *rest))
        return result

    @property
    def ids(self) -> list[str]:
        """Ids of the registrations, oldest first."""
        return [row[1].decode() for row in self.call("RG.DUMPREGISTRATIONS")]

    def stats(self, registration: str) -> dict[str, Any]:
        """The field RegistrationData of a registration."""
        for row in self.call("RG.DUMPREGISTRATIONS"):
            if row[1].decode() == registration:
                return {row[7][i].decode(): row[7][i + 1] for i in range(0, len(row[7]), 2)}
        raise KeyError(registration)

    def _read_control(self, link: Link) -> None:
        try:
            while True:
                frame = link.receive()
                if frame[0] == "interest":
                    self.interest = frame[1]
                    self._ready.set()
                else:
                    self._replies.pop(frame[1]).put(_parse(frame[2]))
        except (LinkClosed, OSError):
            pass

    def _read_events(self, link: Link) -> None:
        try:
            while True:
                frame = link.receive()
                if frame[0] == "done":
                    for number in frame[1]:
                        self._done.put(number)
                elif frame[0] == "settle":
                    link.send(("settled", frame[1]))
                else:
                    raw = frame[2]
                    self._results.pop(frame[1]).put(None if raw is None else _parse(raw))
        except (LinkClosed, OSError):
            pass


def _parse(raw: bytes) -> Any:
    reader = hiredis.Reader()
    reader.feed(raw)
    reply = reader.gets()
    assert reader.has_data() is False, raw
    return reply


def text(error: Any) -> str:
    """An error reply's text; fails on any other reply."""
    assert isinstance(error, hiredis.ReplyError), error
    return str(error)
