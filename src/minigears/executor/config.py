"""RedisGears's own configuration, and the values that users put beside it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minigears.executor import errors
from minigears.executor.replies import Error, SimpleString

_SAVED = SimpleString("OK - value was saved in extra config dictionary")


@dataclass(frozen=True)
class _Number:
    default: int
    runtime: bool = False
    least: int = 0


_NUMBERS = {
    "MaxExecutions": _Number(1000, runtime=True),
    "MaxExecutionsPerRegistration": _Number(100, runtime=True),
    "ProfileExecutions": _Number(0, runtime=True),
    "PythonAttemptTraceback": _Number(1, runtime=True),
    "OverridePythonAllocators": _Number(1),
    "DownloadDeps": _Number(0),
    "CreateVenv": _Number(0),
    "ExecutionThreads": _Number(3),
    "ExecutionMaxIdleTime": _Number(5000, runtime=True, least=1),
    "PythonInstallReqMaxIdleTime": _Number(30000, runtime=True, least=1),
    "SendMsgRetries": _Number(3, runtime=True),
}
"""Numbers, and whether `RG.CONFIGSET` may change them."""

_TEXTS: dict[str, Any] = {
    "DependenciesUrl": "http://redismodules.s3.amazonaws.com/redisgears/"
    "redisgears-python.Linux-debian12-x86_64.1.2.13.tgz",
    "DependenciesSha256": "0",
    "PythonInstallationDir": sys.prefix,
    "Plugin": [sys.executable],
}
"""What RedisGears tells of its plugin; here it describes the Python that minigears runs in."""

_NUMBER = re.compile(r"[0-9]{1,18}")
"""A number that is not negative and no longer than a reply can hold."""

_NAMES = {name.lower(): name for name in (*_NUMBERS, *_TEXTS)}


def _no_change(extra: Mapping[str, str]) -> None:
    """Nobody wants to know."""


@dataclass
class Config:
    """Values by name; names of RedisGears's own are matched without regard to case."""

    on_extra: Callable[[Mapping[str, str]], None] = _no_change
    """Called with all of the users' values when one of them changes."""
    extra: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(
        default_factory=lambda: {name: number.default for name, number in _NUMBERS.items()}
    )

    def number(self, name: str) -> int:
        """One of RedisGears's own numbers."""
        return self._numbers[name]

    def get(self, name: str) -> Any:
        """The reply for one name of `RG.CONFIGGET`."""
        own = _NAMES.get(name.lower())
        if own is None:
            unknown = Error(f"(error) Unsupported config parameter: {name}")
            return self.extra.get(name, unknown)
        return self._numbers[own] if own in self._numbers else _TEXTS[own]

    def set(self, name: str, value: str | None) -> Any:
        """The reply for one pair of `RG.CONFIGSET`; None: the value is missing."""
        own = _NAMES.get(name.lower())
        if own is None and value is not None:
            before, self.extra = self.extra, {**self.extra, name: value}
            try:
                self.on_extra(self.extra)
            except Exception:  # Redis does not store it, so it would not last
                self.extra = before
                raise
            return _SAVED
        if own in _TEXTS or (own in _NUMBERS and not _NUMBERS[own].runtime):
            return Error(f"(error) {own} is not configurable at runtime")
        number = int(value) if value is not None and _NUMBER.fullmatch(value) else -1
        if own is None or number < _NUMBERS[own].least:
            return Error(f"(error) Failed setting config value {own or name}")
        self._numbers[own] = number
        errors.show_traceback = bool(self._numbers["PythonAttemptTraceback"])
        return SimpleString("OK")
