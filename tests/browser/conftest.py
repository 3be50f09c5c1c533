"""A stack for what is looked at in Chromium, the app in front of it, and a page of the app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lab
from lab.stack.model import Stack
from tests.browser.apppage import MOUSE, App, AppPage, running
from tests.browser.jupyterlab import browser_or_skip, chromium
from tests.containers.conftest import own_containers
from tests.lab.conftest import own_stack


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The embedded stack, or the containers of a test that asks for them (`apppage.STACKS`)."""
    browser_or_skip()
    if getattr(request, "param", "embedded") == "containers":
        with own_containers():
            yield lab.up()
    else:
        with own_stack(tmp_path_factory.mktemp("app") / "lab") as stack:
            yield stack


@pytest.fixture(scope="module")
def app(stack: Stack) -> Iterator[App]:
    lab.prepare("empty", "movies")
    with running("write-behind-streams") as process:
        yield process


@pytest.fixture(scope="module")
def window(app: App, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppPage]:
    with chromium(tmp_path_factory.mktemp("chromium"), MOUSE) as driver:
        driver.set_script_timeout(60)
        yield AppPage(driver, app.url)


@pytest.fixture
def page(window: AppPage) -> AppPage:
    window.media()
    window.page.get("about:blank")
    return window.open()
