"""What the notebooks import: the stack, the movies, live views, load, checks.

Names are looked up when they are first used, so that a small command (`redis-cli`) does not wait
for drivers and plots that it never touches.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.cells.load import LoadResult, load, per_second
    from lab.cells.plots import (
        plot_bars,
        plot_lag,
        plot_latency,
        plot_latency_over_time,
        plot_peaks,
        show,
    )
    from lab.cells.prepare import prepare, run_gears
    from lab.cells.recording import record
    from lab.cells.terminal import sh
    from lab.cells.timemachine import Recording
    from lab.cells.waiting import wait_until
    from lab.cells.watch import watch
    from lab.checks import check, hint, solution
    from lab.checkup.machine import doctor
    from lab.course.movies import load_movies
    from lab.course.predicting import predict
    from lab.course.quizzing import quiz
    from lab.course.snapshot import Snapshot
    from lab.course.twelve import twelve
    from lab.errors import CommandFailed, LabError, PortTaken, StartFailed, Unsupported, WaitTimeout
    from lab.stack.containers.images import container_images
    from lab.stack.lifecycle import current, down, kill, reset, start, status, stop, up
    from lab.stack.model import Stack, Status
    from lab.stack.ondemand.cluster import Cluster, cluster
    from lab.stack.ondemand.kafka import kafka
    from lab.stack.ondemand.postgresql import postgres
    from lab.tools.movieapp import app

_HOMES = {
    "checks": "check hint solution",
    "checkup.machine": "doctor",
    "stack.ondemand.cluster": "Cluster cluster",
    "course.predicting": "predict",
    "course.quizzing": "quiz",
    "errors": "CommandFailed LabError PortTaken StartFailed Unsupported WaitTimeout",
    "stack.containers.images": "container_images",
    "stack.lifecycle": "current down kill reset start status stop up",
    "cells.watch": "watch",
    "tools.movieapp": "app",
    "course.movies": "load_movies",
    "cells.load": "LoadResult load per_second",
    "cells.plots": "plot_bars plot_lag plot_latency plot_latency_over_time plot_peaks show",
    "stack.ondemand.kafka": "kafka",
    "stack.ondemand.postgresql": "postgres",
    "cells.recording": "record",
    "course.snapshot": "Snapshot",
    "course.twelve": "twelve",
    "stack.model": "Stack Status",
    "cells.prepare": "prepare run_gears",
    "cells.terminal": "sh",
    "cells.timemachine": "Recording",
    "cells.waiting": "wait_until",
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
    "container_images",
    "current",
    "doctor",
    "down",
    "hint",
    "kafka",
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
    "predict",
    "prepare",
    "quiz",
    "record",
    "reset",
    "run_gears",
    "sh",
    "show",
    "solution",
    "start",
    "status",
    "stop",
    "twelve",
    "up",
    "wait_until",
    "watch",
]


def load_ipython_extension(shell: Any) -> None:
    """Register the magics; called by `%load_ext lab`."""
    importlib.import_module("lab.cells.magics").load_ipython_extension(shell)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lab' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"lab.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
