"""What the documents tell to type exists, and where they point to is there."""

from __future__ import annotations

import re

import pytest

from lab.cli import main as lab_command
from tests.notebooks.book import links
from tests.project.files import MAKEFILE, REPOSITORY, documents, targets

FOLDERS = "recipes|notebooks|tools|tests|docs|data|src"

each_document = pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)


def commands(text: str, program: str) -> set[str]:
    """Return the first words that follow a program in code: in fences and between backticks."""
    code = re.findall(r"^```.*?^```|`[^`\n]+`", text, re.MULTILINE | re.DOTALL)
    found = {
        word
        for piece in code
        for word in re.findall(rf"(?<![\w/.-])(?<!jupyter ){program} ([a-z][a-z-]*)", piece)
    }
    return found


@each_document
def test_make_targets_exist(path):
    assert commands(path.read_text(), "make") <= targets()


@each_document
def test_lab_commands_exist(path):
    known = set(lab_command.commands)
    assert commands(path.read_text(), "lab") <= known


@each_document
def test_links_to_files_resolve(path):
    local = [t.partition("#")[0] for t in links(path.read_text()) if not re.match(r"[a-z]+:|#", t)]
    assert [target for target in local if not (path.parent / target).exists()] == []


@each_document
def test_files_named_in_commands_exist(path):
    fences = "".join(re.findall(r"^```.*?^```", path.read_text(), re.MULTILINE | re.DOTALL))
    named = re.findall(rf"(?<![\w/.])((?:{FOLDERS})/[\w/.-]*\w)", fences)
    assert [name for name in named if not (REPOSITORY / name).exists()] == []


@each_document
def test_tests_that_are_named_exist(path):
    there = {file.name for file in (REPOSITORY / "tests").rglob("test_*.py")}
    assert set(re.findall(r"\btest_\w+\.py", path.read_text())) <= there


def test_the_readme_begins_with_the_two_commands():
    first_screen = "\n".join((REPOSITORY / "README.md").read_text().splitlines()[:40])
    assert {"lab", "test"} <= commands(first_screen, "make")


def test_every_target_is_explained_and_phony():
    explained = set(re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE))
    phony = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())
    assert explained == phony == targets()


def test_commands_are_found_in_code_only():
    text = "make sure `make lab`, `jupyter lab notebooks`\n```\nlab up\nmake test  # all\n```\n.venv/bin/lab down"
    assert commands(text, "make") == {"lab", "test"}
    assert commands(text, "lab") == {"up"}
