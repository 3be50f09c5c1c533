"""The movie app in Chromium: a process of `lab app`, a page of it, and axe-core."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.lab.serving import serve
from tests.programs import npm_package

AXE = "axe-core@4.14.1"
PATIENCE = 60.0
IN_CHROMIUM = [
    pytest.mark.long,
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("browser"),
]
STACKS = ["embedded", pytest.param("containers", marks=pytest.mark.containers)]
ON_BOTH_STACKS = pytest.mark.parametrize("stack", STACKS, indirect=True)
MOUSE = (
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,"
    "primaryPointerType=4,availablePointerTypes=4"
)
"""A machine without a screen has no mouse, and then Chromium says that nothing can hover."""


class App:
    """One process of `lab app`, which can be ended and started again on its port."""

    def __init__(self, mode: str, port: int = 0) -> None:
        self._mode, self.port = mode, port
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        self._process, self.url = serve("app", "--mode", self._mode, "--port", str(self.port))
        self.port = urlsplit(self.url).port or 0

    def end(self, how: signal.Signals = signal.SIGINT) -> int:
        assert self._process
        self._process.send_signal(how)
        self._process.communicate(timeout=PATIENCE)
        return self._process.returncode


@contextmanager
def running(mode: str) -> Iterator[App]:
    app = App(mode)
    try:
        yield app
    finally:
        app.end()


def axe_core() -> str:
    """The source of axe-core, which npm brings once; or skip the test."""
    return (npm_package(AXE) / "axe.min.js").read_text()


class AppPage:
    """A page of the app, as somebody uses it."""

    def __init__(self, page: WebDriver, url: str) -> None:
        self.page, self.url = page, url

    def open(self, query: str = "") -> AppPage:
        self.page.get(self.url + query)
        self.until(lambda: self.all("#grid .card"))
        self.until(lambda: self.script("return Boolean(window.htmx)"))
        can_write = ".modes fieldset[aria-disabled=false]"
        self.until(
            lambda: self.all(can_write), problem="the app's first way of writing is not ready"
        )
        return self

    def script(self, code: str, *arguments: Any) -> Any:
        return self.page.execute_script(code, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        return self.page.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        self.until(lambda: self.all(selector))
        return self.all(selector)[0]

    def click(self, selector: str) -> None:
        self.until(lambda: self._clicked(selector))

    def _clicked(self, selector: str) -> bool:
        found = [e for e in self.all(f"{selector}:not([aria-disabled=true])") if e.is_enabled()]
        if found:
            self.script("arguments[0].scrollIntoView({block: 'center'})", found[0])
            found[0].click()
        return bool(found)

    def text(self, selector: str) -> str:
        told = self.script(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent).join('\\n')",
            selector,
        )
        return " ".join(str(told).split())

    def until(
        self, condition: Callable[[], Any], seconds: float = PATIENCE, problem: str = ""
    ) -> Any:
        ignored = [
            ElementClickInterceptedException,
            ElementNotInteractableException,
            StaleElementReferenceException,
        ]
        return WebDriverWait(self.page, seconds, 0.05, ignored).until(
            lambda _: condition(), problem
        )

    def until_text(self, selector: str, words: str) -> None:
        try:
            self.until(lambda: words in self.text(selector))
        except TimeoutException as problem:
            shown = self.text(selector)[:1500]
            raise AssertionError(f"{words!r} is not in {selector}: {shown!r}") from problem

    def until_shown(self, name: str, value: str) -> None:
        """Wait until the panel shows a state: mode, mongo, redis or busy."""
        try:
            self.until(lambda: self.all(f".panel-inner[data-{name}='{value}']"), 120)
        except TimeoutException as problem:
            shown = self.text("#banner, #behind")[:1500]
            raise AssertionError(f"the panel does not show {name} {value}: {shown!r}") from problem

    def settle(self) -> None:
        """Wait until the panel shows that nothing waits, and that each of its writes has arrived."""
        self.until_shown("busy", "no")
        waits = "something still waits; see the totals and the writes of the panel"
        self.until(lambda: self.text(".totals div:first-child dd") == "0", problem=waits)
        unfinished = ".journey:not(.committed, .overtaken)"
        self.until(lambda: not self.all(unfinished), problem=waits)

    def type(self, selector: str, text: str) -> None:
        field = self.one(selector)
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.DELETE)
        field.send_keys(text)

    def focused(self) -> str:
        return str(self.script("return document.activeElement.id || document.activeElement.name"))

    def press(self, *keys: str) -> None:
        self.page.switch_to.active_element.send_keys(*keys)

    def choose(self, mode: str) -> None:
        """Choose a way of writing, and wait until it is ready."""
        self.until(lambda: self.all(".modes fieldset[aria-disabled=false]"))
        self.click(f"#mode-{mode}")
        self.until_shown("mode", mode)

    def fill(self, title: str, genre: str = "Drama") -> None:
        """Fill the form of a movie."""
        self.until(lambda: self.all("dialog[open] #f-title"))
        self.type("#f-title", title)
        self.type("#f-year", "1999")
        self.script(f"document.querySelector('[name=genres][value={genre}]').checked = true")
        self.script(
            "document.querySelector('.editor').dispatchEvent(new Event('input', {bubbles: true}))"
        )

    def add(self, title: str, genre: str = "Drama") -> None:
        """Add a movie; returns when the dialog has closed."""
        self.click("#add")
        self.fill(title, genre)
        self.click(".save")
        self.until(lambda: not self.all("dialog[open]"))
        self.until_text(".journey:first-child", title)

    def pause(self, number: int, at_least: str) -> None:
        """Play a card's movie, and pause it once its clock shows so much."""
        card = f"#grid .card:nth-child({number})"
        title = self.text(f"{card} .title")
        self.click(f"{card} .play")
        self.until(lambda: self.text(f"{card} .clock") > at_least)
        self.click(f"{card} .play")
        self.until_text(".journey:first-child", f"Paused {title}")

    def turn_mongo(self, way: str) -> None:
        """Turn MongoDB "on" or "off", and wait until the app has seen it."""
        other = "off" if way == "on" else "on"
        self.until_text("#mongo-switch[aria-disabled=false]", f"Turn MongoDB {way}")
        self.click("#mongo-switch")
        self.until_shown("mongo", "yes" if way == "on" else "no")
        self.until_text("#mongo-switch[aria-disabled=false]", f"Turn MongoDB {other}")

    def storm(self) -> None:
        """Let a storm blow, and wait until all its viewers have their answer."""
        self.click("#storm")
        self.until(lambda: self.all("#storm[aria-disabled=true]"), problem="no storm begins")
        self.until(lambda: self.all("#storm[aria-disabled=false]"), problem="the storm blows on")
        self.until_text(".storm-told", "300 of 300 viewers have their answer")

    def arrived(self, what: str) -> None:
        """Wait until the newest write is this one, and is in MongoDB."""
        try:
            self.until(lambda: what in self.newest() and "in MongoDB after" in self.newest())
        except TimeoutException as problem:
            raise AssertionError(f"{what!r} has not arrived: {self.newest()!r}") from problem

    def newest(self) -> str:
        """What the panel says of the newest write of this viewer."""
        return self.text(".journey:first-child")

    def flaws(self) -> list[str]:
        """What axe-core finds on the page as it is now."""
        code = (
            f"{axe_core()}; const done = arguments[arguments.length - 1];"
            "axe.run().then(r => done(r.violations.map(v => v.id + ': ' +"
            " v.nodes.map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | '))))"
        )
        found: list[str] = self.page.execute_async_script(code)
        return found

    def media(self, width: int = 1400, height: int = 1000, **features: str) -> None:
        """Set the window, and features such as prefers_color_scheme="dark"."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        told = [{"name": n.replace("_", "-"), "value": v} for n, v in features.items()]
        self.page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": told})
