"""The systemd unit that is given as an example."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.plugins.sandbox import REPOSITORY
from tests.programs import left_out

UNIT = REPOSITORY / "docker/minigears/minigears.service"
DRAIN = 10  # seconds that minigears gives functions at SIGTERM


def service() -> configparser.SectionProxy:
    """Its section [Service]; of a name that is said more than once the last line."""
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.read_string(UNIT.read_text())
    return parser["Service"]


def test_systemd_takes_it(tmp_path):
    if not shutil.which("systemd-analyze"):
        left_out("no systemd-analyze on this machine (Debian: apt-get install systemd)")
    program = Path(sys.executable).with_name("minigears")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/minigears/.venv/bin/minigears", str(program)))
    done = subprocess.run(
        ["systemd-analyze", "verify", copy], capture_output=True, text=True, timeout=60
    )
    said = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert (done.returncode, said) == (0, []), done.stderr


def test_its_words_are_options_and_variables_of_minigears():
    said = service()
    known = (REPOSITORY / "docs/minigears.md").read_text()
    variables = re.findall(r"MINIGEARS_\w+", UNIT.read_text())
    options = re.findall(r"--[a-z-]+", said["ExecStart"])
    assert {"MINIGEARS_REDIS", "MINIGEARS_REDIS_PASSWORD"} <= set(variables)
    assert [word for word in [*variables, *options] if f"`{word}`" not in known] == []


def test_it_lets_functions_end_and_starts_again():
    said = service()
    assert said["KillSignal"] == "SIGTERM"
    assert said["KillMode"] == "mixed"  # the executor ends after the door has drained
    assert int(said["TimeoutStopSec"]) > DRAIN
    assert said["Restart"] == "always"


def test_it_keeps_functions_in_bounds():
    said = service()
    for name in ("DynamicUser", "NoNewPrivileges", "ProtectHome", "PrivateTmp"):
        assert said[name] == "yes"
    assert said["ProtectSystem"] == "strict"
    # All else is read-only: requirements go where systemd lets it write.
    assert f"%C/{said['CacheDirectory']}" in said["ExecStart"]
