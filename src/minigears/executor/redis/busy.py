"""A Redis that a script keeps busy refuses all else.

Functions of RedisGears run when no script does, so none of them is ever told.
"""

from __future__ import annotations

import time
from typing import Any

from minigears.executor.redis.connection import RedisError

_REFUSAL = " is busy running a script"
"""In the words of Redis and of Valkey."""
_PAUSE = 0.01  # seconds


def is_refused_for_now(result: Any) -> bool:
    """Whether a call has to be sent again, as Redis was busy: its result, or one of its results, says so."""
    if isinstance(result, list):
        return RedisError in map(type, result) and any(map(is_refused_for_now, result))
    return type(result) is RedisError and _REFUSAL in str(result)


def pause() -> None:
    """Before it is sent again."""
    time.sleep(_PAUSE)
