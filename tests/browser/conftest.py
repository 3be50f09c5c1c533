"""A stack for what is looked at in Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lab
from lab import lifecycle
from lab.stack import Stack
from tests.browser.jupyterlab import browser_or_skip
from tests.lab.conftest import end_all, environment


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    browser_or_skip()
    home = tmp_path_factory.mktemp("app") / "lab"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(home).items():
            patch.setenv(name, value)
        patch.setattr(lifecycle, "_current", None)
        try:
            yield lab.up()
        finally:
            end_all(home)
