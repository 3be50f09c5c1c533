"""Loading what is stored: once when the executor begins, and what failed then, again and again."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections.abc import Mapping

from minigears.executor.gears import STATE, Gears
from minigears.executor.ids import to_number
from minigears.executor.names import script_globals
from minigears.executor.runs import timers
from minigears.executor.script.registrations import Registration, Session, Spec
from minigears.executor.script.run import Script
from minigears.executor.script.stored import StoredSession

log = logging.getLogger(__name__)

_RETRY_PAUSE = 1.0  # seconds before a session is loaded again, doubled up to _RETRY_LIMIT
_RETRY_LIMIT = 60.0


class Restoring:
    """Brings sessions and timers from the store into `Gears`."""

    def __init__(self, gears: Gears):
        self._gears = gears
        self._resting: dict[str, bytes] = {}
        """Timers that could not be loaded, as they are stored."""

    def restore(self) -> None:
        """Load what is stored; a session that cannot be loaded stays stored and is left out."""
        stored = dict(self._gears.store().load())
        if stored and self._gears.seal.changed:
            self._gears.store().replace(stored)
        state = pickle.loads(stored.pop(STATE, pickle.dumps({})))
        ticking = {n: stored.pop(n) for n in list(stored) if n.startswith(timers.STORED)}
        self._gears.config.extra.update(state.get("extra", {}))
        self._gears.registration_ids.skip_to(state.get("next_registration", 0))
        loaded: list[Registration] = []
        for name, data in stored.items():
            session = self._try_to_restore(name, data)
            if session is not None:
                self._gears.sessions[name] = session
                loaded.extend(session.registrations.values())
        self._gears.change(loaded, ())
        self._load_timers(ticking)
        if self._gears.unloaded:
            threading.Thread(target=self._retry, name="minigears-unloaded", daemon=True).start()

    def _load_timers(self, stored: Mapping[str, bytes]) -> None:
        """Start timers; one that cannot be loaded now is tried again when a session was loaded late."""
        for name, data in stored.items():
            self._gears.timers[name] = data
            try:
                timer = timers.Timer.unpack(data, self._gears.sessions)
            except Exception:
                log.exception("timer %s cannot be loaded", name)
                self._resting[name] = data
            else:
                self._resting.pop(name, None)
                timers.tick_later(self._gears, timer)

    def _try_to_restore(self, name: str, data: bytes) -> Session | None:
        """The session, or None when it cannot be loaded now: then it is among `unloaded`."""
        specs: list[Spec] = []
        try:
            stored = StoredSession.unpack(data)
            specs = stored.specs
            return self._restore(stored)
        except Exception as error:
            known = name in self._gears.unloaded.data()
            log.error(
                "session %s cannot be loaded; its %d registrations wait for that: %r",
                *(name, len(specs), error),
                exc_info=None if known else error,
            )
            if not known:
                self._gears.unloaded.add(name, data, specs)
                for spec in specs:
                    self._gears.registration_ids.skip_to((to_number(spec.id) or 0) + 1)
            return None

    def _retry(self) -> None:
        """Load what could not be loaded, however often that takes."""
        pause = _RETRY_PAUSE
        while self._gears.unloaded:
            time.sleep(pause)
            pause = min(pause * 2, _RETRY_LIMIT)
            for name, data in self._gears.unloaded.data().items():
                try:
                    self._load_late(name, data)
                except Exception:  # Redis is away: the next turn, or another executor
                    log.exception("session %s is not loaded yet", name)

    def _load_late(self, name: str, data: bytes) -> None:
        with self._gears.scripts:
            session = self._try_to_restore(name, data)
            if session is None:
                return
            with self._gears.changing:
                if name in self._gears.unloaded.data():  # else it was replaced meanwhile
                    self._gears.sessions[name] = session
                    self._gears.change(session.registrations.values(), (), loaded=[name])
                    self._load_timers(dict(self._resting))
                    log.info("session %s is loaded", name)

    def _restore(self, stored: StoredSession) -> Session:
        requirements = self._gears.requirements.install(stored.requirements)
        self._gears.requirements.activate(requirements)
        session = stored.restore(requirements, script_globals())
        for registration in session.registrations.values():
            self._gears.registration_ids.skip_to((to_number(registration.id) or 0) + 1)
        if made := Script(self._gears, session).call_on_registered():
            session.code += made
            self._gears.store().put(session.id, session.pack())
        return session
