"""The names that scripts see, and the module `redisgears` that offers them to imported packages."""

from __future__ import annotations

import asyncio
import builtins
import copy
import cProfile
import functools
import io
import itertools
import logging
import operator
import pickle
import pstats
import struct
import sys
import threading
import traceback
import types
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from minigears.executor import api, errors
from minigears.executor.errors import GearsError, GearsFlatError
from minigears.executor.script.builder import GearsBuilder
from minigears.executor.script.flatexecution import PyFlatExecution, gearsCtx
from minigears.executor.script.pickling import SCRIPT
from minigears.executor.usercode import redisai
from minigears.executor.usercode.awaited import GearsFuture
from minigears.executor.usercode.context import Acting
from minigears.executor.usercode.futures import AsyncRecord
from minigears.executor.usercode.log import write

if TYPE_CHECKING:
    from minigears.executor.gears import Gears


def install(gears: Gears) -> None:
    """Make `redisgears` and `gears` importable; their functions act on `gears`."""
    api.act_on(gears)
    errors.install_module()
    module = types.ModuleType("redisgears", "What packages inside RedisGears may call.")
    module.__dict__.update(_NAMES)
    module.__dict__.update(_ONLY_IN_MODULE)
    sys.modules["redisgears"] = module
    redisai.install_module()


def script_globals() -> dict[str, Any]:
    """A fresh set of the global names that a script sees."""
    module = sys.modules["redisgears"]
    own = {"__name__": SCRIPT, "__builtins__": builtins}
    return {**own, **_LIBRARY, **_NAMES, "redisgears": module, "rg": module}


_MODULES = (asyncio, cProfile, copy, io, itertools, logging, operator, pickle, pstats, struct)

_LIBRARY: dict[str, Any] = {
    **{module.__name__: module for module in (*_MODULES, sys, traceback, types, weakref)},
    "Future": asyncio.Future,
    "StringIO": io.StringIO,
    "Thread": threading.Thread,
    "partial": functools.partial,
    "str": str,
}
"""Names of the standard library that RedisGears's script sees without importing them."""

_NAMES: dict[str, Any] = {
    "GB": GearsBuilder,
    "GearsBuilder": GearsBuilder,
    "GearsFuture": GearsFuture,
    "GearsSession": api.GearsSession,
    "PyFlatExecution": PyFlatExecution,
    "atomic": api.atomic,
    "callNext": api.call_next,
    "call_next": api.call_next,
    "configGet": api.configGet,
    "createFuture": api.createFuture,
    "createKeysOnlyReader": api.createKeysOnlyReader,
    "execute": api.execute,
    "executeCommand": api.execute,
    "flat_error": api.flat_error,
    "gearsConfigGet": api.gearsConfigGet,
    "gearsCtx": gearsCtx,
    "gearsFuture": api.gearsFuture,
    "getCommand": api.get_command,
    "getGearsSession": api.getGearsSession,
    "getMyHashTag": api.hashtag,
    "get_command": api.get_command,
    "hashtag": api.hashtag,
    "isAsyncAllow": api.isAsyncAllow,
    "isInAtomicBlock": api.isInAtomicBlock,
    "log": api.log,
    "overrideReply": api.override_reply,
    "override_reply": api.override_reply,
    "registerGearsThread": api.registerGearsThread,
    "registerTE": api.registerTE,
    "registerTimeEvent": api.registerTE,
    "runCoroutine": api.runCoroutine,
    "setFutureException": api.setFutureException,
    "setFutureResults": api.setFutureResults,
    "setGearsSession": api.setGearsSession,
    "shardReaderCallback": api.shardReaderCallback,
}

_ONLY_IN_MODULE: dict[str, Any] = {
    "GearsError": GearsError,
    "GearsFlatError": GearsFlatError,
    "GearsForceStopped": errors.ForceStopped,
    "PyAtomic": api.atomic,
    "PyExecutionSession": Acting,
    "Future": AsyncRecord,  # as it says itself that it is called
    "PyFuture": AsyncRecord,
    "atomicCtx": api.atomic,
    "config_get": api.configGet,
    "flatError": api.flat_error,
    "gearsFutureCtx": api.gearsFuture,
}
"""What packages find in `redisgears`, and scripts not among their globals."""


def _deprecated(old: str, new: str) -> Callable[..., Any]:
    """The same function under the name that it had once, which says so in the log."""

    def method(*arguments: Any, **named: Any) -> Any:
        write(f"{old} is deprecated, use {new} instead", "warning")
        return _NAMES[new](*arguments, **named)

    method.__name__ = method.__qualname__ = old
    return method


for _old, _new in (
    ("Log", "log"),
    ("ConfigGet", "configGet"),
    ("GearsConfigGet", "gearsConfigGet"),
):
    _NAMES[_old] = _deprecated(_old, _new)

# So that pickled code refers to them by that name.
for _function in set(_NAMES.values()) - {GearsBuilder}:
    _function.__module__ = "redisgears"

for _class, _name in (
    (AsyncRecord, "Future"),
    (Acting, "PyExecutionSession"),
    (api.atomic, "PyAtomic"),
):
    _class.__module__, _class.__name__, _class.__qualname__ = "redisgears", _name, _name
