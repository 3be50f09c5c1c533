"""gears-cli 1.2.0: run, requirements in and out, logging in."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.tools import gearscli
from tests.minigears.realgears import PASSWORD, MiniGears
from tests.minigears.realredis import RedisServer

pytestmark = pytest.mark.xdist_group("clients")

REQUIREMENT = "pymongo==3.12.0"
VERSION = "import pymongo\nGB('ShardsIDReader').map(lambda x: pymongo.version).run()\n"


class GearsCli:
    """gears-cli in a folder of its own."""

    def __init__(self, folder: Path):
        self._program = gearscli.ensure()
        self.folder = folder
        self.script = folder / "script.py"
        self.script.write_text("GB('ShardsIDReader').map(lambda x: 'Amélie').run()\n")

    def __call__(self, command: str, gears: MiniGears, *words: object) -> tuple[int, str]:
        """Its exit status and what it prints, without colours."""
        done = subprocess.run(
            [self._program, command, "--host", "127.0.0.1", "--port", str(gears.port)]
            + [str(word) for word in words],
            cwd=self.folder, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def cli(tmp_path: Path) -> GearsCli:
    """gears-cli with a small script."""
    return GearsCli(tmp_path)


@pytest.fixture
def offline(
    start_redis: Callable[..., RedisServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MiniGears]:
    """A minigears with an empty cache that can fetch nothing."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    gears = MiniGears(start_redis("--save", ""), tmp_path)
    gears.start()
    yield gears
    assert gears.stop() == 0


def test_run_prints_results_and_errors(cli: GearsCli, gears: MiniGears) -> None:
    status, said = cli("run", gears, cli.script)
    assert status == 0
    assert "Amélie" in said
    cli.script.write_text("GB('ShardsIDReader').map(lambda x: 1 / 0).run()\n")
    status, said = cli("run", gears, cli.script)
    assert status == 1
    assert "Errors" in said
    assert "ZeroDivisionError" in said


def test_run_says_ok_when_a_script_registers(cli: GearsCli, gears: MiniGears) -> None:
    cli.script.write_text("GB().foreach(lambda x: None).register('k:*')\n")
    assert cli("run", gears, cli.script) == (0, "OK\n")


def test_run_fails_when_a_script_does(cli: GearsCli, gears: MiniGears) -> None:
    cli.script.write_text("1 / 0\n")
    status, said = cli("run", gears, cli.script)
    assert status == 1
    assert "failed running gear function" in said
    assert "ZeroDivisionError" in said


def test_run_with_requirements(cli: GearsCli, gears: MiniGears) -> None:
    cli.script.write_text(VERSION)
    status, said = cli("run", gears, cli.script, "REQUIREMENTS", REQUIREMENT)
    assert status == 0
    assert "3.12.0" in said
    (cli.folder / "requirements.txt").write_text(f"{REQUIREMENT}\n")
    status, said = cli("run", gears, "--requirements", "requirements.txt", cli.script)
    assert status == 0
    assert "3.12.0" in said


def test_requirements_go_from_one_minigears_to_another(
    cli: GearsCli, gears: MiniGears, offline: MiniGears
) -> None:
    cli.script.write_text(VERSION)
    assert cli("run", offline, cli.script, "REQUIREMENTS", REQUIREMENT)[0] == 1
    status, said = cli("install-requirements", gears, REQUIREMENT)
    assert (status, "Done" in said) == (0, True), said
    status, said = cli("export-requirements", gears, "--requirement", REQUIREMENT)
    assert (status, "Saving exported requirement" in said) == (0, True), said
    (archive,) = cli.folder.glob(f"redisgears-requirement-v*-{REQUIREMENT}-*.zip")
    status, said = cli("import-requirements", offline, "--bulk-size", 1, archive.name)
    assert (status, "imported successfully" in said) == (0, True), said
    status, said = cli("run", offline, cli.script, "REQUIREMENTS", REQUIREMENT)
    assert status == 0
    assert "3.12.0" in said


def test_requirements_of_a_registration_are_exported(cli: GearsCli, gears: MiniGears) -> None:
    register = "import pymongo\nGB().foreach(lambda x: pymongo.version).register('k:*')"
    gears.run(register, "REQUIREMENTS", REQUIREMENT)
    with gears.client() as client:
        number = client.execute_command("RG.DUMPREGISTRATIONS")[0][1]
    status, said = cli("export-requirements", gears, "--registration-id", number)
    assert (status, "Saving exported requirement" in said) == (0, True), said
    assert len(list(cli.folder.glob("*.zip"))) == 1


def test_a_requirement_that_is_not_there_is_not_exported(cli: GearsCli, gears: MiniGears) -> None:
    status, said = cli("export-requirements", gears, "--requirement", "never-installed")
    assert status == 1
    assert "failed exporting requirement (requirement does not exists)" in said


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        (["--password", PASSWORD], "Amélie"),
        (["--user", "coder", "--password", "coder"], "Amélie"),
        (["--user", "writer", "--password", "writer"], "has no permissions to run"),
        (["--password", "wrong"], "Cannot connect to Redis. Aborting (invalid username-password"),
        ([], "Cannot connect to Redis. Aborting (Authentication required.)"),
    ],
)
def test_logging_in(cli: GearsCli, guarded: MiniGears, login: list[str], expected: str) -> None:
    status, said = cli("run", guarded, *login, cli.script)
    assert expected in said
    assert status == (0 if expected == "Amélie" else 1)
