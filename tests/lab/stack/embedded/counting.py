"""Which processes a stack has."""

from __future__ import annotations

from pathlib import Path

from lab.stack.embedded import processes
from lab.stack.embedded import running as embedded


def pids() -> dict[str, int]:
    known = embedded.status().services
    return {name: service.proc.pid for name, service in known.items() if service.proc}


def count(home: Path, service: str) -> int:
    """How many processes of a service have no parent of the same stack: its starts."""
    found = processes.marked(home, service)
    ours = {process.pid for process in found}
    return sum(1 for process in found if process.ppid() not in ours)
