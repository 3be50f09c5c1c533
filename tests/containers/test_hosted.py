"""Codespaces, Binder and a bare Debian 13: what they will do with our files, done in a clean container.

The containers get the files as a clone has them.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from lab.stack.containers.images import is_here
from tests.containers.conftest import CERTIFICATES, TRUST, run_docker
from tests.plugins.docker_here import BASE_IMAGE
from tests.plugins.sandbox import REPOSITORY

pytestmark = [pytest.mark.containers("base"), pytest.mark.long, pytest.mark.timeout(1800)]

DEVCONTAINER = "write-behind-test/devcontainer:latest"
DEBIAN_13 = "write-behind/base:trixie"

TELLING = ("notebooks/00_start_here.ipynb", "notebooks/06_write_behind.ipynb")
"""What tells most about another Python: the app with the streams recipe, and Gears with a recipe's old packages."""

TOUR = "api/settings/jupyterlab-tour:user-tours?token=t"
"""Where a JupyterLab says which tours its menu Help has."""


def in_container(image: str, folder: Path, script: str, user: str) -> str:
    """Run a shell script in `folder` in a clean container as `user`; return what it printed."""
    trust = [word for volume in CERTIFICATES for word in ("--volume", volume)]
    trust += [word for item in TRUST.items() for word in ("--env", "=".join(item))]
    name = f"wb-hosted-{os.getpid()}"
    words = ["docker", "run", "--rm", "--name", name, "--user", user, "--env", "HOME=/tmp/home"]
    words += [*trust, "--volume", f"{folder}:/course", "--workdir", "/course", image]
    try:
        done = subprocess.run([*words, "bash", "-euc", script], capture_output=True, text=True)
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_learner_on_debian_13_with_python_3_13(engine, clone):
    """Nothing but what the README names: Debian's own Python, make and the network."""
    if not is_here(DEBIAN_13):
        subprocess.run([REPOSITORY / "docker/base/build.sh", DEBIAN_13, "trixie"], check=True)
    course = f"""
    cd /course && make setup && make doctor && make up && make status
    . .venv/bin/activate && python --version
    jupyter execute {" ".join(TELLING)}
    make down && ! lab status
    """
    # A learner has a name, and is not root.
    script = (
        f"useradd --create-home learner && runuser -u learner -- bash -euc {shlex.quote(course)}"
    )
    assert "Python 3.13." in in_container(DEBIAN_13, clone, script, user="0:0")


def test_binder(engine, clone):
    script = """
    python3 -m venv /tmp/notebook && export PATH=/tmp/notebook/bin:$PATH
    .binder/postBuild
    .binder/start jupyter execute notebooks/04_hello_gears.ipynb
    lab status
    .binder/start jupyter lab --no-browser --port 8899 --IdentityProvider.token=t 2>/tmp/jupyter.log &
    until python3 -c "$ASK" 2>/dev/null; do kill -0 $!; sleep 0.5; done
    kill $! && lab down
    """
    ask = f"import urllib.request as u; print(u.urlopen('http://127.0.0.1:8899/lab/{TOUR}').read())"
    said = in_container(BASE_IMAGE, clone, f"ASK={shlex.quote(ask)}\n{script}", user="1000:1000")
    assert "minigears" in said
    assert "Tour of the course" in said


def test_devcontainer(engine, clone):
    settings = json.loads((clone / ".devcontainer" / "devcontainer.json").read_text())
    folder = clone / ".devcontainer"
    build = ["build", "--quiet", "--build-arg", f"BASE={BASE_IMAGE}", "--tag", DEVCONTAINER]
    run_docker(*build, "--file", str(folder / settings["build"]["dockerfile"]), str(folder))
    try:
        script = (
            f"{settings['updateContentCommand']} && {shlex.quote('.venv/bin/lab')} up && make down"
        )
        assert "minigears" in in_container(DEVCONTAINER, clone, script, user="1000:1000")
        assert settings["postAttachCommand"] == "make lab"
    finally:
        run_docker("rmi", DEVCONTAINER)
