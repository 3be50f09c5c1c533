"""The commands that the two READMEs print work as they stand, but for the ports."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import lab
from lab import paths
from lab.cells.prepare import RECIPE_REQUIREMENTS, recipes
from lab.stack.gears import registrations
from lab.stack.model import Stack
from tests.recipes.gears.families import in_mongo

pytestmark = pytest.mark.xdist_group("recipes")

README = paths.root() / "recipes" / "README.md"
TOP_README = paths.root() / "README.md"


def commands(stack: Stack, heading: str, page: Path = README) -> list[str]:
    """The lines of the first block of code under a heading, with the ports of this stack."""
    section = page.read_text().partition(f"## {heading}\n")[2]
    block = section.split("```")[1]
    ports = {"6379": stack.redis_url, "27017": stack.mongo_url}
    for usual, url in ports.items():
        block = block.replace(usual, url.rpartition(":")[2])
    return [line for line in block.splitlines() if line]


def type_in_a_terminal(line: str) -> str:
    path = os.pathsep.join([str(paths.scripts()), os.environ["PATH"]])
    done = subprocess.run(
        line,
        shell=True,
        cwd=paths.root(),
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_write_behind(stack: Stack) -> None:
    configure, register, write = commands(stack, "Write-behind of the movies")
    assert "OK" in type_in_a_terminal(configure)
    assert type_in_a_terminal(register) == "OK\n"
    assert type_in_a_terminal(write) == "OK\n"
    lab.wait_until(lambda: stack.db.movies.count_documents({}) == 1, "the movie is there")
    assert in_mongo(stack) == [{"movieId": "1", "title": "Schindler's List"}]


def test_the_terminal_lines_of_the_top_readme(stack: Stack) -> None:
    activate, up, configure, register, write = commands(stack, "In a terminal", TOP_README)
    assert (activate, up) == (". .venv/bin/activate", "lab up")
    for line in (configure, register, write):
        assert "OK" in type_in_a_terminal(line)
    lab.wait_until(lambda: stack.db.movies.count_documents({}) == 1, "the movie is there")
    assert in_mongo(stack) == [{"movieId": "1", "title": "Metropolis", "year": 1927}]


def test_write_through(stack: Stack) -> None:
    [register] = commands(stack, "Write-through of the movies")
    assert type_in_a_terminal(register) == "OK\n"
    assert [known["reader"] for known in registrations(stack.redis)] == ["KeysReader"] * 2


def test_the_requirements_file_says_what_the_readme_and_the_lab_say(stack: Stack) -> None:
    file = recipes() / "requirements.txt"
    assert tuple(file.read_text().splitlines()) == RECIPE_REQUIREMENTS
    _, register, _ = commands(stack, "Write-behind of the movies")
    assert tuple(register.partition("REQUIREMENTS ")[2].split()) == RECIPE_REQUIREMENTS
    by_file = register.partition(" REQUIREMENTS")[0].replace(
        "run ", f"run --requirements {file} ", 1
    )
    assert type_in_a_terminal(by_file) == "OK\n"


def configuration(script: Path) -> set[str]:
    return set(re.findall(r"gearsConfigGet\('(\w+)'", script.read_text()))


def test_the_table_names_every_script_and_its_configuration() -> None:
    rows = re.findall(r"^\| `(\w+\.py)` \|.*\| ([^|]*) \|$", README.read_text(), re.MULTILINE)
    told = {name: set(re.findall(r"`(\w+)` \(", cell)) for name, cell in rows}
    assert told == {script.name: configuration(script) for script in recipes().glob("*.py")}
