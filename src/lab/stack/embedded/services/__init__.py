"""The three processes of the embedded stack, one module each."""

from __future__ import annotations

from lab.stack.embedded.services.base import Service
from lab.stack.embedded.services.minigears import Minigears
from lab.stack.embedded.services.redis import Redis
from lab.stack.embedded.services.secantus import Secantus

SERVICES: dict[str, Service] = {"redis": Redis(), "minigears": Minigears(), "mongo": Secantus()}
"""The services in the order in which they start; they stop in the opposite order."""

__all__ = ["SERVICES", "Service"]
