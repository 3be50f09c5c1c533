"""What the notebooks import: the stack, the movies, live views, load, checks.

Names are looked up when they are first used, so that a small command (`redis-cli`) does not wait
for drivers and plots that it never touches.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.errors import (
        CommandFailed,
        LabError,
        PortTaken,
        StartFailed,
        Unsupported,
        WaitTimeout,
    )
    from lab.lifecycle import current, down, kill, reset, start, status, stop, up
    from lab.stack import Stack, Status

_HOMES = {
    "errors": ("CommandFailed LabError PortTaken StartFailed Unsupported WaitTimeout"),
    "lifecycle": "current down kill reset start status stop up",
    "stack": "Stack Status",
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "CommandFailed",
    "LabError",
    "PortTaken",
    "Stack",
    "StartFailed",
    "Status",
    "Unsupported",
    "WaitTimeout",
    "current",
    "down",
    "kill",
    "reset",
    "start",
    "status",
    "stop",
    "up",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lab.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
