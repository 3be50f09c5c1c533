"""Executions that are started and asked about."""

from __future__ import annotations

from tests.minigears.executor.fakedoor import FakeDoor


def plan(door: FakeDoor, execution: bytes) -> list:
    return door.call("RG.GETEXECUTION", execution)[0][3]


def status(door: FakeDoor, execution: bytes) -> bytes:
    return plan(door, execution)[1]


def start(door: FakeDoor, script: str) -> bytes:
    return door.script(script, "UNBLOCKING")
