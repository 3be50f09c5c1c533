"""The folder as a package: copied, installed elsewhere, type-checked strictly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.sandbox import REPOSITORY
from tests.programs import installed, said

FOLDER = REPOSITORY / "recipes" / "streams"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_it_installs_into_a_bare_environment(tmp_path: Path) -> None:
    place = tmp_path / "venv"
    programs = installed(FOLDER, place)
    python = programs / "python"
    assert "worker" in said(programs / "write-behind", "--help", cwd=tmp_path)
    assert "--lease" in said(python, "-m", "recipes.streams", "worker", "--help", cwd=tmp_path)
    checked = "from recipes.streams.core.library import SOURCE; import recipes.streams as s; print(s.__file__)"
    assert str(place) in said(python, "-c", checked, cwd=tmp_path)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_it_type_checks_strictly() -> None:
    said(sys.executable, "-m", "mypy", "--strict", "-p", "recipes.streams", cwd=REPOSITORY)


def test_it_imports_nothing_of_ours_and_nothing_absolutely() -> None:
    for file in FOLDER.rglob("*.py"):
        lines = file.read_text().splitlines()
        found = [
            x
            for x in lines
            if x.strip().startswith(
                ("from recipes", "import recipes", "from lab", "from minigears")
            )
        ]
        assert not found, f"{file.name}: {found}"


@pytest.mark.parametrize("number", range(1, 13))
def test_each_property_is_found_by_its_name(number: int) -> None:
    sources = "".join(p.read_text() for p in FOLDER.rglob("*") if p.suffix in (".py", ".lua"))
    assert f"Property {number}:" in sources or f"Property {number}." in sources, number


def test_it_works_as_a_copy_of_another_name(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(FOLDER, tmp_path / "queueing", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "queueing", "status", "--help"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "lease" in done.stdout.lower() or "works" in done.stdout
