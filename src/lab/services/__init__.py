"""The three processes of the embedded stack, one module each."""

from __future__ import annotations

import importlib.util

from lab.services.base import Service
from lab.services.minigears import Minigears
from lab.services.redis import Redis
from lab.services.secantus import Secantus

SERVICES: dict[str, Service] = {"redis": Redis(), "minigears": Minigears(), "mongo": Secantus()}
"""The services in the order in which they start; they stop in the opposite order."""

if importlib.util.find_spec("minigears.executor.__main__") is None:
    del SERVICES["minigears"]

__all__ = ["SERVICES", "Service"]
