"""Commands about registrations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minigears.executor.ids import SHARD
from minigears.executor.replies import OK, CommandError
from minigears.executor.script.registrations import Registration
from minigears.executor.streams import StreamReaderRunner

if TYPE_CHECKING:
    from minigears.executor.gears import Gears
    from minigears.executor.script.run import Script
    from minigears.executor.usercode.context import Context

_THREAD_POOL = ["ExecutionThreadPool", "DefaultPool"]


def dump(gears: Gears, words: list[bytes]) -> Any:
    """`RG.DUMPREGISTRATIONS`: clients index the 12 elements of each by position."""
    staying = [r for r in gears.registry if not r.leaving]
    return [[*r.describe(), "PD", r.session.literal(), *_THREAD_POOL] for r in staying]


def dump_one(registration: Registration) -> list[Any]:
    """A registration inside `RG.PYDUMPSESSIONS VERBOSE`."""
    return [*registration.describe(), *_THREAD_POOL]


def unregister(gears: Gears, words: list[bytes]) -> Any:
    """`RG.UNREGISTER id [ABORTPENDING]`."""
    if not gears.forget_unloaded(words[0].decode("utf-8", "replace")):
        gears.unregister([_leaving(gears, words)])
    return OK


def unregister_inside(gears: Gears, words: list[bytes], context: Context) -> Any:
    """`RG.UNREGISTER` called by a function, whose own run goes on to its end."""
    gears.unregister([_leaving(gears, words)], spared=context.execution)
    return OK


def unregister_in_script(gears: Gears, words: list[bytes], script: Script) -> Any:
    """`RG.UNREGISTER` called by a script: it takes effect when the script has ended.

    A script that takes out an older version of itself registers the new one at its end. RedisGears
    runs nothing meanwhile; here clients go on writing, and one of the two has to be in force.
    """
    registration, abort_pending = _leaving(gears, words)
    registration.leaving = True
    script.unregistered.append((registration, abort_pending))
    return OK


def _leaving(gears: Gears, words: list[bytes]) -> tuple[Registration, bool]:
    """The registration to take out, and whether what it runs is aborted."""
    registration = gears.registry.get(words[0].decode("utf-8", "replace"))
    if registration is None or registration.leaving:
        raise CommandError("execution is not registered")
    return registration, len(words) > 1 and words[1].upper() == b"ABORTPENDING"


def pause(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PAUSEREGISTRATIONS id`."""
    if words[0].upper() == b"ABORTPENDING":  # an option, for which there is no room beside an id
        raise CommandError("ERR no registration to pause")
    _runner(gears, words[0], "pause").pause()
    return OK


def unpause(gears: Gears, words: list[bytes]) -> Any:
    """`RG.UNPAUSEREGISTRATIONS id`."""
    _runner(gears, words[0], "unpause").unpause()
    return OK


def clear_stats(gears: Gears, words: list[bytes]) -> Any:
    """`RG.CLEARREGISTRATIONSSTATS`."""
    for registration in gears.registry:
        registration.stats.clear()
    return OK


def _runner(gears: Gears, word: bytes, verb: str) -> StreamReaderRunner:
    name = word.decode("utf-8", "replace")
    registration = gears.registry.get(name)
    if registration is None:
        raise CommandError(f"Execution {name} does not exists on shard {SHARD}")
    if registration.runner is None:
        raise CommandError(f"Reader {registration.spec.reader} does not support {verb}")
    return registration.runner
