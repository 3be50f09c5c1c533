"""What the notebooks import: the stack, the movies, live views, load, checks."""

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
