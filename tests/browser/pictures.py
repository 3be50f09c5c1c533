"""The pictures that the docs show, of the movie app and of redis-commander: `make pictures` makes them again.

They are taken on a stack of their own, and only in states that the page itself shows: writes that
wait, or that have all arrived. A state that does not come ends the run, and says what was seen.
"""

from __future__ import annotations

import base64
import contextlib
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

import lab
from lab.stack.model import Stack
from tests.browser.apppage import MOUSE, AppPage, running
from tests.browser.jupyterlab import chromium
from tests.ending import end_in_order
from tests.lab.conftest import own_stack
from tests.lab.serving import serve
from tests.plugins.sandbox import REPOSITORY

FOLDER = REPOSITORY / "docs/images"
_QUALITY = 82


def light(page: AppPage) -> None:
    """Cards, one of them under the mouse, one playing; three pauses and a storm have arrived."""
    page.media(prefers_color_scheme="light")
    page.open()
    for number, seconds in ((1, "0:02:0"), (2, "0:02:3"), (3, "0:02:5")):
        page.pause(number, seconds)
    page.storm()
    page.settle()
    page.click("#grid .card:nth-child(4) .play")
    page.until(lambda: page.text("#grid .card:nth-child(4) .clock") > "0:00:20")
    _rest(page)
    _hover(page, "#grid .card:nth-child(3) .frame")


def dialog(page: AppPage) -> None:
    """A form that was refused: what is wrong stands beside the fields."""
    page.media(prefers_color_scheme="light")
    page.open()
    page.click("#add")
    page.until(lambda: page.focused() == "f-title")
    page.type("#f-title", "Metropolis")
    page.type(
        "#f-plot", "In a city of towers, the son of its master meets those who keep it running."
    )
    page.type("#f-year", "nineteen")
    page.click(".save")
    page.until_text("#p-year", "A year from")


def narrow(page: AppPage) -> None:
    """A telephone, 400 pixels wide, with what a search by the form has found."""
    page.media(400, 860, prefers_color_scheme="light")
    page.open("?genre=Animation")
    page.click("#toggle-fields")
    _rest(page)


def outage(page: AppPage) -> None:
    """Dark: MongoDB is off, a storm has blown, and 301 writes wait."""
    page.media(prefers_color_scheme="dark")
    page.open("?genre=Sci-Fi&country=USA&from=1960")
    page.turn_mongo("off")
    page.storm()
    page.pause(5, "0:01:3")
    page.until_text("#places", "301 wait")
    _rest(page)


def drained(page: AppPage) -> None:
    """Dark: MongoDB is on again, and what waited has arrived."""
    page.turn_mongo("on")
    page.settle()
    page.until_text(".place:nth-child(3)", "movies")
    _rest(page)


OF_THE_APP: dict[str, Callable[[AppPage], None]] = {
    "movieapp-light": light,
    "movieapp-dialog": dialog,
    "movieapp-400px": narrow,
    "movieapp-outage-dark": outage,
    "movieapp-drained-dark": drained,
}
"""By name, in the order in which they are taken: the last goes on where the one before ended."""


PICTURES = {"redis-commander", *OF_THE_APP}


def redis_commander(page: AppPage) -> None:
    """The movies in the tree, and a stream whose three entries wait for MongoDB."""
    page.media(1200, 800)
    page.page.get(page.url)

    def is_chosen() -> bool:
        named = "//a[contains(., '_movies-stream') and contains(., '(3)')]"
        for stream in page.page.find_elements(By.XPATH, named):
            stream.click()
            return True
        return False

    page.until(is_chosen, problem="no stream with three entries in the tree")
    page.until_text("#body", "MovieEntity:3")


@click.command()
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=FOLDER)
def main(into: Path) -> None:
    """Take every picture anew."""
    end_in_order()
    into.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="wb-") as folder,
        own_stack(Path(folder) / "lab") as stack,
        chromium(Path(folder) / "chromium", MOUSE, "--hide-scrollbars") as driver,
    ):
        with _commander(stack) as url:
            page = AppPage(driver, url)
            redis_commander(page)
            _take(page, into / "redis-commander.webp", height=345)  # above its command line
        lab.prepare("empty", "movies")
        with running("write-behind-streams") as app:
            page = AppPage(driver, app.url)
            for name, pose in OF_THE_APP.items():
                pose(page)
                _take(page, into / f"{name}.webp")


def _take(page: AppPage, file: Path, height: int | None = None) -> None:
    """Write what the page shows, or its upper `height` pixels, to a file."""
    told: dict[str, Any] = {"format": "webp", "quality": _QUALITY}
    if height:
        width = page.script("return innerWidth")
        told["clip"] = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    taken = page.page.execute_cdp_cmd("Page.captureScreenshot", told)
    file.write_bytes(base64.b64decode(taken["data"]))
    click.echo(f"{file} ({file.stat().st_size // 1024} KB)")


@contextlib.contextmanager
def _commander(stack: Stack) -> Iterator[str]:
    """The address of redis-commander, while three writes to movies wait for MongoDB."""
    lab.prepare("empty", "movies", "write-behind")
    commander, url = serve("insight")  # which starts what does not run
    try:
        lab.stop("mongo")
        for number in (1, 2, 3):
            stack.redis.json().set(f"MovieEntity:{number}", "$.tagline", "It waits.")
        yield url
    finally:
        commander.send_signal(signal.SIGINT)
        commander.communicate()
        lab.start("mongo")


def _rest(page: AppPage) -> None:
    """Show the top of the page, with nothing that has the focus or is under the mouse."""
    top = "document.activeElement.blur(); scrollTo(0, 0); document.querySelector('#behind').scrollTop = 0"
    page.script(top)
    ActionChains(page.page).move_to_element(page.one(".brand")).perform()


def _hover(page: AppPage, selector: str) -> None:
    """Put the mouse on something, and wait until what that shows is seen."""
    ActionChains(page.page).move_to_element(page.one(selector)).perform()
    shown = page.one(f"{selector} .actions")
    page.until(lambda: shown.value_of_css_property("opacity") == "1")


if __name__ == "__main__":
    main()
