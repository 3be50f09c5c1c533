"""Collects a kit: packages, the course's files and, when asked for, images."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uv
from rich.console import Console
from rich.progress import Progress

from lab import environment, paths
from lab.cells.prepare import RECIPE_REQUIREMENTS
from lab.kit import installing
from lab.kit.installing import COURSE, FORMAT, IMAGES, MANIFEST, WHEELS, KitError
from lab.tools import gearscli

_NOT_THE_COURSE = {
    ".git", ".venv", ".lab", ".cache", ".env", "__pycache__", ".ipynb_checkpoints", "_build",
    ".pytest_cache", ".ruff_cache", ".mypy_cache", ".hypothesis",
}  # fmt: skip

_README = """\
The course "Write-behind with Redis and MongoDB", for a machine without a network.

    sh install.sh FOLDER      sets it up in FOLDER: {machine}, Python {python}
    cd FOLDER
    make lab                  starts the stack and JupyterLab

Made on {made}. kit.json lists every file with its digest; install.sh checks them all.
"""

_INSTALL = """\
#!/bin/sh
# sh install.sh FOLDER: sets the course up in FOLDER from this kit, with no network.
#   PYTHON=python3.12   the interpreter to use, of the version that README.txt names
exec "${{PYTHON:-{python}}}" "$(dirname "$0")/install.py" "$@"
"""


def build(folder: Path, images: Sequence[str] = ()) -> Path:
    """Collect a kit for machines like this one in `folder`, and return it.

    It appears under its name when it is whole. Raises KitError when the folder is in use by
    something else, a package or an image cannot be had, or the disk is full. A kit that is there is
    replaced, unless something lies in it that is not the kit's.
    """
    _refuse_to_overwrite(folder)
    part = installing.beside(folder)
    try:
        part.chmod(0o755)  # a temporary folder is closed to others
        (part / WHEELS).mkdir()
        _packages(part / WHEELS)
        _course(part / COURSE)
        saved = {image: _image(part, image) for image in images}
        _manifest(part, saved)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError as problem:
        raise KitError(f"{folder} cannot be written: {problem}.") from problem
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _refuse_to_overwrite(folder: Path) -> None:
    """Raise KitError when `folder` holds what is not an earlier kit's own."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MANIFEST).exists():
        raise KitError(f"{folder} is not empty, and not a kit; name another folder.")
    own = {folder / name for name in (*installing.read(folder)["files"], MANIFEST)}
    if strange := sorted(file for file in folder.rglob("*") if file.is_file() and file not in own):
        raise KitError(
            f"{folder} holds {strange[0].relative_to(folder)}, which is not the old kit's and would be "
            "deleted with it; move that, or name another folder."
        )
    print(f"Replacing the kit in {folder}", flush=True)


def _packages(wheels: Path) -> None:
    """Collect wheels; what has none is built here, so that the other machine needs no compiler."""
    locked = _uv(
        "export", "--frozen", "--no-emit-project", "--no-annotate", "--no-header", "--all-groups"
    )
    number_of_packages = len(re.findall(r"^\w", locked, re.MULTILINE))
    bootstrap = ["pip", "setuptools<81", "wheel", "hatchling", "editables"]
    sets = [locked.splitlines(), bootstrap, list(gearscli.REQUIREMENTS)]
    sets += [[requirement] for requirement in RECIPE_REQUIREMENTS]
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Packages", total=number_of_packages)
        for number, lines in enumerate(sets):
            asked = wheels.with_name("asked.txt")
            asked.write_text("\n".join(lines), encoding="utf-8")
            # The lock's packages bring all that they need; the others want theirs, each its own.
            alone = ["--no-deps"] if number == 0 else []
            for line in _pip(
                "wheel", "--wheel-dir", str(wheels), *alone, "--requirement", str(asked)
            ):
                if "Collecting" in line and number == 0:
                    bar.advance(task)
            asked.unlink()
        bar.update(task, completed=number_of_packages)


def _pip(*words: str) -> Iterator[str]:
    """Run pip for this interpreter and yield what it prints. Raises KitError with its last lines."""
    # An environment of a notebook has no pip; uv lends one. Its own settings do not count.
    command = [
        uv.find_uv_bin(),
        "run",
        "--quiet",
        "--no-project",
        "--python",
        sys.executable,
        "--with",
        "pip",
    ]
    said: list[str] = []
    with subprocess.Popen(
        [*command, "python", "-m", "pip", *words, "--disable-pip-version-check"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env=environment.isolated(os.environ, paths.cache()),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            yield line
    if process.returncode:
        raise KitError(
            "Packages could not be collected:\n" + "\n".join(said[-8:]) + "\nCheck the network."
        )


def _uv(*words: str) -> str:
    done = subprocess.run(
        [uv.find_uv_bin(), "--quiet", *words],
        cwd=paths.root(),
        env=environment.isolated(os.environ, paths.cache()),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise KitError(f"uv {words[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def _course(file: Path) -> None:
    """Pack the repository's files without what was generated in it."""

    def ours(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if Path(entry.name).name in _NOT_THE_COURSE else entry

    with tarfile.open(file, "w") as tar:
        for entry in sorted(paths.root().iterdir()):
            tar.add(entry, entry.name, filter=ours)


def _image(part: Path, image: str) -> str:
    """Save an image and return the name of its file in the kit."""
    (part / IMAGES).mkdir(exist_ok=True)
    name = f"{IMAGES}/{image.replace('/', '_').replace(':', '_')}.tar"
    print(f"Saving the image {image}", flush=True)
    try:
        done = subprocess.run(
            ["docker", "save", "--output", str(part / name), image],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise KitError("Images are wanted, and there is no Docker here.") from None
    if done.returncode:
        raise KitError(
            f"{image} cannot be saved: {done.stderr.strip()}. `make images` builds ours."
        )
    return name


def _manifest(part: Path, images: dict[str, str]) -> None:
    """Write what is read first on the other machine, and last of all the list of all files."""
    machine = installing.this_machine()
    made = datetime.date.today().isoformat()
    where = f"{machine['system']} on {machine['machine']}"
    (part / "README.txt").write_text(
        _README.format(machine=where, python=machine["python"], made=made), encoding="utf-8"
    )
    (part / "install.sh").write_text(
        _INSTALL.format(python=f"python{machine['python']}"), encoding="utf-8"
    )
    shutil.copy(installing.__file__, part / "install.py")
    files = {
        str(file.relative_to(part)): {
            "bytes": file.stat().st_size,
            "sha256": installing.digest(file),
        }
        for file in sorted(part.rglob("*"))
        if file.is_file()
    }
    manifest = {"format": FORMAT, "made": made, "for": machine, "images": images, "files": files}
    (part / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
