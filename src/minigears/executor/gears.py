"""The executor's state: everything that commands, events and user code act on."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from minigears.address import Address
from minigears.commandtable import CommandTable
from minigears.executor.config import Config
from minigears.executor.flow.executions import Execution, ExecutionLog
from minigears.executor.ids import Counter
from minigears.executor.redis.calls import AtomicGate, BlockingCaller, Rules
from minigears.executor.redis.connection import BlockingConnection, RedisError
from minigears.executor.redis.sessionstore import SessionStore, StoreError
from minigears.executor.requirements import RequirementStore
from minigears.executor.runs.settling import Settling
from minigears.executor.script.registrations import Registration, Session
from minigears.executor.script.registry import Registry
from minigears.executor.streams import StreamReaderRunner
from minigears.executor.threads.hub import Hub
from minigears.executor.threads.pool import Pool
from minigears.executor.unloaded import Unloaded
from minigears.executor.usercode.context import Context
from minigears.executor.usercode.log import write
from minigears.loops import Loops
from minigears.seal import Seal

log = logging.getLogger(__name__)

Batch = list[dict[str, Any]]
"""Entries of a stream as records."""

Leaving = Sequence[tuple[Registration, bool]]
"""Registrations to take out, and whether what they run is aborted."""

_KEEP_PAUSE = 1.0  # seconds between two looks at what is stored

STATE = "state:"
"""Where the counter and the users' configuration are stored; no session can have this name."""


class Gears:
    """Made in the main thread, which the hub belongs to. Raises OSError without Redis."""

    def __init__(
        self,
        address: Address,
        cache_dir: Path,
        run_batch: Callable[[Gears, Registration, Batch], None],
        previous_password: str | None = None,
    ):
        """`run_batch` runs a registration on entries of a stream; it raises BatchFailed."""
        self.address = address
        self._run_batch = run_batch
        self.seal = Seal(address.password, previous_password)
        self._stored: bytes | None = None
        """The digest of what should be stored."""
        self._redis_run: bytes | None = None
        connection = self._connect()
        table = CommandTable.from_reply(connection.call("COMMAND"))
        connection.close()
        self.loops = Loops()
        self.config = Config(on_extra=lambda extra: self._store_state())
        self.rules = Rules(table)
        self.gate = AtomicGate()
        self.blocking = BlockingCaller(address, self.gate)
        self.hub = Hub(self._connect, self.gate, self.blocking)
        self.settling = Settling(self.rules, self.hub)
        self.pool = Pool(self.config.number("ExecutionThreads"))
        self.requirements = RequirementStore(cache_dir, write)
        self.registry = Registry()
        self.sessions: dict[str, Session] = {}
        self.unloaded = Unloaded()
        """Stored sessions that could not be loaded yet."""
        self.registration_ids = Counter()
        self.executions = ExecutionLog(
            lambda: self.config.number("MaxExecutions"),
            lambda: self.config.number("MaxExecutionsPerRegistration"),
        )
        self.scripts = threading.RLock()
        """Held while a script runs: they run one after another."""
        self.on_interest: Callable[[dict[str, Any]], None] = lambda interest: None
        """Called whenever registrations have changed."""
        self.on_command: Callable[[list[bytes], Context], Any] = lambda argv, context: None
        """Answers an `RG.*` command that user code calls; raises CommandError."""
        self.changing = threading.RLock()
        """Held while registrations, or what is stored of them, change."""
        self.timers: dict[str, bytes] = {}
        """Timers with a key, as they are stored."""
        self._dead: list[tuple[Session, list[Execution]]] = []
        """Sessions that are out of force, with what of them ran on."""
        self._ending: list[StreamReaderRunner] = []
        """Stopped, but perhaps still busy with a last batch."""

    def execute(self, argv: list[bytes], context: Context) -> Any:
        """An `RG.*` command called by user code; raises CommandError."""
        return self.on_command(argv, context)

    def alone(self) -> AbstractContextManager[None]:
        """A block in which, on the main thread, no other function goes on."""
        return self.hub.alone() if self.hub.here else nullcontext()

    def _connect(self) -> BlockingConnection:
        """A connection to the Redis that we began with; raises OSError when it was restarted.

        A restarted Redis may have lost what we know: a new executor loads what is there.
        """
        connection = BlockingConnection(self.address)
        info = connection.call("INFO", "server")
        run = next(line for line in info.splitlines() if line.startswith(b"run_id:"))
        if self._redis_run not in (None, run):
            connection.close()
            raise ConnectionResetError("Redis was restarted")
        self._redis_run = run
        return connection

    # registrations

    def commit(
        self, session: Session, replaces: Iterable[str] = (), unregistered: Leaving = ()
    ) -> None:
        """Let a session's registrations take effect, in place of others, all at once.

        They are stored first, then the door is told: a registration that a client knows of
        survives whatever happens next. Out go those of the sessions `replaces`, and `unregistered`.
        """
        if not session.registrations:
            self.unregister(unregistered)
            return
        with self.changing:
            self.registration_ids.take()  # RedisGears uses one up for what it tells its replicas
            self.executions.skip_one()
            old = [self.sessions[s] for s in replaces if s in self.sessions]
            replaced = [(r, False) for s in old for r in s.registrations.values()]
            leaving = [*replaced, *unregistered]
            put, remove = self._without(leaving)
            put |= {session.id: session.pack(), STATE: self._pack_state()}
            self._update(leaving, put, [name for name in remove if name != session.id])
            self._forget(leaving)
            self.sessions[session.id] = session
            ids = [r.id for r, _ in leaving]
            self.change(session.registrations.values(), ids, loaded=[session.id])

    def add(self, registration: Registration, piece: bytes) -> None:
        """Let one more registration of a session take effect, which a function has made."""
        with self.changing:
            session = self.sessions.setdefault(registration.session.id, registration.session)
            session.registrations[registration.id] = registration
            session.seal({registration.id: piece})
            self.executions.skip_one()
            self.store().update({session.id: session.pack(), STATE: self._pack_state()})
            self.change([registration], ())

    def unregister(self, leaving: Leaving, spared: object = None) -> None:
        """Take registrations out; a session goes with its last one.

        `spared` is not aborted: it is the run that asks.
        """
        if leaving:
            with self.changing:
                self._update(leaving, *self._without(leaving))
                self._forget(leaving, spared)
                self.change((), [registration.id for registration, _ in leaving])

    def _update(self, leaving: Leaving, put: Mapping[str, bytes], remove: Iterable[str]) -> None:
        """Store a change; if that fails, what was to leave stays, and can be seen again."""
        try:
            self.store().update(put, remove)
        except Exception:
            for registration, _ in leaving:
                registration.leaving = False
            raise

    def _without(self, leaving: Leaving) -> tuple[dict[str, bytes], list[str]]:
        """What is to be stored and removed so that these registrations are gone."""
        ids = {registration.id for registration, _ in leaving}
        put, remove = {}, []
        for session in {r.session.id: r.session for r, _ in leaving}.values():
            if session.registrations.keys() <= ids:
                remove.append(session.id)
            else:
                put[session.id] = session.pack(without=ids)
        return put, remove

    def _forget(self, leaving: Leaving, spared: object = None) -> None:
        for registration, abort_pending in leaving:
            session = registration.session
            session.registrations.pop(registration.id, None)
            runs = [e for e in self.executions.of_registration(registration.id) if not e.done]
            if not session.registrations and self.sessions.get(session.id) is session:
                del self.sessions[session.id]
            for execution in runs:  # its last registration may go later, and this one be on still
                session.began(execution)
            on = [e for e in session.runs if not e.done]
            if on and session.id not in self.sessions:
                self._dead.append((session, on))
            for execution in runs if abort_pending else ():
                if execution is not spared:
                    execution.abort()

    def dead_sessions(self) -> list[Session]:
        """Sessions that are out of force and of which something still runs."""
        with self.changing:
            self._dead = [(s, runs) for s, runs in self._dead if not all(e.done for e in runs)]
            return list({session.id: session for session, _ in self._dead}.values())

    def store_timer(self, name: str, data: bytes) -> None:
        """Keep a timer over restarts; it takes the place of one with the same name."""
        with self.changing:
            self.timers[name] = data
            self.store().put(name, data)

    def forget_timer(self, name: str, data: Callable[[], bytes]) -> None:
        """Forget a timer, unless another one has taken its place."""
        with self.changing, suppress(OSError, RedisError, StoreError):
            if self.timers.get(name) == data():
                del self.timers[name]
                self.store().remove(name)

    def forget_unloaded(self, registration_id: str) -> bool:
        """Remove the session of a registration that could not be loaded; tells whether there was one."""
        with self.changing:
            names = self.unloaded.named(registration_id)
            if names:
                self.store().update({}, names)
                self.change((), (), loaded=names)
            return bool(names)

    def change(
        self, add: Iterable[Registration], remove: Iterable[str], loaded: Iterable[str] = ()
    ) -> None:
        """Let registrations take effect; `loaded` are sessions that are not `unloaded` any more."""
        add, remove = list(add), list(remove)
        self._ending = [runner for runner in self._ending if not runner.join(0)]
        gone = [r for r in map(self.registry.get, remove) if r is not None]
        for registration in add:
            if registration.spec.reader == "StreamReader":
                registration.runner = StreamReaderRunner(
                    registration,
                    lambda: BlockingConnection(self.address),
                    lambda records, r=registration: self._run_batch(self, r, records),  # type: ignore[misc]
                    write,
                    self.loops,
                )
        self.registry.change(add, remove)
        self.rules.watch(self.registry.keys_patterns())
        self.rules.follow(self.registry.sync_patterns())
        waiting = self.unloaded.drop(loaded)
        interest, more = self.registry.interest(), self.unloaded.interest()
        self.on_interest(interest | more | {"keys": interest["keys"] + more["keys"]})
        for key, job in waiting:
            self.hub.post(key, job)
        for registration in gone:
            if registration.runner is not None:
                registration.runner.stop()
                self._ending.append(registration.runner)
            self.executions.drop_registration(registration.id)
        for registration in add:
            if registration.runner is not None:
                registration.runner.start(after=tuple(self._ending))

    # what is stored

    def store(self) -> SessionStore:
        """What is stored in Redis; raises what its connection raises."""
        return SessionStore(self.blocking.connection(), self.seal, self._note)

    def _note(self, digest: bytes | None) -> None:
        self._stored = digest

    def store_again(self) -> None:
        """Store everything, where it is no longer; raises what the connection raises."""
        with self.changing:
            kept = {session.id: session.pack() for session in self.sessions.values()}
            kept |= self.unloaded.data() | self.timers
            if kept:
                kept[STATE] = self._pack_state()
            try:
                self.store().update(kept)
            except StoreError as error:
                log.error("what is stored was replaced, and is stored again: %s", error)
                self.store().replace(kept)

    def keep_stored(self) -> None:
        """Store again what somebody took away, or put something else in its place; never returns."""
        while True:
            time.sleep(_KEEP_PAUSE)
            try:
                with self.changing:
                    if self.store().digest() != self._stored:
                        self.store_again()
                        self._stored = self.store().digest()
            except Exception as error:  # Redis is away, say, or refuses: there is a next turn
                log.warning("it cannot be seen whether all is stored: %r", error)

    def _store_state(self) -> None:
        with self.changing:
            self.store().put(STATE, self._pack_state())

    def _pack_state(self) -> bytes:
        state: Mapping[str, Any] = {
            "extra": self.config.extra,
            "next_registration": self.registration_ids.next,
        }
        return pickle.dumps(state)
