"""Set-up installs what uv.lock pins, from wherever this machine has its packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.freeports import free_ports
from tests.project.files import REPOSITORY

ODD = "C# course, 100%25 Übung?"
NEEDED = ("tools", "src", "recipes", "data", "notebooks", "uv.lock", "pyproject.toml", "README.md")


class Mirror(ThreadingHTTPServer):
    """A package index, and a proxy, that has nothing and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Nothing)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Nothing(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_error(404)

    do_HEAD = do_CONNECT = do_GET

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A copy of what set-up needs, in a folder with an odd name."""
    folder = tmp_path / ODD
    folder.mkdir()
    for name in NEEDED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def packages(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run tools/packages.py with nothing of the user's own settings."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_DIRS": str(home)}
    return subprocess.run(
        [sys.executable, "-I", str(folder / "tools" / "packages.py"), *words],
        env={**env, **variables},
        capture_output=True,
        encoding="utf-8",
    )


def uv_of_the_repository(course: Path) -> None:
    """Give a copy the uv that the repository was set up with."""
    (made,) = [f for f in (REPOSITORY / ".cache").glob("uv-*") if f.suffix != ".new"][:1]
    (course / ".cache").mkdir(exist_ok=True)
    (course / ".cache" / made.name).symlink_to(made)


@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"])
@pytest.mark.parametrize(
    "first", ["the packages", pytest.param("uv itself", marks=pytest.mark.long)]
)
def test_a_companys_mirror_is_asked_and_nobody_else(
    course: Path, mirror: Mirror, variable: str, first: str
) -> None:
    """Whoever else was asked would be asked through the proxy."""
    if first == "the packages":
        uv_of_the_repository(course)
    proxy = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), mirror.url)
    settings = {variable: mirror.url + "/company/simple", "NO_PROXY": "127.0.0.1"}
    done = packages(course, "--venv", **proxy, **settings)
    assert done.returncode == 1
    assert "set PIP_INDEX_URL or UV_DEFAULT_INDEX" in done.stderr
    assert mirror.asked
    assert {path.partition("/simple/")[0] for path in mirror.asked} == {"/company"}, done.stderr


def test_what_set_up_installs_has_versions_and_hashes_and_no_host(course: Path) -> None:
    uv_of_the_repository(course)
    code = "import packages; print(packages.export(packages.have_uv(), False))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(course / "tools")},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    text = Path(done.stdout.strip()).read_text(encoding="utf-8")
    pinned = re.findall(r"^([\w.-]+)==\S+ .*?(?=^\w|\Z)", text, re.MULTILINE | re.DOTALL)
    blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]
    assert len(pinned) == len(blocks) > 100
    assert [block for block in blocks if "--hash=sha256:" not in block] == []
    assert "://" not in text


def test_every_way_to_set_up_is_the_one_way() -> None:
    for file in ("tools/setup.sh", ".binder/postBuild", "environment.yml"):
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        assert "tools/packages.py" in text, file
        assert not re.search(r"pip install|uv (sync|export|pip)", text), file
    for file in ("docker/build.sh", "src/lab/kit/building.py"):
        text = (REPOSITORY / file).read_text(encoding="utf-8")
        assert re.search(r"lab\.environment|environment\.isolated", text), file
        assert "--no-hashes" not in text, file


def test_a_symlink_to_the_folder_does_not_set_it_up_anew(tmp_path: Path) -> None:
    """It deleted .venv, under the stack that ran from it."""
    (tmp_path / "course").symlink_to(REPOSITORY)
    before = (REPOSITORY / ".venv" / ".set-up").stat().st_mtime_ns
    script = tmp_path / "course" / "tools" / "setup.sh"
    done = subprocess.run(["sh", script], capture_output=True, text=True, check=True)
    assert "Setting up" not in done.stdout
    assert (REPOSITORY / ".venv" / ".set-up").stat().st_mtime_ns == before


def test_a_colon_in_the_folders_name_is_told(course: Path) -> None:
    folder = course.rename(course.with_name("a:b"))
    done = subprocess.run(["sh", "tools/setup.sh"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert "has a colon in it" in done.stderr


@pytest.mark.parametrize("target", ["down", "status"])
def test_nothing_is_installed_to_say_that_nothing_runs(course: Path, target: str) -> None:
    shutil.copy(REPOSITORY / "Makefile", course)
    done = subprocess.run(["make", target], cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Nothing is set up here" in done.stdout
    assert not (course / ".venv").exists()


def test_status_without_a_stack_is_no_error_of_make(tmp_path: Path) -> None:
    env = {**os.environ, "LAB_HOME": str(tmp_path / "lab"), "LAB_STACK": "embedded"}
    done = subprocess.run(
        ["make", "status"], cwd=REPOSITORY, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "Start it: make up" in done.stdout
    assert "Error" not in done.stderr


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONDONTWRITEBYTECODE"])
def test_what_a_shell_says_to_other_pythons_is_kept_from_ours(name: str) -> None:
    done = subprocess.run(
        ["make", "--silent", "--eval", "said: ; @env", "said"],
        cwd=REPOSITORY,
        env={**os.environ, name: "1"},
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    assert "PYTHONUTF8=1" in done.stdout
    assert f"{name}=" not in done.stdout


def test_clean_leaves_nothing_generated(course: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", course)
    for name in (".cache", ".lab", "notebooks/.ipynb_checkpoints", "src/lab/__pycache__", "_build"):
        (course / name).mkdir(parents=True, exist_ok=True)
    before = {*NEEDED, "Makefile"}
    done = subprocess.run(["make", "clean"], cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Deleting .venv .lab .cache" in done.stdout
    assert {path.name for path in course.iterdir()} == before
    assert not list(course.rglob("__pycache__"))
    assert not list(course.rglob(".ipynb_checkpoints"))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_course_runs_in_an_odd_folder_under_hostile_settings(course: Path) -> None:
    """PIP_USER, a PYTHONPATH, an ASCII locale, a name that is no URL: set up, up, register, down."""
    ports = dict(zip(("REDIS", "MINIGEARS", "MONGO"), map(str, free_ports(3)), strict=True))
    hostile = {
        **{"PIP_USER": "1", "UV_TARGET": "/nowhere", "PYTHONPATH": "/nowhere"},
        **{"PYTHONHOME": "/nowhere", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    }
    shell = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        **{f"LAB_PORT_{name}": port for name, port in ports.items()},
        "LAB_HOME": "lab",  # relative: the notebook's working directory is another one
    }
    shell.pop("LAB_CACHE", None)
    done = subprocess.run(
        ["sh", "tools/setup.sh"], cwd=course, env={**shell, **hostile}, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for line in done.stdout.decode(errors="replace").splitlines():
        assert not line.startswith(" + ")  # the names of 250 packages
    assert len(done.stdout.splitlines()) < 15
    ascii_only = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    code = (
        "import lab; lab.up(); lab.prepare('movies', 'write-behind'); "
        "lab.current().redis.json().set('MovieEntity:1', '$', {'movieId': '1', 'title': '\\u00e9'}); "
        "lab.wait_until(lambda: lab.current().db.movies.find_one({'title': '\\u00e9'}))"
    )
    python = course / ".venv" / "bin" / "python"
    # The first registration fetches nothing.
    shell |= {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(course.parent / "nothing")}
    try:
        for folder in (course, course / "notebooks"):
            done = subprocess.run(
                [python, "-c", code], cwd=folder, env={**shell, **ascii_only}, capture_output=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
        assert (course / "lab" / "stack.json").exists()
        assert not (course / "notebooks" / "lab").exists()
    finally:
        subprocess.run([course / ".venv/bin/lab", "down", "--data"], cwd=course, env=shell)
