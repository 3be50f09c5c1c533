"""The command `lab`, and redis-cli beside it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

import lab
from lab import paths
from lab.cli import main
from lab.stack import lifecycle, ports
from lab.stack.model import Stack
from tests.lab.conftest import LAB


def test_up_status_down(home: Path) -> None:
    run = CliRunner().invoke
    assert run(main, ["status"]).exit_code == 1
    up = run(main, ["up"])
    assert up.exit_code == 0, up.output
    assert lab.current().cli in up.output
    status = run(main, ["status"])
    assert status.exit_code == 0
    assert "running" in status.output
    log = run(main, ["logs", "redis"])
    assert log.exit_code == 0
    assert "Stopped:" in run(main, ["down"]).output
    assert run(main, ["status"]).exit_code == 1


def test_reset_asks_first(stack: Stack) -> None:
    stack.redis.set("mine", 1)
    run = CliRunner().invoke
    assert run(main, ["reset"], input="n\n").exit_code == 1
    assert stack.redis.get("mine") == "1"
    assert run(main, ["reset", "--yes"]).exit_code == 0
    assert stack.redis.get("mine") is None


def test_every_command_explains_itself() -> None:
    run = CliRunner().invoke
    assert run(main, ["--help"]).exit_code == 0
    for name in set(main.commands) - {"redis-cli", "gears-cli"}:  # which become another program
        told = run(main, [name, "--help"])
        assert told.exit_code == 0, name
        assert len(told.output.splitlines()) > 4


def test_the_list_of_commands_cuts_no_sentence_off() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output.partition("Commands:")[2]
    assert set(re.findall(r"^  ([\w-]+)  ", listed, re.MULTILINE)) == set(main.commands)
    listed += CliRunner().invoke(main, ["kit", "--help"]).output.partition("Commands:")[2]
    assert "..." not in listed


def test_what_takes_long_to_load_is_left_to_the_commands_that_need_it() -> None:
    slow = ["nbformat", "nbclient", "matplotlib", "IPython", "docker", "testcontainers"]
    ask = f"import lab.cli, sys; print(*(set({slow}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_what_the_lab_raises_is_one_message(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_current", None)
    monkeypatch.setenv("LAB_STACK", "external")
    done = subprocess.run([LAB, "up"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs LAB_REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_notebook_refuses_a_port_that_is_none(home: Path) -> None:
    done = CliRunner().invoke(main, ["notebook", "--port", "99999"])
    assert done.exit_code == 2
    assert "99999 is not in the range" in done.output
    assert not home.exists()


def test_redis_cli_reaches_this_stack(stack: Stack) -> None:
    done = subprocess.run([LAB, "redis-cli", "SET", "a", "--b"], capture_output=True, text=True)
    assert done.stdout == "OK\n"
    assert stack.redis.get("a") == "--b"
    found = lab.sh(f"command -v redis-cli && {stack.cli} PING")
    assert found == f"{paths.scripts() / 'redis-cli'}\nPONG\n"


@retry(retry=retry_if_exception_type(OSError), stop=stop_after_delay(60), wait=wait_fixed(0.1))
def fetched(url: str) -> str:
    """A page of JupyterLab, which prints its address before it listens."""
    with urllib.request.urlopen(url, timeout=60) as page:
        return str(page.read(), "utf-8")


@pytest.mark.parametrize("stop_stack", [True, pytest.param(False, marks=pytest.mark.long)])
def test_notebook_starts_jupyterlab_and_ends_it(
    breakable: Stack, stop_stack: bool, tmp_path: Path
) -> None:
    port = ports.next_free(20000 + os.getpid() % 20000)
    words = [LAB, "notebook", "--port", str(port), *(["--stop-stack"] if stop_stack else [])]
    places = ("DISPLAY", "JUPYTER", "IPYTHON", "MPLCONFIG", "MAKELEVEL")
    env = {n: value for n, value in os.environ.items() if not any(place in n for place in places)}
    env |= {"HOME": str(tmp_path), "LAB_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    )
    try:
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            if f":{port}/lab/tree/notebooks/00_start_here.ipynb?token=" in line:
                break
        page = fetched(line.split()[-1])
        again = subprocess.run([LAB, "notebook"], env=env, capture_output=True, text=True)
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=90)[0]
    finally:
        process.terminate()  # it ends JupyterLab, which a kill would leave
        process.communicate()
    assert process.returncode == 0, "".join(said) + rest
    assert any("no display" in line for line in said)
    assert again.returncode == 0, again.stderr
    assert "JupyterLab runs here already (process" in again.stdout
    assert f":{port}/lab/tree/notebooks/00_start_here.ipynb?token=" in again.stdout
    assert [folder.name for folder in tmp_path.iterdir()] == ["cache"]  # nothing at home
    assert re.search(r'"disabledExtensions":[^]]*:announcements"', page), (
        "JupyterLab asks about news"
    )
    assert [*(tmp_path / "cache").glob("jupyter/config/lab/workspaces/default*")], "no contents"
    assert ports.is_free(port)
    assert ("lab down" in rest) is not stop_stack
    assert lab.status().running is not stop_stack


def test_small_commands_do_not_wait_for_drivers() -> None:
    code = "import sys, lab.tools.rediscli; print([m for m in ('redis', 'pymongo', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
