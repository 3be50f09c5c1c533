"""A stack that only a benchmark has: in a temporary folder, on ports of its own, gone at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lab
from lab.stack import ports


@contextmanager
def own_stack() -> Iterator[lab.Stack]:
    """The embedded stack, whichever one the environment names; `lab` knows no other meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"LAB_HOME": str(Path(folder) / "lab"), "LAB_STACK": "embedded"}
        for number, name in enumerate(("MINIGEARS", "REDIS", "MONGO")):
            os.environ[f"LAB_PORT_{name}"] = str(ports.next_free(21000 + 100 * number))
        try:
            yield lab.up()
        finally:
            lab.down(data=True)
