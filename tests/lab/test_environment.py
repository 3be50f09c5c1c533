"""What a shell says to other Pythons has no say here; where packages come from has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.environment import clean, isolated

MISLEADING = {
    "PIP_USER": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_PREFIX": "/nowhere",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_NO_BINARY": ":all:",
    "PIP_CONSTRAINT": "/nowhere",
    "UV_TARGET": "/nowhere",
    "UV_SYSTEM_PYTHON": "1",
    "UV_PYTHON": "3.9",
    "UV_CONSTRAINT": "/nowhere",
    "UV_EXCLUDE_NEWER": "2001-01-01",
    "UV_PROJECT_ENVIRONMENT": "/nowhere",
    "PYTHONPATH": "/nowhere",
    "PYTHONHOME": "/nowhere",
    "PYTHONOPTIMIZE": "2",
    "PYTHONWARNINGS": "error",
    "VIRTUAL_ENV": "/nowhere",
}
MIRROR = "https://packages.example/simple"


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """The environment of a user with a home of their own and no settings."""
    return {"HOME": str(tmp_path / "home"), "PATH": os.defpath}


def write(user: dict[str, str], name: str, text: str) -> None:
    file = Path(user["HOME"]) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", MISLEADING)
def test_what_would_lead_elsewhere_is_dropped(
    user: dict[str, str], tmp_path: Path, name: str
) -> None:
    said = {**user, name: MISLEADING[name]}
    assert name not in clean(said)
    assert name not in isolated(said, tmp_path)


def test_settings_in_files_are_not_read(user: dict[str, str], tmp_path: Path) -> None:
    made = isolated(user, tmp_path)
    assert made["PIP_CONFIG_FILE"] == os.devnull
    assert made["UV_NO_CONFIG"] == "1"


def test_text_is_utf_8_whatever_the_locale(user: dict[str, str]) -> None:
    assert (
        clean({**user, "LC_ALL": "ja_JP.EUC-JP", "PYTHONIOENCODING": "euc_jp"})["PYTHONUTF8"] == "1"
    )


@pytest.mark.parametrize("variable", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_an_index_in_the_environment_is_told_to_both_tools(
    user: dict[str, str], tmp_path: Path, variable: str
) -> None:
    write(user, ".config/pip/pip.conf", "[global]\nindex-url = https://other.example/simple\n")
    made = isolated({**user, variable: MIRROR}, tmp_path)
    assert made["UV_DEFAULT_INDEX"] == made["PIP_INDEX_URL"] == MIRROR


def test_both_may_have_an_index_of_their_own(user: dict[str, str], tmp_path: Path) -> None:
    said = {"PIP_INDEX_URL": MIRROR, "UV_DEFAULT_INDEX": MIRROR + "/uv"}
    assert isolated({**user, **said}, tmp_path).items() >= said.items()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (".config/pip/pip.conf", f"[global]\nuser = true\nindex-url = {MIRROR}\n"),
        (".pip/pip.conf", f"[install]\nindex-url = {MIRROR}\n"),
    ],
)
def test_the_index_of_pips_files_counts_and_nothing_else_in_them(
    user: dict[str, str], tmp_path: Path, file: str, text: str
) -> None:
    write(user, file, text)
    made = isolated(user, tmp_path)
    assert made["UV_DEFAULT_INDEX"] == made["PIP_INDEX_URL"] == MIRROR
    assert "PIP_USER" not in made


def test_the_index_of_uvs_file_counts(user: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("tomllib")
    index = f'[[index]]\nurl = "{MIRROR}"\ndefault = true\n'
    write(user, ".config/uv/uv.toml", 'pip.target = "/nowhere"\n' + index)
    made = isolated(user, tmp_path)
    assert made["UV_DEFAULT_INDEX"] == made["PIP_INDEX_URL"] == MIRROR


def test_more_that_pip_is_told_of_an_index_is_told_to_uv(
    user: dict[str, str], tmp_path: Path
) -> None:
    said = {
        "PIP_EXTRA_INDEX_URL": MIRROR,
        "PIP_TRUSTED_HOST": "packages.example",
        "PIP_CERT": "/company.pem",
        "PIP_FIND_LINKS": "/one /two",
    }
    made = isolated({**user, **said}, tmp_path)
    assert made["UV_EXTRA_INDEX_URL"] == MIRROR
    assert made["UV_INDEX_STRATEGY"] == "unsafe-best-match"
    assert made["UV_INSECURE_HOST"] == "packages.example"
    assert made["SSL_CERT_FILE"] == "/company.pem"
    assert made["UV_FIND_LINKS"] == "/one,/two"


def test_a_kit_is_the_only_source_in_a_folder_of_any_name(
    user: dict[str, str], tmp_path: Path
) -> None:
    cache = tmp_path / "C# course, 100% ü"
    (cache / "wheels").mkdir(parents=True)
    made = isolated({**user, "PIP_INDEX_URL": MIRROR}, cache)
    assert made["UV_OFFLINE"] == made["PIP_NO_INDEX"] == "1"
    assert made["UV_FIND_LINKS"] == made["PIP_FIND_LINKS"]
    assert not set(made["PIP_FIND_LINKS"]) & set(" ,#%".replace("%", "")), made["PIP_FIND_LINKS"]


def test_nothing_is_cached_in_the_home_folder(user: dict[str, str], tmp_path: Path) -> None:
    made = isolated(user, tmp_path)
    assert made["UV_CACHE_DIR"] == str(tmp_path / "uv")
    assert made["PIP_CACHE_DIR"] == str(tmp_path / "pip")
