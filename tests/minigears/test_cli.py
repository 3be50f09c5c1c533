"""Options, their environment variables, and the configuration file."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.sandbox import REPOSITORY

PAGE = (REPOSITORY / "docs/minigears.md").read_text()


def config(directory: Path, text: str) -> Path:
    path = directory / "minigears.ini"
    path.write_text(text)
    return path


def run(*options: object, **environment: str) -> subprocess.CompletedProcess:
    """minigears with options that it refuses."""
    return subprocess.run(
        [sys.executable, "-m", "minigears", *map(str, options)],
        capture_output=True, text=True, timeout=60, env=environment,
    )  # fmt: skip


def test_a_config_file_and_what_goes_first(redis_server, tmp_path, free_port):
    path = config(
        tmp_path,
        f"[minigears]\nredis = unix://{redis_server.socket}\nlisten = 127.0.0.1:{free_port}\n"
        "log-level = debug\nallow-open = no\n",
    )
    command = [sys.executable, "-m", "minigears", "--config", path, "--cache", tmp_path / "c"]
    with subprocess.Popen(map(str, command), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == f"minigears ready on 127.0.0.1:{free_port}\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    told = run("--config", path, "--listen", "nowhere")
    assert "'nowhere' is not HOST:PORT" in told.stderr
    told = run("--config", path, MINIGEARS_LISTEN="elsewhere")
    assert "'elsewhere' is not HOST:PORT" in told.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[minigears]\nlistn = 1\n", "sets what is no option: listn"),
        ("[other]\n", "has no section [minigears]"),
        ("listen = 1\n", "cannot be read"),
        ("[minigears]\nlog-level = loud\n", "'loud' is not one of"),
        ("[minigears]\nallow-open = perhaps\n", "'perhaps' is not a valid boolean"),
    ],
)
def test_a_config_file_that_is_wrong_is_refused(tmp_path, text, message):
    told = run("--config", config(tmp_path, text))
    assert told.returncode == 2
    assert message in told.stderr


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("REDIS", "http://x", "http://x"),
        ("LISTEN", "nowhere", "'nowhere' is not HOST:PORT"),
        ("TLS_CERT", "/no/cert", "'/no/cert' does not exist"),
        ("TLS_KEY", "/no/key", "'/no/key' does not exist"),
        ("TLS_CA", "/no/ca", "'/no/ca' does not exist"),
        ("CACHE", __file__, "is a file"),
        ("CONFIG", "/no/config", "'/no/config' does not exist"),
        ("LOG_LEVEL", "loud", "'loud' is not one of"),
        ("LOG_FORMAT", "xml", "'xml' is not one of"),
        ("METRICS", "somewhere", "'somewhere' is not HOST:PORT"),
    ],
)
def test_each_option_has_an_environment_variable(name, value, message):
    told = run(**{f"MINIGEARS_{name}": value})
    assert told.returncode == 2
    assert message in " ".join(told.stderr.split())
    assert f"MINIGEARS_{name}`" in PAGE.replace("`…_", "`MINIGEARS_TLS_")


def test_help_names_every_option_of_the_page():
    told = run("--help", COLUMNS="200").stdout
    options = set(re.findall(r"--[a-z-]+", told)) - {"--help"}
    assert options
    assert options <= set(re.findall(r"`(--[a-z-]+)", PAGE))
