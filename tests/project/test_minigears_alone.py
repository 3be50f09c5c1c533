"""minigears as a package of its own: installed without the course, and in need of nothing of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.plugins.sandbox import REPOSITORY
from tests.programs import installed, said
from tests.project.files import pyproject

FOLDER = REPOSITORY / "src" / "minigears"
COURSE = pyproject()
ALONE = pyproject("src/minigears")
OF_THE_COURSE = ("lab", "recipes", "jupyterlab", "IPython", "matplotlib", "redis", "pymongo")


def test_it_asks_for_what_the_course_asks_for_it() -> None:
    asked = ALONE["project"]["dependencies"]
    assert set(asked) <= set(COURSE["project"]["dependencies"])
    names = [re.match(r"[\w-]+", line)[0] for line in asked]
    assert names == COURSE["dependency-groups"]["image-minigears"]
    assert ALONE["project"]["version"] == COURSE["project"]["version"]


@pytest.mark.long
@pytest.mark.timeout(900)
def test_it_installs_into_a_bare_environment(tmp_path: Path) -> None:
    place = tmp_path / "venv"
    programs = installed(FOLDER, place)
    python = programs / "python"
    assert "--listen" in said(programs / "minigears", "--help", cwd=tmp_path)
    everything = (
        "import importlib, pkgutil, minigears\n"
        "for module in pkgutil.walk_packages(minigears.__path__, 'minigears.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
        "print(minigears.__file__)"
    )
    assert str(place) in said(python, "-c", everything, cwd=tmp_path)
    version = "from minigears.door.status import package_version; print(package_version())"
    assert said(python, "-c", version, cwd=tmp_path).strip() == ALONE["project"]["version"]
    there = (
        f"from importlib.util import find_spec; print([m for m in {OF_THE_COURSE} if find_spec(m)])"
    )
    assert said(python, "-c", there, cwd=tmp_path).strip() == "[]"
