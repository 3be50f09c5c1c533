"""What every registration counts and remembers of its runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(kw_only=True)
class Counts:
    """Of one registration; its number tells what is its own from what is others'."""

    number: int
    mode: str
    id: str = ""
    triggered: int = 0
    failures: int = 0
    last_error: str | None = None

    def shown(self, *args: object) -> dict[str, Any]:
        """What RG.DUMPREGISTRATIONS has of it, with these arguments of `register`."""
        return {
            "desc": f"r{self.number}",
            "mode": self.mode,
            "numTriggered": self.triggered,
            "numSuccess": self.triggered - self.failures,
            "numFailures": self.failures,
            "numAborted": 0,
            "failed": self.last_error,
            "args": list(args),
        }
