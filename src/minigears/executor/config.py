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
_INT64 = 2**63


@dataclass(frozen=True)
class _Number:
    """A number, the smallest that it may be, and whether `RG.CONFIGSET` may change it."""

    default: int
    runtime: bool = False
    least: int | None = None


_NUMBERS = {
    "MaxExecutions": _Number(1000, runtime=True),
    "MaxExecutionsPerRegistration": _Number(100, runtime=True),
    "ProfileExecutions": _Number(0, runtime=True),
    "ExecutionThreads": _Number(3),
    "ExecutionMaxIdleTime": _Number(5000, runtime=True, least=1),
    "SendMsgRetries": _Number(3, runtime=True, least=0),
}
"""RedisGears's own. `RG.CONFIGSET` finds them without regard to case, `RG.CONFIGGET` does not."""

_SWITCHES = {
    "PythonAttemptTraceback": _Number(1, runtime=True),
    "OverridePythonAllocators": _Number(1),
    "DownloadDeps": _Number(0),
    "ForeceDownloadDepsOnEnterprise": _Number(0),
    "CreateVenv": _Number(0),
}
"""Numbers of its Python plugin that count as 0 or 1."""

_OF_PLUGIN = {**_SWITCHES, "PythonInstallReqMaxIdleTime": _Number(30000, runtime=True, least=1)}
"""Numbers of the plugin: they are kept among the users' values, too, when they are changed."""

_TEXTS_OF_PLUGIN: dict[str, Any] = {
    "DependenciesUrl": "http://redismodules.s3.amazonaws.com/redisgears/"
    "redisgears-python.Linux-debian12-x86_64.1.2.13.tgz",
    "DependenciesSha256": "0",
    "PythonInstallationDir": sys.prefix,
}
_TEXTS: dict[str, Any] = {**_TEXTS_OF_PLUGIN, "Plugin": [sys.executable]}
"""What RedisGears tells of its plugin; here it describes the Python that minigears runs in."""

_NUMBER = re.compile(r"-?[1-9][0-9]{0,18}|0")
"""As Redis reads a number."""

_OWN = {name.lower(): name for name in (*_NUMBERS, "Plugin")}


def _no_change(extra: Mapping[str, str]) -> None:
    """Nobody wants to know."""


@dataclass
class Config:
    """Values by name."""

    on_extra: Callable[[Mapping[str, str]], None] = _no_change
    """Called with all of the users' values when one of them changes."""
    extra: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(
        default_factory=lambda: {
            name: number.default for name, number in (_NUMBERS | _OF_PLUGIN).items()
        }
    )

    def number(self, name: str) -> int:
        """One of RedisGears's own numbers."""
        return self._numbers[name]

    def get(self, name: str) -> Any:
        """The reply for one name of `RG.CONFIGGET`."""
        if name in self._numbers:
            return self._numbers[name]
        unknown = Error(f"(error) Unsupported config parameter: {name}")
        return _TEXTS[name] if name in _TEXTS else self.extra.get(name, unknown)

    def set(self, name: str, value: str | None) -> Any:
        """The reply for one pair of `RG.CONFIGSET`; None: the value is missing."""
        if name.lower() in _OWN:
            return self._set_own(name, _OWN[name.lower()], value)
        if value is None:
            return Error(f"(error) Value was not given to {name}")
        if name in _TEXTS_OF_PLUGIN or (name in _OF_PLUGIN and not _OF_PLUGIN[name].runtime):
            return Error(f"(error) {name} is not configurable at runtime")
        number = _read(value, _OF_PLUGIN[name]) if name in _OF_PLUGIN else 0
        if number is None:
            return Error(f"Failed setting config value for key '{name}' with value '{value}'")
        self._keep(name, value)
        if name in _OF_PLUGIN:
            self._numbers[name] = int(number != 0) if name in _SWITCHES else number
            errors.show_traceback = bool(self._numbers["PythonAttemptTraceback"])
        return _SAVED

    def _set_own(self, given: str, name: str, value: str | None) -> Any:
        if name not in _NUMBERS or not _NUMBERS[name].runtime:
            return Error(f"(error) Config value {given} not modifiable at runtime")
        number = None if value is None else _read(value, _NUMBERS[name])
        if number is None:
            return Error(f"(error) Failed setting config value {given}")
        self._numbers[name] = number
        return SimpleString("OK")

    def _keep(self, name: str, value: str) -> None:
        before, self.extra = self.extra, {**self.extra, name: value}
        try:
            self.on_extra(self.extra)
        except Exception:  # Redis does not store it, so it would not last
            self.extra = before
            raise


def _read(value: str, number: _Number) -> int | None:
    """The number, if it is one that this setting may have."""
    read = int(value) if _NUMBER.fullmatch(value) else None
    if read is None or not -_INT64 <= read < _INT64:
        return None
    return read if number.least is None or read >= number.least else None
