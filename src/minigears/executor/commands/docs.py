"""What `COMMAND INFO` tells of `RG.*` commands."""

from __future__ import annotations

from typing import Any

from minigears.executor.replies import SimpleString

_NAMES = """
    abortexecution capture clearregistrationsstats configget configset dropexecution dumpexecutions dumpplugins
    dumpregistrations getexecution getresults getresultsblocking hello infocluster networktest pauseregistrations
    pydumpreqs pydumpsessions pyexecute pyexecuteremote pyexportreq pyfreeinterpreter pyimportreq pyprofile pystats
    refreshcluster trigger triggeronkey unpauseregistrations unregister
"""
NAMES = frozenset(_NAMES.split())

_READONLY = SimpleString("readonly")
_MODULE = SimpleString("module")


def command_info(name: str) -> list[Any] | None:
    """The element of the reply of `COMMAND INFO` for one name; None if there is no such command."""
    lower = name.lower()
    if lower.removeprefix("rg.") not in NAMES:
        return None
    flags = [_READONLY, _MODULE]
    if lower == "rg.triggeronkey":
        return [lower, -1, flags, 2, 2, 1, [], [], [_KEY], []]
    if lower == "rg.trigger":
        flags = [*flags, SimpleString("movablekeys")]
    return [lower, -1, flags, 0, 0, 0, [], [], [], []]


_KEY = [
    "flags",
    [SimpleString("RW"), SimpleString("access"), SimpleString("update")],
    "begin_search",
    ["type", "index", "spec", ["index", 2]],
    "find_keys",
    ["type", "range", "spec", ["lastkey", 0, "keystep", 1, "limit", 0]],
]
"""The key of `RG.TRIGGERONKEY`: its third word."""
