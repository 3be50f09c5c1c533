"""Packages made on the spot, so that tests install for real and need no network."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

SLOW_BACKEND = """
import os, pathlib, shutil, time

def build_wheel(directory, config_settings=None, metadata_directory=None):
    here = pathlib.Path(os.environ["SLOW_HERE"])
    with (here / "builds").open("a") as file:
        file.write("x")
    while not (here / "go on").exists():
        time.sleep(0.01)
    name = "slow-1.0-py3-none-any.whl"
    shutil.copy(here / name, directory)
    return name
"""


def make_wheel(
    folder: Path, name: str, version: str, requires: str = "", code: str | None = None
) -> Path:
    """A wheel of one module that has its VERSION."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    if requires:
        metadata += f"Requires-Dist: {requires}\n"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n" if code is None else code,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return path


def make_slow_sdist(folder: Path, here: Path) -> None:
    """A source package `slow` whose build waits until the file `here/go on` exists."""
    make_wheel(here, "slow", "1.0")
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n[project]\nname = "slow"\nversion = "1.0"\n',
        "backend.py": SLOW_BACKEND,
        "PKG-INFO": "Metadata-Version: 2.2\nName: slow\nVersion: 1.0\n",
    }
    with tarfile.open(folder / "slow-1.0.tar.gz", "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"slow-1.0/{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
