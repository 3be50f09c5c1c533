"""The offline kit: what it refuses, and the whole course from one with the network off."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from lab.kit import installing
from lab.kit.building import build
from lab.kit.installing import KitError, install
from tests.plugins.docker_here import REQUIRED, leave_out

IMAGE = "write-behind/mongo:latest"
SAVED = "write-behind-test/kit:latest"


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A kit as `build` leaves it, but that its course is one file."""
    folder = tmp_path / "kit"
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / "a.whl").write_text("a wheel")
    with tarfile.open(folder / "course.tar", "w") as tar:
        tar.add(__file__, "notebook")
    list_anew(folder)
    return folder


def list_anew(folder: Path) -> None:
    """Write the list of a kit's files."""
    files = {
        name: {"bytes": (folder / name).stat().st_size, "sha256": installing.digest(folder / name)}
        for name in ("wheels/a.whl", "course.tar")
    }
    write(folder, {"format": 1, "for": installing.this_machine(), "images": {}, "files": files})


def write(folder: Path, manifest: dict) -> None:
    (folder / "kit.json").write_text(json.dumps(manifest))


def test_a_damaged_file_is_named(kit, tmp_path):
    (kit / "wheels" / "a.whl").write_text("a wheal")
    with pytest.raises(KitError, match=r"damaged: wheels/a\.whl.*Copy it again"):
        install(kit, tmp_path / "course")
    assert not (tmp_path / "course").exists()


def test_a_missing_file_is_named(kit, tmp_path):
    (kit / "course.tar").unlink()
    with pytest.raises(KitError, match=r"course\.tar is missing"):
        install(kit, tmp_path / "course")


@pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", "null"])
def test_what_is_not_a_kit_says_so(tmp_path, manifest):
    (tmp_path / "kit.json").write_text(manifest)
    with pytest.raises(KitError, match="is not a kit"):
        install(tmp_path, tmp_path / "course")


def test_a_kit_for_another_python_or_machine_says_which(kit, tmp_path):
    manifest = installing.read(kit)
    here = manifest["for"]
    write(kit, {**manifest, "for": {**here, "python": "3.9"}})
    with pytest.raises(KitError, match=r"for Python 3\.9.*PYTHON=python3\.9 sh install\.sh"):
        install(kit, tmp_path / "course")
    write(kit, {**manifest, "for": {**here, "machine": "pdp11"}})
    with pytest.raises(KitError, match=r"pdp11.*Build one on a machine like this"):
        install(kit, tmp_path / "course")


def test_a_folder_in_use_is_left_alone(kit, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.ipynb").write_text("{}")
    with pytest.raises(KitError, match="not an empty folder"):
        install(kit, tmp_path / "mine")
    with pytest.raises(KitError, match="not empty, and not a kit"):
        build(tmp_path / "mine")
    assert (tmp_path / "mine" / "work.ipynb").read_text() == "{}"


def test_what_is_not_the_kits_own_is_not_deleted_with_it(kit, tmp_path):
    (kit / "thesis.odt").write_text("three years")
    with pytest.raises(KitError, match=r"holds thesis\.odt, which is not the old kit's"):
        build(kit)
    assert (kit / "thesis.odt").read_text() == "three years"


def test_a_neighbour_that_is_called_partial_is_left_alone(kit, tmp_path):
    for name in ("course.partial", "kit.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "work").touch()
    with pytest.raises(KitError):  # this course has no set-up
        install(kit, tmp_path / "course")
    (kit / "wheels" / "mine").touch()
    with pytest.raises(KitError):
        build(kit)
    assert (tmp_path / "course.partial" / "work").exists()
    assert (tmp_path / "kit.partial" / "work").exists()


def test_an_environment_that_cannot_be_made_is_an_error(kit, tmp_path):
    with pytest.raises(KitError, match="could not be made"):  # this course has no set-up
        install(kit, tmp_path / "course")
    assert list(tmp_path.glob("*.partial")) == []


def test_the_command_installs(kit, tmp_path):
    (tmp_path / "setup.sh").write_text("touch set-up")  # the course's own takes half a minute
    with tarfile.open(kit / "course.tar", "w") as tar:
        tar.add(tmp_path / "setup.sh", "tools/setup.sh")
    list_anew(kit)
    done = lab_command("install", kit, tmp_path / "course")
    assert done.returncode == 0, done.stderr
    assert f"The course is in {tmp_path / 'course'}" in done.stdout
    assert (tmp_path / "course" / "set-up").exists()
    assert (tmp_path / "course" / ".cache" / "wheels" / "a.whl").exists()


@pytest.mark.parametrize("verb", ["build", "install"])
def test_the_command_prints_one_message(kit, tmp_path, verb):
    (kit / "kit.json").write_text("not a list")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work.ipynb").touch()
    done = lab_command(
        *(["build", tmp_path / "mine"] if verb == "build" else ["install", kit, "c"])
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "not a kit" in done.stderr


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_course_runs_from_a_kit_with_the_network_off(tmp_path):
    if not works("unshare", "--net", "ip", "link"):
        leave_out("no network name spaces here: they need root, unshare and ip")
    docker = works("docker", "tag", IMAGE, SAVED)
    if not docker and os.environ.get(REQUIRED):
        leave_out(f"a kit with images: there is no {IMAGE}")
    kit = tmp_path / "kit"
    built = lab_command("build", kit, *(["--image", SAVED] if docker else []))
    assert built.returncode == 0, built.stderr
    assert "There: sh install.sh FOLDER" in built.stdout
    if docker:
        subprocess.run(["docker", "rmi", SAVED], check=True, capture_output=True)
    course = Path(tempfile.mkdtemp(prefix="c-"))  # a short path: sockets lie inside
    said = offline(f"PYTHON={sys.executable} sh {kit}/install.sh {course}")
    assert "nothing is downloaded" in said
    assert "downloads about" not in said
    if docker:
        subprocess.run(["docker", "rmi", SAVED], check=True, capture_output=True)  # it was loaded
    shutil.rmtree(kit)  # the stick is taken out
    tests = ".venv/bin/pytest -n 2 -p no:cacheprovider tests/notebooks/test_alone.py tests/recipes/test_readme.py"
    # Its socket reaches Docker from in there, but no port of a container would be reached: 02b.
    offline(f"cd {course} && DOCKER_HOST=unix:///nowhere/docker.sock {tests}")


def works(*words: str) -> bool:
    """Tell whether a command is here and succeeds."""
    return bool(
        shutil.which(words[0]) and subprocess.run(words, capture_output=True).returncode == 0
    )


def lab_command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `lab kit` in a process of its own."""
    command = ["lab", "kit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def offline(line: str) -> str:
    """Run a line where there is no network but loopback, nor any cache of packages.

    Returns what it printed.
    """
    home = tempfile.mkdtemp()
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", f"ip link set lo up && {line}"],
        env={"PATH": os.defpath, "HOME": home, "TMPDIR": tempfile.gettempdir()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout
