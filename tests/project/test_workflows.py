"""The workflows that we cannot run here say so, and call only what exists."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.project.files import REPOSITORY, targets
from tests.project.test_environment import MINORS

FILES = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))
JOBS = [
    pytest.param(path, name, job, id=f"{path.stem}-{name}")
    for path in FILES
    for name, job in yaml.safe_load(path.read_text())["jobs"].items()
]

each_job = pytest.mark.parametrize(("path", "name", "job"), JOBS)


def commands(job: dict[str, Any]) -> str:
    return "\n".join(step["run"] for step in job["steps"] if "run" in step)


def test_there_are_workflows_and_they_say_that_they_are_untried():
    assert FILES
    assert all(path.read_text().startswith("# UNTRIED") for path in FILES)


@each_job
def test_a_job_is_marked_and_bounded(path, name, job):
    assert re.search(rf"^  {name}: # untried", path.read_text(), re.MULTILINE)
    assert job["timeout-minutes"] <= 120


@each_job
def test_a_job_calls_what_exists(path, name, job):
    said = commands(job)
    called = re.findall(r"\bmake (?:[A-Z]+=.+ )?([a-z][a-z-]*)$", said, re.MULTILINE)
    assert len(called) == len(re.findall(r"^make ", said, re.MULTILINE))
    assert set(called) <= targets()
    named = re.findall(r"(?<![\w/.-])((?:tests|docs|tools|\.ci)/[\w/.-]*\w)", said)
    assert [one for one in named if not (REPOSITORY / one).exists()] == []
    assert called or named


@each_job
def test_what_came_out_is_kept(path, name, job):
    if "--junit-xml=" in (said := commands(job)):
        (kept,) = (step for step in job["steps"] if "upload-artifact" in step.get("uses", ""))
        assert kept["if"] == "always()"
        (report,) = set(re.findall(r"--junit-xml=(\S+)", said))
        assert report in kept["with"]["path"].split()


def test_together_they_cover_the_machines_and_pythons():
    text = "".join(path.read_text() for path in FILES)
    course = yaml.safe_load((REPOSITORY / ".github/workflows/course.yml").read_text())["jobs"]
    assert set(course["linux"]["strategy"]["matrix"]["python"]) == MINORS
    assert {"linux", "arm64", "macos", "windows"} <= set(course)
    assert {"lowest-direct", "highest"} <= set(re.findall(r"resolution: ([a-z-]+)", text))
    assert "schedule" in text
