"""The cache of installed requirements: one directory for each, whole or not there."""

from __future__ import annotations

import fcntl
import importlib
import json
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minigears.executor.requirements import archive, generations, installer
from minigears.executor.requirements.model import (
    COULD_NOT_SATISFY,
    Log,
    Requirement,
    RequirementError,
    canonical_name,
    compiled_os,
    python_tag,
    slug,
)

_DESCRIPTION = "requirement.json"


class RequirementStore:
    """Installs requirements below `cache_dir/requirements/<python and platform>/`.

    What is there already is used as it is, so a script registers again at once and offline. Several
    processes may share a cache. Methods may be called from any thread.
    """

    def __init__(self, cache_dir: Path, log: Log):
        self._cache_dir = cache_dir.resolve()
        self._home = self._cache_dir / "requirements" / python_tag()
        self._log = log
        self._used: dict[str, Requirement] = {}
        self._before: dict[str, tuple[Requirement, Path]] = {}
        """What was in force before the last forced installation, and where it is now."""

    def install(self, names: Sequence[str], force: bool = False) -> list[Requirement]:
        """Have every requirement, one after the other, each with dependencies of its own.

        `force` installs anew what is there. Raises RequirementError; the details are in the log.
        """
        try:
            wanted = [canonical_name(name) for name in names]
        except ValueError as error:
            self._log(str(error), "warning")
            raise RequirementError(COULD_NOT_SATISFY) from error
        return [self._install(name, force) for name in wanted]

    def activate(self, requirements: Iterable[Requirement]) -> None:
        """Put the requirements on `sys.path`, later ones first.

        They come before what is installed beside us and after the standard library. One that is on
        the path already moves, so the last activation wins.
        """
        for requirement in requirements:
            entry = str(requirement.site)
            if entry in sys.path:
                sys.path.remove(entry)
            sys.path.insert(_first_place(), entry)
        importlib.invalidate_caches()

    def take_back(self, requirements: Iterable[Requirement]) -> None:
        """Let what forced installations took the place of be in force again, modules included."""
        for requirement in requirements:
            old, directory = self._before.pop(requirement.name, (None, None))
            if old is not None and directory is not None:
                generations.point(self._home / slug(requirement.name), directory)
                generations.forget_modules(requirement.site)
                self._used[requirement.name] = old
                self.activate([old])

    def all(self) -> list[Requirement]:
        """Every requirement that this process has installed, found or imported."""
        return list(self._used.values())

    def knows(self, names: Iterable[str]) -> bool:
        """Whether this process has installed, found or imported all of these before."""
        try:
            return self._used.keys() >= {canonical_name(name) for name in names}
        except ValueError:
            return False

    def find(self, name: str) -> Requirement | None:
        """The requirement, if it is installed, whoever installed it."""
        try:
            wanted = canonical_name(name)
        except ValueError:
            return None
        return self._read(self._home / slug(wanted))

    def export(self, name: str) -> tuple[dict[str, Any], list[bytes]]:
        """A requirement's metadata, and its files as chunks for `import_`.

        Raises RequirementError when it is not installed.
        """
        found = self.find(name)
        if found is None:
            raise RequirementError("requirement does not exists")
        header = {"requirement": _describe(found), "python": python_tag()}
        return found.metadata(), archive.pack(found.site, header)

    def import_(self, chunks: Iterable[bytes]) -> Requirement:
        """Install what `export` gave; keeps what is installed under that name already.

        Raises RequirementError when the bytes are damaged, not allowed, or made for another Python,
        and when they cannot be written.
        """
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            with self._lock("import"), self._temporary("import") as work:
                return self._import(archive.unpack(chunks, work / "site"), work)
        except OSError as error:
            raise RequirementError(f"could not import requirement: {error}") from error

    def _import(self, header: dict[str, Any], work: Path) -> Requirement:
        if header.get("python") != python_tag():
            made_for = header.get("python")
            raise RequirementError(f"requirement was made for {made_for}, not {python_tag()}")
        described = _parse(work, header.get("requirement"))
        if described is None:
            raise RequirementError("Failed deserializing requirement: its description is bad")
        final = self._home / slug(described.name)
        with self._lock(final.name):
            if self._read(final) is None:
                self._finish(work, described, final)
        return self._use(final)

    def _install(self, name: str, force: bool) -> Requirement:
        final = self._home / slug(name)
        self._before.pop(name, None)
        if force or self._read(final) is None:
            try:
                self._home.mkdir(parents=True, exist_ok=True)
                with self._lock(final.name):
                    if force or self._read(final) is None:
                        self._install_anew(name, final, force)
            except OSError as error:
                self._log(f"could not install requirement {name}: {error}", "warning")
                raise RequirementError(COULD_NOT_SATISFY) from error
        return self._use(final)

    def _install_anew(self, name: str, final: Path, force: bool) -> None:
        self._log(f"installing requirement {name}", "notice")
        with self._temporary(final.name) as work:
            installer.install(name, work / "site", self._cache_dir, force, self._log)
            wheels = tuple(installer.wheels_in(work / "site"))
            self._finish(work, Requirement(name, final, wheels, compiled_os()), final, force)
        self._log(f"requirement {name} is installed", "notice")

    def _finish(self, work: Path, described: Requirement, final: Path, anew: bool = False) -> None:
        """Move what is in `work` into place, with its description, in one step.

        `anew`: what is there already is kept beside it, for those who use it.
        """
        (work / _DESCRIPTION).write_text(
            json.dumps(_describe(described), indent=1), encoding="utf-8"
        )
        old = self._read(final)
        if anew and old is not None:
            before = generations.point(final, work.rename(generations.fresh(final)))
            generations.forget_others(final, before)
            generations.forget_modules(old.site)
            if before is not None:
                self._before[old.name] = (old, before)
            return
        if final.is_symlink():  # to what was removed
            final.unlink()
        elif final.exists():
            final.rename(_replaced(work))
        work.rename(final)

    def _use(self, final: Path) -> Requirement:
        found = self._read(final)
        if found is None:
            self._log(f"requirement was removed while it was in use: {final}", "warning")
            raise RequirementError(COULD_NOT_SATISFY)
        self._used[found.name] = found
        return found

    def _read(self, path: Path) -> Requirement | None:
        path = generations.current(path)
        try:
            return _parse(path, json.loads((path / _DESCRIPTION).read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
            return None

    @contextmanager
    def _lock(self, key: str) -> Iterator[None]:
        """Hold the lock of one requirement; the system takes it back from a process that dies."""
        with (self._home / f".{key}.lock").open("wb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._log(f"waiting for another process that installs {key}", "notice")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _temporary(self, key: str) -> Iterator[Path]:
        """An empty directory with an empty `site` in it, for the holder of the lock `key`."""
        prefix = f".{key}.tmp-"
        for left in self._home.glob(f"{prefix}*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=prefix, dir=self._home))
        try:
            (work / "site").mkdir()
            yield work
        finally:
            for left in (work, _replaced(work)):
                shutil.rmtree(left, ignore_errors=True)


def _replaced(work: Path) -> Path:
    """Where the directory goes whose place `work` takes."""
    return work.with_name(f"{work.name}.old")


def _first_place() -> int:
    """The place on `sys.path` after the standard library and before other packages."""
    packages = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    places = [at for at, entry in enumerate(sys.path) if entry in packages or _is_ours(entry)]
    return min(places, default=len(sys.path))


def _is_ours(entry: str) -> bool:
    path = Path(entry)
    return path.name == "site" and (path.parent / _DESCRIPTION).exists()


def _describe(requirement: Requirement) -> dict[str, Any]:
    return {
        "name": requirement.name,
        "wheels": list(requirement.wheels),
        "compiled_os": requirement.compiled_os,
    }


def _parse(path: Path, described: Any) -> Requirement | None:
    """The requirement in `path` as described, or None if the description is not one."""
    try:
        name, wheels = described["name"], described["wheels"]
        if canonical_name(name) != name or not all(isinstance(wheel, str) for wheel in wheels):
            return None
        return Requirement(name, path, tuple(wheels), str(described["compiled_os"]))
    except (KeyError, TypeError, ValueError):
        return None
