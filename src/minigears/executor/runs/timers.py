"""Timers: functions that run again and again. One with a key is a key: who deletes it stops the timer.

What a timer with a key calls is stored beside the sessions, so that it goes on after a restart.
"""

from __future__ import annotations

import logging
import pickle
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from minigears.executor import errors
from minigears.executor.errors import GearsError
from minigears.executor.flow.steps import Step
from minigears.executor.functions import is_function
from minigears.executor.redis.calls import plain
from minigears.executor.redis.connection import RedisError
from minigears.executor.script.pickling import pickle_code, unpickle_code
from minigears.executor.script.registrations import Session
from minigears.executor.usercode.calling import user_call
from minigears.executor.usercode.context import Context, current
from minigears.executor.usercode.log import write

if TYPE_CHECKING:
    from minigears.executor.gears import Gears

log = logging.getLogger(__name__)

STORED = "timer:"
"""What the names of stored timers begin with; no session's can."""

_SHORTEST = 0.01  # seconds; 0 would keep a processor busy
_AWAY = 1.0  # seconds until Redis is asked again


@dataclass(frozen=True)
class Timer:
    """What is called, how often (seconds), for whom; `mark` is the value of its key."""

    seconds: float
    callback: Callable[[], Any]
    session: Session
    key: str | None = None
    mark: str = ""

    def pack(self) -> bytes:
        """As it is stored; raises what pickling the function raises."""
        code = pickle_code({"": ([Step("map", (self.callback,))], None)})
        return pickle.dumps((self.seconds, code, self.session.id, self.key, self.mark))

    @classmethod
    def unpack(cls, data: bytes, sessions: dict[str, Session]) -> Timer:
        """From what `pack` returned."""
        seconds, code, session, key, mark = pickle.loads(data)
        owner = sessions.get(session) or Session(session)
        before = dict(owner.globals)
        steps, _ = unpickle_code(code, owner.globals)[""]
        owner.globals.update(before)  # what the session knows is newer
        return cls(seconds, steps[0].functions[0], owner, key, mark)


def begin(gears: Gears, seconds: int, callback: Callable[[], Any], key: Any = None) -> bool:
    """Start one for the code that runs now; false if its key is taken. Raises GearsError."""
    if not is_function(callback):
        raise GearsError("callback must be a function")
    if not isinstance(seconds, int) or seconds < 0:
        raise GearsError("time argument must be a long")
    session = Session.of(current.get())
    if session is None:
        raise GearsError("can not create time event on a python created thread")
    key = key if isinstance(key, str) else None  # as RedisGears has it, without a word
    timer = Timer(seconds, callback, session, key, f"minigears timer {secrets.token_hex(8)}")
    if key is not None:
        reply = gears.blocking.call(plain((b"SET", key.encode(), timer.mark.encode(), b"NX")))
        if isinstance(reply, RedisError):
            raise GearsError(str(reply))
        if reply is None:
            return False
        gears.store_timer(STORED + key, timer.pack())
    tick_later(gears, timer)
    return True


def tick_later(gears: Gears, timer: Timer, seconds: float | None = None) -> None:
    """Run it once its time has come."""
    wait = max(timer.seconds, _SHORTEST) if seconds is None else seconds
    thread = threading.Timer(wait, lambda: _watched(gears, timer))
    thread.daemon = True
    thread.start()


def _watched(gears: Gears, timer: Timer) -> None:
    """A tick that fails for want of memory, say, is told, and tried again."""
    try:
        _tick(gears, timer)
    except BaseException as error:
        gears.loops.failed(f"timer {timer.key or ''}", error)
        tick_later(gears, timer, _AWAY)


def _tick(gears: Gears, timer: Timer) -> None:
    there = _is_there(gears, timer)
    if there is None:
        tick_later(gears, timer, _AWAY)
    elif not there:
        gears.forget_timer(STORED + str(timer.key), timer.pack)
    elif _run(gears, timer):
        tick_later(gears, timer)


def _is_there(gears: Gears, timer: Timer) -> bool | None:
    """Whether its key is; None when Redis cannot say."""
    if timer.key is None:
        return True
    try:
        value = gears.blocking.call(plain((b"GET", timer.key.encode())))
    except OSError:
        return None
    if isinstance(value, RedisError):  # another type of key took its place, or Redis is loading
        return False if str(value).startswith("WRONGTYPE") else None
    return bool(value == timer.mark.encode())


def _run(gears: Gears, timer: Timer) -> bool:
    """Call it; one that raises is not called again."""
    context = Context(caller=gears.blocking, session=timer.session, settles=True)
    token = current.set(context)
    try:
        user_call(None)(timer.callback)
    except BaseException as error:
        write(f"a timer stops: {errors.render(error)}", "warning")
        return False
    finally:
        current.reset(token)
    return True
