"""The three processes of the embedded stack, one module each."""

from __future__ import annotations

from lab.services.base import Service
from lab.services.minigears import Minigears
from lab.services.redis import Redis
from lab.services.secantus import Secantus

SERVICES: dict[str, Service] = {"redis": Redis(), "minigears": Minigears(), "mongo": Secantus()}
"""The services in the order in which they start; they stop in the opposite order."""

__all__ = ["SERVICES", "Service"]
