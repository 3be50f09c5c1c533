"""One movie app a stack, in a shell or in a notebook; a second one is told where the first is.

Each way of writing takes the recipes of the others away: a second app would not see that nobody
carries its writes any more.
"""

from __future__ import annotations

import filelock

from lab import paths
from lab.errors import Mendable
from lab.stack.model import Stack


class OneApp:
    """A stack's only app, until `ended` is called or the process ends."""

    def __init__(self, stack: Stack) -> None:
        """Raises Mendable, with the address of the other one, when this stack has an app."""
        paths.home().mkdir(parents=True, exist_ok=True)
        file = paths.home() / f"movieapp-{stack.kind}.lock"
        self._address = file.with_suffix(".url")
        self._lock = filelock.FileLock(file, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise Mendable(
                f"A movie app of this stack {self._told()}",
                "Open that one in a second tab, or end it: in a shell with Ctrl-C, in a notebook "
                "with app.stop()",
            ) from None
        self._address.unlink(missing_ok=True)

    def _told(self) -> str:
        try:
            return f"runs already, at {self._address.read_text(encoding='utf-8')}"
        except FileNotFoundError:
            return "is just starting"

    def is_at(self, url: str) -> None:
        """Keep the address for whoever comes second."""
        self._address.write_text(url, encoding="utf-8")

    def ended(self) -> None:
        """Let another one begin."""
        self._lock.release()
