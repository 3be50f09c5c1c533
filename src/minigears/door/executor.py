"""The executor process: start it, talk to it over two socket pairs, start it again when it dies."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minigears.address import Address
from minigears.door.events.delivery import Event
from minigears.door.pipe import Pipe
from minigears.loops import Loops
from minigears.marks import MarkReader, new_secret
from minigears.protocol import Command

log = logging.getLogger(__name__)

_RESTART_PAUSE = 0.2  # seconds, doubled while the executor dies at once, up to _RESTART_LIMIT
_RESTART_LIMIT = 10.0
_SPAWN_PAUSE = 1.0  # seconds, where the system starts no process: no memory, say
_STOP_TIMEOUT = 5.0  # seconds to end by itself, before it is killed


class ExecutorLost(Exception):
    """The executor died while it was working on this."""


@dataclass(frozen=True)
class Settings:
    """What an executor is started with."""

    address: Address
    cache: str
    log_level: str
    log_format: str
    previous_password: str | None = None
    """That of Redis when earlier lives stored what is there; "" if it had none."""


@dataclass
class Callbacks:
    """What the door does with frames that are not replies."""

    interest: Callable[[dict[str, Any]], Any]
    """Awaited: replies that come after it wait for it."""
    done: Callable[[list[int]], None]
    settle: Callable[[int, list[bytes]], None]
    """A function has written these keys, and waits for the sync functions that this has caused."""
    ready: Callable[[], None]
    """An executor has loaded its registrations: the first one, or one that takes over."""
    room: Callable[[], None]
    """The executor reads its events again."""


class Executor:
    """Keeps one executor alive."""

    def __init__(self, settings: Settings, callbacks: Callbacks, loops: Loops):
        self._settings = settings
        self._callbacks = callbacks
        self._loops = loops
        self._ids = itertools.count(1)
        self._commands: dict[int, asyncio.Future[bytes]] = {}
        self._calls: dict[int, asyncio.Future[bytes | None]] = {}
        self._control: Pipe | None = None
        self._events: Pipe | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()
        self._unhandled: Any = None
        """The control frame that is being handled: once more, if that fails."""
        self._ready = asyncio.Event()
        self.marks = MarkReader(new_secret())
        """Knows the marks of the executor of now."""
        self._started = False
        """Whether there ever was an executor that knew its registrations."""
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self.restarts = 0
        """How many times the executor had to be started again."""

    @property
    def ready(self) -> bool:
        """Whether there is an executor that knows its registrations."""
        return self._ready.is_set()

    @property
    def full(self) -> bool:
        """Whether the executor has so much left to read that more should wait."""
        return self._events is not None and self._events.full

    async def start(self) -> None:
        """Start the executor and return once it knows its registrations.

        Raises:
            ExecutorLost: it died before it was ready.
        """
        loop = asyncio.get_running_loop()
        await self._spawn()
        self._tasks = [self._read(), self._loops.task("the watch over the executor", self._watch)]
        ready = loop.create_task(self._ready.wait())
        await asyncio.wait([ready, self._tasks[1]], return_when=asyncio.FIRST_COMPLETED)
        self._started = self._ready.is_set()
        if not self._started:
            ready.cancel()
            raise ExecutorLost("the executor did not start; its own words are in the log above")

    async def command(
        self,
        argv: Sequence[bytes],
        client: dict[str, Any],
        wanted: Callable[[], bool] = lambda: True,
    ) -> bytes:
        """Have an `RG.*` command answered; waits for an executor that is being started.

        Raises:
            ExecutorLost: the executor died over it, or was not there before it was not `wanted` any more.
        """
        await self._ready.wait()
        if not wanted():
            raise ExecutorLost("who asked for this is gone")
        number = next(self._ids)
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._commands[number] = future
        assert self._control is not None
        self._control.send(("command", number, list(argv), client))
        try:
            return await future
        finally:
            self._commands.pop(number, None)

    async def call(
        self, registrations: list[str], argv: Command, user: bytes, in_multi: bool = False
    ) -> bytes | None:
        """Have hooks answer a command of a client that is Redis's user `user`.

        None means that it is to be forwarded as it came. `in_multi`: it was queued after MULTI.

        Raises:
            ExecutorLost: the executor died over it.
        """
        await self._ready.wait()
        number = next(self._ids)
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._calls[number] = future
        self.send(("call", number, registrations, list(argv), user, in_multi))
        try:
            return await future
        finally:
            self._calls.pop(number, None)

    async def event_call(self, event: Event, argv: Command, overridden: bool) -> bytes | None:
        """Run an event's function with the right to override the reply of the command `argv`.

        That may be done once, and an earlier one may have `overridden` it. Returns the reply that it set, or None.

        Raises:
            ExecutorLost: the executor died over it.
        """
        if not self.ready:
            raise ExecutorLost("the executor is being started again")
        number = next(self._ids)
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._calls[number] = future
        self.send(
            ("event", number, event.registration, event.key, event.name, list(argv), overridden)
        )
        try:
            return await future
        finally:
            self._calls.pop(number, None)

    def send_events(self, events: Sequence[Event]) -> None:
        """Have the functions of these events run."""
        self.send(("events", [(e.seq, e.registration, e.key, e.name, e.kind) for e in events]))

    def send(self, frame: Any) -> None:
        """Send a frame on the events link."""
        if self._events is not None:
            self._events.send(frame)

    async def stop(self) -> None:
        """Ask the executor to end, and see that it does."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        for pipe in (self._control, self._events):
            if pipe:
                pipe.close()
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_TIMEOUT)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()

    def kill(self) -> None:
        """End an executor that does not answer; the next one is started at once."""
        if self._process and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)

    async def _spawn(self) -> None:
        ours_control, theirs_control = socket.socketpair()
        ours_events, theirs_events = socket.socketpair()
        fds = (theirs_control.fileno(), theirs_events.fileno())
        address, password = self._settings.address.without_password()
        secret = new_secret()
        given = {"MINIGEARS_MARKS": secret}
        if password:
            given["MINIGEARS_REDIS_PASSWORD"] = password
        if self._settings.previous_password is not None:
            given["MINIGEARS_PREVIOUS_PASSWORD"] = self._settings.previous_password
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "minigears.executor", "--redis", address),
                *("--control-fd", str(fds[0]), "--events-fd", str(fds[1])),
                *("--cache", self._settings.cache, "--log-level", self._settings.log_level),
                *("--log-format", self._settings.log_format),
                pass_fds=fds,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=2,  # what functions print is a log
                env=os.environ | given,
            )
        finally:
            theirs_control.close()
            theirs_events.close()
        self._inbox, self._unhandled = asyncio.Queue(), None
        self.marks = MarkReader(secret)
        self._control = await self._attach(ours_control, self._inbox.put_nowait)
        self._events = await self._attach(ours_events, self._event_frame)

    async def _attach(self, sock: socket.socket, on_frame: Callable[[Any], None]) -> Pipe:
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        process = self._process
        _, pipe = await loop.create_unix_connection(
            lambda: Pipe(on_frame, lambda: self._link_lost(process), self._callbacks.room),
            sock=sock,
        )
        return pipe

    def _link_lost(self, process: asyncio.subprocess.Process | None) -> None:
        """An executor that cannot be talked to is of no use, even if it lives."""
        if process is self._process and not self._stopping:
            self.kill()

    def _event_frame(self, frame: Any) -> None:
        if frame[0] == "done":
            self._callbacks.done(frame[1])
        elif frame[0] == "settle":
            self._callbacks.settle(frame[1], frame[2])
        elif frame[0] == "result":
            future = self._calls.get(frame[1])
            if future and not future.done():
                future.set_result(frame[2])

    def _read(self) -> asyncio.Task[None]:
        return self._loops.task("reading what the executor says", self._read_control)

    async def _read_control(self) -> None:
        """Handle control frames in order: an interest is in force before the reply after it."""
        while True:
            if self._unhandled is None:
                self._unhandled = await self._inbox.get()
            frame = self._unhandled
            if frame[0] == "interest":
                await self._callbacks.interest(frame[1])
                if not self._ready.is_set():
                    self._ready.set()
                    self._callbacks.ready()
            elif frame[0] == "reply":
                future = self._commands.get(frame[1])
                if future and not future.done():
                    future.set_result(frame[2])
            self._unhandled = None

    async def _watch(self) -> None:
        pause = _RESTART_PAUSE
        while True:
            assert self._process is not None
            started = asyncio.get_running_loop().time()
            status = await self._process.wait()
            ready = self._ready.is_set()
            self._ready.clear()
            self._fail_waiting()
            if not (self._started or ready):
                return
            log.error("the executor ended (status %s); starting another", status)
            lived = asyncio.get_running_loop().time() - started
            pause = _RESTART_PAUSE if lived > _RESTART_LIMIT else min(pause * 2, _RESTART_LIMIT)
            await asyncio.sleep(pause)
            self.restarts += 1
            self._tasks[0].cancel()
            await self._spawn_again()
            self._tasks[0] = self._read()

    async def _spawn_again(self) -> None:
        """Start another executor, as soon as the machine has room for one."""
        while True:
            try:
                return await self._spawn()
            except OSError as error:
                log.error("an executor cannot be started yet: %s", error)
                await asyncio.sleep(_SPAWN_PAUSE)

    def _fail_waiting(self) -> None:
        error = ExecutorLost("the executor died while it was working on this; it is started again")
        waiting: list[asyncio.Future[Any]] = [*self._commands.values(), *self._calls.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(error)
