"""Commands about the server itself."""

from __future__ import annotations

import io
import pstats
import resource
import sys
from typing import TYPE_CHECKING, Any

from minigears.executor.replies import OK, CommandError

if TYPE_CHECKING:
    from minigears.executor.gears import Gears

_VERSION = 10000
"""Version 1.0.0 of RedisGears's Python plugin."""


def dump_plugins(gears: Gears, words: list[bytes]) -> Any:
    """`RG.DUMPPLUGINS`."""
    return [["GearsPythonPlugin", _VERSION]]


def hello(gears: Gears, words: list[bytes]) -> Any:
    """`RG.HELLO`: shards say it to each other; there is no cluster."""
    raise CommandError("ERRCLUSTER NULL cluster state on hello msg")


def info_cluster(gears: Gears, words: list[bytes]) -> Any:
    """`RG.INFOCLUSTER`."""
    return "no cluster mode"


def network_test(gears: Gears, words: list[bytes]) -> Any:
    """`RG.NETWORKTEST`: a word to all other shards, of which there are none."""
    return OK


def execute_remote(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PYEXECUTEREMOTE`."""
    return "Execute remote is not longer supported"


def free_interpreter(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PYFREEINTERPRETER`."""
    return "Free interpreter is not longer supported"


def refresh_cluster(gears: Gears, words: list[bytes]) -> Any:
    """`RG.REFRESHCLUSTER`."""
    return OK


def stats(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PYSTATS`: bytes of memory of this process, which is Python and nothing else."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    now = _resident(peak)
    return ["TotalAllocated", peak, "PeakAllocated", peak, "CurrAllocated", now]


def profile(gears: Gears, words: list[bytes]) -> Any:
    """`RG.PYPROFILE STATS session [order]` and `RG.PYPROFILE RESET session`."""
    action = words[0].upper()
    if action not in (b"STATS", b"RESET"):
        raise CommandError("Wrong subcommand given to RG.PYPROFILE")
    if not 2 <= len(words) <= (3 if action == b"STATS" else 2):
        raise CommandError("ERR wrong number of arguments for 'rg.pyprofile' command")
    name = words[1].decode("utf-8", "replace")
    session = gears.sessions.get(name)
    if session is None:
        raise CommandError("session does not exists")
    if action == b"RESET":
        session.profiler.reset()
        return OK
    order = words[2].decode("utf-8", "replace") if len(words) > 2 else "tottime"
    return _report(session.profiler.profile, order)


def _report(profile: Any, order: str) -> str:
    text = io.StringIO()
    profile.create_stats()
    if not profile.stats:
        raise CommandError("No profile information: RG.CONFIGSET ProfileExecutions 1 gathers some")
    report = pstats.Stats(profile, stream=text)
    try:
        report.sort_stats(order)
    except KeyError:
        raise CommandError(f"Unknown order {order}") from None
    report.print_stats()
    report.print_callers()
    report.print_callees()
    return text.getvalue()


def _resident(otherwise: int) -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - read in one go, no path to handle
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return otherwise
