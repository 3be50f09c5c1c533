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
from minigears.executor.api import script_globals
from minigears.executor.config import Config
from minigears.executor.flow.executions import Execution, ExecutionLog
from minigears.executor.ids import Counter, to_number
from minigears.executor.redis.calls import AtomicGate, BlockingCaller, Rules
from minigears.executor.redis.connection import Connection, RedisError
from minigears.executor.redis.sessionstore import SessionStore, StoreError
from minigears.executor.requirements import RequirementStore
from minigears.executor.runs import run, timers
from minigears.executor.script.registrations import Registration, Registry, Spec
from minigears.executor.script.run import Script
from minigears.executor.script.sessions import Session, StoredSession
from minigears.executor.streams import StreamReaderRunner
from minigears.executor.threads.hub import Hub
from minigears.executor.threads.pool import Pool
from minigears.executor.unloaded import Unloaded
from minigears.executor.usercode.context import Context
from minigears.executor.usercode.log import write
from minigears.loops import Loops
from minigears.seal import Seal

log = logging.getLogger(__name__)

Leaving = Sequence[tuple[Registration, bool]]
"""Registrations to take out, and whether what they run is aborted."""

_KEEP_PAUSE = 1.0  # seconds between two looks at what is stored
_RETRY_PAUSE = 1.0  # seconds before a session is loaded again, doubled up to _RETRY_LIMIT
_RETRY_LIMIT = 60.0

_STATE = "state:"
"""Where the counter and the users' configuration are stored; no session can have this name."""


class Gears:
    """Made in the main thread, which the hub belongs to. Raises OSError without Redis."""

    def __init__(self, address: Address, cache_dir: Path, previous_password: str | None = None):
        self.address = address
        self._seal = Seal(address.password, previous_password)
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
        self._changing = threading.RLock()
        self._resting: dict[str, bytes] = {}
        """Timers that could not be loaded, as they are stored."""
        self._timers: dict[str, bytes] = {}
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

    def _connect(self) -> Connection:
        """A connection to the Redis that we began with; raises OSError when it was restarted.

        A restarted Redis may have lost what we know: a new executor loads what is there.
        """
        connection = Connection(self.address)
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
        with self._changing:
            self.registration_ids.take()  # RedisGears uses one up for what it tells its replicas
            old = [self.sessions[s] for s in replaces if s in self.sessions]
            replaced = [(r, False) for s in old for r in s.registrations.values()]
            leaving = [*replaced, *unregistered]
            put, remove = self._without(leaving)
            put |= {session.id: session.pack(), _STATE: self._pack_state()}
            self._update(leaving, put, [name for name in remove if name != session.id])
            self._forget(leaving)
            self.sessions[session.id] = session
            ids = [r.id for r, _ in leaving]
            self._change(session.registrations.values(), ids, loaded=[session.id])

    def add(self, registration: Registration, piece: bytes) -> None:
        """Let one more registration of a session take effect, which a function has made."""
        with self._changing:
            session = self.sessions.setdefault(registration.session.id, registration.session)
            session.registrations[registration.id] = registration
            session.seal({registration.id: piece})
            self._store().update({session.id: session.pack(), _STATE: self._pack_state()})
            self._change([registration], ())

    def unregister(self, leaving: Leaving, spared: Execution | None = None) -> None:
        """Take registrations out; a session goes with its last one.

        `spared` is not aborted: it is the run that asks.
        """
        if leaving:
            with self._changing:
                self._update(leaving, *self._without(leaving))
                self._forget(leaving, spared)
                self._change((), [registration.id for registration, _ in leaving])

    def _update(self, leaving: Leaving, put: Mapping[str, bytes], remove: Iterable[str]) -> None:
        """Store a change; if that fails, what was to leave stays, and can be seen again."""
        try:
            self._store().update(put, remove)
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

    def _forget(self, leaving: Leaving, spared: Execution | None = None) -> None:
        for registration, abort_pending in leaving:
            session = registration.session
            session.registrations.pop(registration.id, None)
            runs = [e for e in self.executions.of_registration(registration.id) if not e.done]
            if not session.registrations and self.sessions.get(session.id) is session:
                del self.sessions[session.id]
            if runs and session.id not in self.sessions:
                self._dead.append((session, runs))
            for execution in runs if abort_pending else ():
                if execution is not spared:
                    execution.abort()

    def dead_sessions(self) -> list[Session]:
        """Sessions that are out of force and of which something still runs."""
        with self._changing:
            self._dead = [(s, runs) for s, runs in self._dead if not all(e.done for e in runs)]
            return list({session.id: session for session, _ in self._dead}.values())

    def restore(self) -> None:
        """Load what is stored; a session that cannot be loaded stays stored and is left out."""
        stored = dict(self._store().load())
        if stored and self._seal.changed:
            self._store().replace(stored)
        state = pickle.loads(stored.pop(_STATE, pickle.dumps({})))
        ticking = {n: stored.pop(n) for n in list(stored) if n.startswith(timers.STORED)}
        self.config.extra.update(state.get("extra", {}))
        self.registration_ids.skip_to(state.get("next_registration", 0))
        loaded: list[Registration] = []
        for name, data in stored.items():
            session = self._try_to_restore(name, data)
            if session is not None:
                self.sessions[name] = session
                loaded.extend(session.registrations.values())
        self._change(loaded, ())
        self._load_timers(ticking)
        if self.unloaded:
            threading.Thread(target=self._retry, name="minigears-unloaded", daemon=True).start()

    def _load_timers(self, stored: Mapping[str, bytes]) -> None:
        """Start timers; one that cannot be loaded now is tried again when a session was loaded late."""
        for name, data in stored.items():
            self._timers[name] = data
            try:
                timer = timers.Timer.unpack(data, self.sessions)
            except Exception:
                log.exception("timer %s cannot be loaded", name)
                self._resting[name] = data
            else:
                self._resting.pop(name, None)
                timers.tick_later(self, timer)

    def store_timer(self, name: str, data: bytes) -> None:
        """Keep a timer over restarts; it takes the place of one with the same name."""
        with self._changing:
            self._timers[name] = data
            self._store().put(name, data)

    def forget_timer(self, name: str, data: Callable[[], bytes]) -> None:
        """Forget a timer, unless another one has taken its place."""
        with self._changing, suppress(OSError, RedisError, StoreError):
            if self._timers.get(name) == data():
                del self._timers[name]
                self._store().remove(name)

    def _try_to_restore(self, name: str, data: bytes) -> Session | None:
        """The session, or None when it cannot be loaded now: then it is among `unloaded`."""
        specs: list[Spec] = []
        try:
            stored = StoredSession.unpack(data)
            specs = stored.specs
            return self._restore(stored)
        except Exception as error:
            known = name in self.unloaded.data()
            log.error(
                "session %s cannot be loaded; its %d registrations wait for that: %r",
                *(name, len(specs), error),
                exc_info=None if known else error,
            )
            if not known:
                self.unloaded.add(name, data, specs)
                for spec in specs:
                    self.registration_ids.skip_to((to_number(spec.id) or 0) + 1)
            return None

    def _retry(self) -> None:
        """Load what could not be loaded, however often that takes."""
        pause = _RETRY_PAUSE
        while self.unloaded:
            time.sleep(pause)
            pause = min(pause * 2, _RETRY_LIMIT)
            for name, data in self.unloaded.data().items():
                try:
                    self._load_late(name, data)
                except Exception:  # Redis is away: the next turn, or another executor
                    log.exception("session %s is not loaded yet", name)

    def _load_late(self, name: str, data: bytes) -> None:
        with self.scripts:
            session = self._try_to_restore(name, data)
            if session is None:
                return
            with self._changing:
                if name in self.unloaded.data():  # else it was replaced meanwhile
                    self.sessions[name] = session
                    self._change(session.registrations.values(), (), loaded=[name])
                    self._load_timers(dict(self._resting))
                    log.info("session %s is loaded", name)

    def _restore(self, stored: StoredSession) -> Session:
        requirements = self.requirements.install(stored.requirements)
        self.requirements.activate(requirements)
        session = stored.restore(requirements, script_globals())
        for registration in session.registrations.values():
            self.registration_ids.skip_to((to_number(registration.id) or 0) + 1)
        if made := Script(self, session).call_on_registered():
            session.code += made
            self._store().put(session.id, session.pack())
        return session

    def forget_unloaded(self, registration_id: str) -> bool:
        """Remove the session of a registration that could not be loaded; tells whether there was one."""
        with self._changing:
            names = self.unloaded.named(registration_id)
            if names:
                self._store().update({}, names)
                self._change((), (), loaded=names)
            return bool(names)

    def _change(
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
                    lambda: Connection(self.address),
                    lambda records, r=registration: run.run_batch(self, r, records),  # type: ignore[misc]
                    write,
                    self.loops,
                )
        self.registry.change(add, remove)
        self.rules.watch(self.registry.keys_patterns())
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

    def _store(self) -> SessionStore:
        return SessionStore(self.blocking.connection(), self._seal, self._note)

    def _note(self, digest: bytes | None) -> None:
        self._stored = digest

    def store_again(self) -> None:
        """Store everything, where it is no longer; raises what the connection raises."""
        with self._changing:
            kept = {session.id: session.pack() for session in self.sessions.values()}
            kept |= self.unloaded.data() | self._timers
            if kept:
                kept[_STATE] = self._pack_state()
            try:
                self._store().update(kept)
            except StoreError as error:
                log.error("what is stored was replaced, and is stored again: %s", error)
                self._store().replace(kept)

    def keep_stored(self) -> None:
        """Store again what somebody took away, or put something else in its place; never returns."""
        while True:
            time.sleep(_KEEP_PAUSE)
            try:
                with self._changing:
                    if self._store().digest() != self._stored:
                        self.store_again()
                        self._stored = self._store().digest()
            except Exception as error:  # Redis is away, say, or refuses: there is a next turn
                log.warning("it cannot be seen whether all is stored: %r", error)

    def _store_state(self) -> None:
        with self._changing:
            self._store().put(_STATE, self._pack_state())

    def _pack_state(self) -> bytes:
        state: Mapping[str, Any] = {
            "extra": self.config.extra,
            "next_registration": self.registration_ids.next,
        }
        return pickle.dumps(state)
