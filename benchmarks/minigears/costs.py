"""Processor time of the processes of a stack, for each operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Cost:
    """What one operation took."""

    rate: float
    """Operations a second, of all clients."""
    door: float
    """Microseconds of processor time in the door …"""
    executor: float
    redis: float

    @property
    def total(self) -> float:
        """Microseconds in all servers."""
        return self.door + self.executor + self.redis


class Servers:
    """The processes of one stack whose time counts."""

    def __init__(self, front: int, back: int):
        self.front, self.back = front, back
        self._door = psutil.Process(_listener(front))
        (self._executor,) = self._door.children()
        self._redis = psutil.Process(_listener(back))

    def cost(self, run: Callable[[], float], operations: int) -> Cost:
        """What `run`, which returns a rate, takes for each of its operations."""
        before = self._times()
        rate = run()
        spent = [(b - a) * 1e6 / operations for a, b in zip(before, self._times(), strict=True)]
        return Cost(rate, *spent)

    def _times(self) -> list[float]:
        return [
            sum(process.cpu_times()[:2]) for process in (self._door, self._executor, self._redis)
        ]


def _listener(port: int) -> int:
    (pid,) = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
    }
    assert pid is not None
    return int(pid)
