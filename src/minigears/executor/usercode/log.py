"""Log lines of the executor: what user code logs, and what we have to say."""

from __future__ import annotations

import logging

LEVELS = ("debug", "verbose", "notice", "warning")
"""Redis's levels, the least important first."""

_PYTHON_LEVELS = dict(
    zip(LEVELS, (logging.DEBUG, logging.INFO, logging.INFO, logging.WARNING), strict=True)
)
_log = logging.getLogger("minigears.gears")


def write(message: str, level: str = "notice") -> None:
    """Write one line; `level` is one of LEVELS."""
    _log.log(_PYTHON_LEVELS[level], "GEARS: %s", message)
