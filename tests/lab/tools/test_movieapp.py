"""The movie app in a notebook, and beside one that a shell serves."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Callable

import pytest

import lab
from lab import paths
from lab.errors import Mendable
from lab.stack.model import Stack
from tests.lab.serving import serve

IN_A_SHELL = "from lab.cli import main; main(['app', '--no-browser'])"


def test_a_notebook_runs_the_app_and_looks_inside(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = lab.app()
    try:
        assert f'src="{shown.url}"' in shown._repr_html_()
        assert requests_of(shown.url) == 200
        lab.wait_until(lambda: shown.studio.writer, "the app can write", timeout=60)
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/me/")
        assert shown.url == f"/user/me/proxy/{shown._running.port}/"
        monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX")
        log = paths.logs(paths.home()) / "movieapp-worker.log"
        lab.wait_until(lambda: '"started"' in log.read_text(), "the worker says so, in its log")
    finally:
        shown.stop()
    assert '"event"' not in capfd.readouterr().err, "the log stands between a notebook's cells"
    with pytest.raises(OSError, match="refused"):
        requests_of(shown.url)


def test_a_cell_with_the_app_may_be_run_again(stack: Stack) -> None:
    first = lab.app()
    second = lab.app("mongo-only")
    try:
        assert requests_of(second.url) == 200
        with pytest.raises(OSError, match="refused"):
            requests_of(first.url)
    finally:
        second.stop()


def test_a_shell_is_told_of_the_app_in_a_notebook(
    stack: Stack, elsewhere: Callable[[str], subprocess.Popen[str]]
) -> None:
    shown = lab.app()
    try:
        said, _ = elsewhere(IN_A_SHELL).communicate(timeout=120)
        assert f"runs already, at {shown.url}" in " ".join(said.split())
    finally:
        shown.stop()


def test_a_notebook_is_told_of_the_app_in_a_shell(stack: Stack) -> None:
    served, url = serve("app")
    try:
        with pytest.raises(Mendable, match=f"runs already, at {url}"):
            lab.app()
    finally:
        served.terminate()
        served.communicate(timeout=60)
    lab.app().stop()


def requests_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as answer:
        status: int = answer.status
        return status
