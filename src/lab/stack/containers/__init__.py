"""The stack in containers: Redis with Gears, MongoDB and, when asked for, RedisInsight.

Docker itself is the memory of what runs: everything carries labels that name the stack's folder,
so a later notebook, or `lab down` after a crash, finds it again and touches nothing else.
"""

from __future__ import annotations

from lab.stack.containers.making import HOME
from lab.stack.containers.running import (
    Running,
    down,
    kill,
    log_command,
    start,
    status,
    stop,
    up,
)

__all__ = ["HOME", "Running", "down", "kill", "log_command", "start", "status", "stop", "up"]
