from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from minigears.executor.requirements import RequirementStore
from tests.minigears.executor.requirements.wheelhouse import make_wheel


class Log(list[str]):
    """Lines that were logged."""

    def __call__(self, message: str, level: str) -> None:
        self.append(f"{level} {message}")

    def text(self) -> str:
        return "\n".join(self)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that uv and pip look in, and nowhere else.

    `sync` needs driver 4.1.1, like rgsync needs its pymongo.
    """
    folder = tmp_path / "wheels"
    folder.mkdir()
    make_wheel(folder, "driver", "3.12.0")
    make_wheel(folder, "driver", "4.1.1")
    make_wheel(folder, "sync_recipes", "1.2.0", requires="driver==4.1.1")
    config = tmp_path / "uv.toml"
    config.write_text(f"no-index = true\nfind-links = ['{folder}']\n")
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
def make_store(tmp_path: Path, log: Log) -> Callable[..., RequirementStore]:
    def make(folder: str = "cache") -> RequirementStore:
        return RequirementStore(tmp_path / folder, log)

    return make


@pytest.fixture
def store(wheels: Path, make_store: Callable[..., RequirementStore]) -> RequirementStore:
    return make_store()
