"""What each service tells the stack about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from lab import paths
from lab.stack import ports

PATIENCE = 5.0
"""Seconds for a service that runs to answer. One that takes longer is taken for hung, and ended."""


class Service(ABC):
    """One process of the embedded stack: how it is started and how one knows that it is ready."""

    name: ClassVar[str]
    """What learners call it: `lab.stop("mongo")`."""

    title: ClassVar[str]
    """What it is called in tables and messages."""

    default_port: ClassVar[int]
    """The port that it gets when that is free and the environment names no other."""

    needs: ClassVar[tuple[str, ...]] = ()
    """The services that must be ready before it starts, and without which it cannot answer."""

    keeps_data: ClassVar[bool] = True
    """Whether it has a folder of its own in the stack's, named like it."""

    stop_seconds: ClassVar[float] = 10.0
    """How long it may take to end in order before it is killed."""

    @property
    def preferred_port(self) -> int:
        """The port to try first: `LAB_PORT_REDIS` and its like, else the default."""
        return ports.preferred(f"LAB_PORT_{self.name.upper()}", self.default_port)

    @abstractmethod
    def argv(self, home: Path, port: int) -> list[str]:
        """Return the words of its command line. Raises Unsupported where it cannot run."""

    @abstractmethod
    def ping(self, home: Path, port: int) -> None:
        """Ask whether it answers, for `PATIENCE` seconds at most. Raises when it does not."""

    def env(self) -> dict[str, str]:
        """Return the environment variables that it needs besides the kernel's."""
        return {}

    def prepare(self, home: Path) -> None:  # noqa: B027  (most need nothing)
        """Make the folders and files that it needs before it starts."""

    def recover(self, home: Path) -> None:  # noqa: B027  (most do it themselves)
        """Put right what its crash has left of its data, which nobody else uses now."""

    def data(self, home: Path) -> Path:
        """Return the folder of its data, where it keeps any."""
        return home / self.name

    def holder(self, home: Path) -> str | None:
        """Name the process that answers for its data, although this stack's does not run."""
        return None

    def log(self, home: Path) -> Path:
        """Return the file that its output goes to."""
        return paths.logs(home) / f"{self.name}.log"
