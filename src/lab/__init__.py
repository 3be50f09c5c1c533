"""What the notebooks import: the stack, the movies, live views, load, checks.

Names are looked up when they are first used, so that a small command (`redis-cli`) does not wait
for drivers and plots that it never touches.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.checks import check, hint, solution
    from lab.checkup import doctor
    from lab.errors import CommandFailed, LabError, PortTaken, StartFailed, Unsupported, WaitTimeout
    from lab.lifecycle import current, down, kill, reset, start, status, stop, up
    from lab.liveview import watch
    from lab.movieapp import app
    from lab.movies import load_movies
    from lab.openloop import LoadResult, load, per_second
    from lab.plots import (
        plot_bars,
        plot_lag,
        plot_latency,
        plot_latency_over_time,
        plot_peaks,
        show,
    )
    from lab.postgresql import postgres
    from lab.recording import record
    from lab.rediscluster import Cluster, cluster
    from lab.snapshot import Snapshot
    from lab.stack import Stack, Status
    from lab.states import prepare, run_gears
    from lab.terminal import sh
    from lab.timemachine import Recording
    from lab.waiting import wait_until

_HOMES = {
    "checks": "check hint solution",
    "checkup": "doctor",
    "rediscluster": "Cluster cluster",
    "errors": "CommandFailed LabError PortTaken StartFailed Unsupported WaitTimeout",
    "lifecycle": "current down kill reset start status stop up",
    "liveview": "watch",
    "movieapp": "app",
    "movies": "load_movies",
    "openloop": "LoadResult load per_second",
    "plots": "plot_bars plot_lag plot_latency plot_latency_over_time plot_peaks show",
    "postgresql": "postgres",
    "recording": "record",
    "snapshot": "Snapshot",
    "stack": "Stack Status",
    "states": "prepare run_gears",
    "terminal": "sh",
    "timemachine": "Recording",
    "waiting": "wait_until",
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [
    "Cluster",
    "CommandFailed",
    "LabError",
    "LoadResult",
    "PortTaken",
    "Recording",
    "Snapshot",
    "Stack",
    "StartFailed",
    "Status",
    "Unsupported",
    "WaitTimeout",
    "app",
    "check",
    "cluster",
    "current",
    "doctor",
    "down",
    "hint",
    "kill",
    "load",
    "load_movies",
    "per_second",
    "plot_bars",
    "plot_lag",
    "plot_latency",
    "plot_latency_over_time",
    "plot_peaks",
    "postgres",
    "prepare",
    "record",
    "reset",
    "run_gears",
    "sh",
    "show",
    "solution",
    "start",
    "status",
    "stop",
    "up",
    "wait_until",
    "watch",
]


def load_ipython_extension(shell: Any) -> None:
    """Register the magics; called by `%load_ext lab`."""
    importlib.import_module("lab.magics").load_ipython_extension(shell)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lab.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
