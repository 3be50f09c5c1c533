"""Sets a machine up from a kit, with no network.

This file is copied into each kit as well, where `install.sh` runs it with nothing but Python. So it
uses the standard library only, and there is one way to install.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

FORMAT = 1
MANIFEST = "kit.json"
WHEELS = "wheels"
IMAGES = "images"
COURSE = "course.tar"

_CHUNK = 1 << 20  # bytes


class KitError(RuntimeError):
    """A kit cannot be used; the message says why, and what to do."""


def install(kit: Path, target: Path, with_images: bool = True) -> None:
    """Check a kit and set the course up in `target`, a folder that is new or empty.

    The images are loaded into Docker when there are any and a daemon answers. Raises KitError for a
    kit that is damaged or for another kind of machine, a folder that is in use, or a full disk.
    """
    manifest = read(kit)
    _check_machine(manifest)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise KitError(
            f"{target} is not an empty folder; name one that is, or that is not there yet."
        )
    verify(kit, manifest)
    part = beside(target)
    try:
        _unpack(kit, part)
        if target.exists():
            target.rmdir()
        part.rename(target)
    except OSError as problem:
        raise KitError(f"{target} cannot be written: {problem}.") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    print("Setting up the course's environment", flush=True)
    done = subprocess.run(
        ["sh", "tools/setup.sh"], cwd=target, env={**os.environ, "PYTHON": sys.executable}
    )
    if done.returncode:
        raise KitError(f"The environment in {target} could not be made; the reason stands above.")
    if with_images:
        _load_images(kit, manifest)
    print(f"\nThe course is in {target}. Next:\n  cd {target}\n  make lab")


def beside(folder: Path) -> Path:
    """Return a new folder next to `folder`, to be filled and then renamed. Raises KitError.

    Never one that was there: what is called like that may be somebody's.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(
            tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent)
        )
    except OSError as problem:
        raise KitError(f"{folder} cannot be written: {problem}.") from problem


def read(kit: Path) -> dict[str, Any]:
    """Return the manifest of a kit. Raises KitError when the folder holds none."""
    try:
        manifest = json.loads((kit / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            raise KitError(f"{kit} is a kit of another version of the course; build it anew.")
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise KitError(
            f"{kit} is not a kit, or not a whole one: {MANIFEST} cannot be read."
        ) from problem
    return dict(manifest)


def verify(kit: Path, manifest: dict[str, Any]) -> None:
    """Compare each file with the manifest. Raises KitError with the first that is not as it was."""
    files = manifest["files"]
    print(
        f"Checking {len(files)} files, {sum(f['bytes'] for f in files.values()) / 1e6:.0f} MB",
        flush=True,
    )
    for name, expected in files.items():
        file = kit / name
        if not file.is_file():
            raise KitError(f"The kit is not whole: {name} is missing. Copy it again.")
        if file.stat().st_size != expected["bytes"] or digest(file) != expected["sha256"]:
            raise KitError(f"The kit is damaged: {name} is not what it was. Copy it again.")


def digest(file: Path) -> str:
    """Return a file's SHA-256 in hexadecimal digits."""
    sha = hashlib.sha256()
    with file.open("rb") as data:
        while chunk := data.read(_CHUNK):
            sha.update(chunk)
    return sha.hexdigest()


def this_machine() -> dict[str, str]:
    """Return what the packages of a kit depend on."""
    return {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "system": platform.system(),
        "machine": platform.machine(),
    }


def _check_machine(manifest: dict[str, Any]) -> None:
    here, wanted = this_machine(), manifest["for"]
    if here == wanted:
        return
    if (here["system"], here["machine"]) == (wanted["system"], wanted["machine"]):
        raise KitError(
            f"The kit is for Python {wanted['python']}, and this is {here['python']}. Run it with the "
            f"other: PYTHON=python{wanted['python']} sh install.sh FOLDER; or build a kit with "
            f"Python {here['python']}."
        )
    raise KitError(
        f"The kit is for {wanted['system']} on {wanted['machine']}, and this is {here['system']} on "
        f"{here['machine']}. Build one on a machine like this."
    )


def _unpack(kit: Path, folder: Path) -> None:
    folder.chmod(0o755)  # a temporary folder is closed to others
    with tarfile.open(kit / COURSE) as tar:
        if sys.version_info >= (3, 12):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)  # ours, and its digest was checked
    shutil.copytree(kit / WHEELS, folder / ".cache" / WHEELS)


def _load_images(kit: Path, manifest: dict[str, Any]) -> None:
    if not manifest["images"]:
        return
    if shutil.which("docker") is None:
        print(
            "There is no Docker here, so the images stay in the kit: the course runs without them."
        )
        return
    for name, file in manifest["images"].items():
        print(f"Loading the image {name}", flush=True)
        done = subprocess.run(["docker", "load", "--quiet", "--input", str(kit / file)])
        if done.returncode:
            print(f"Docker did not take it; later: docker load --input {kit / file}")


def main() -> None:
    """Install the kit that this file lies in: `python3 install.py FOLDER`."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("Usage: sh install.sh FOLDER     sets the course up in FOLDER, with no network")
        raise SystemExit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    try:
        install(Path(__file__).resolve().parent, Path(sys.argv[1]).absolute())
    except KitError as problem:
        raise SystemExit(str(problem)) from None


if __name__ == "__main__":
    main()
