"""A stack for what is looked at in Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.stack.model import Stack
from tests.browser.jupyterlab import browser_or_skip
from tests.lab.conftest import own_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    browser_or_skip()
    with own_stack(tmp_path_factory.mktemp("app") / "lab") as stack:
        yield stack
