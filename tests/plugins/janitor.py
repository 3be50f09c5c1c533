"""Cleans up after a test run, however the run ends.

A process of its own. It waits until its standard input closes, which the system does for a run
that ends, fails, is interrupted or is killed. Then it ends every process of the run, removes its
containers, networks and volumes, and deletes the run's folder.

Usage: python janitor.py FOLDER
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import psutil

import docker

HOME = "write-behind.lab.home"
"""The label of the lab's containers, networks and volumes: the folder of their stack."""

PROJECT = "com.docker.compose.project"
"""The label of compose's; a test's project is called like the run's folder."""

MARK = "WRITE_BEHIND_TEST_RUN"
"""The environment variable that every process of a run inherits; its value is the run's folder."""


def belongs(process: psutil.Process, folder: Path) -> bool:
    """Tell whether a process was started by the run in `folder`.

    By its environment; and by its working directory, because redis-server writes its title over
    the environment that others can read. Another user's process belongs to no run.
    """
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get(MARK) == str(folder):
            return True
        return folder in (cwd := Path(process.cwd())).parents or cwd == folder
    except (psutil.Error, OSError):
        return False


def processes(folder: Path) -> list[psutil.Process]:
    """Return the living processes of the run in `folder`, but for this one and its ancestors."""
    family = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [p for p in psutil.process_iter() if p.pid not in family and belongs(p, folder)]


def docker_things(folder: Path) -> list[Any]:
    """Return the containers, networks and volumes of the run: of its stacks, and of its compose."""
    try:
        client = docker.from_env()
        kinds = (
            client.containers.list(all=True, ignore_removed=True),
            client.networks.list(),
            client.volumes.list(),
        )
    except (docker.errors.DockerException, OSError):
        return []  # no Docker, so nothing of the run is there
    return [thing for found in kinds for thing in found if _is_of(folder, thing)]


def _is_of(folder: Path, thing: Any) -> bool:
    labels = thing.attrs.get("Labels") or thing.attrs.get("Config", {}).get("Labels") or {}
    home, project = labels.get(HOME, ""), labels.get(PROJECT)
    return home.startswith(f"{folder}/") or project == folder.name


def remove(thing: Any) -> None:
    """Remove a container, with its volumes that have no name, or a network, or a volume."""
    how: dict[str, bool] = {"force": True}
    if isinstance(thing, docker.models.containers.Container):
        how["v"] = True  # and its volumes without a name
    elif isinstance(thing, docker.models.networks.Network):
        how = {}
    with contextlib.suppress(docker.errors.APIError):
        thing.remove(**how)


def clean(folder: Path) -> None:
    """End the run's processes, new ones that they start meanwhile too, and delete its folder."""
    while left := processes(folder):
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=5)
    for thing in docker_things(folder):  # containers come first: the others are free then
        remove(thing)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.buffer.read()
    clean(Path(sys.argv[1]))
