"""A JupyterLab server, and Chromium on it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.chrome.webdriver import WebDriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from lab.jupyterlab import SETTINGS
from tests.programs import left_out

_STARTS = 60.0  # seconds that a server or a page may take on a slow machine
_CELL = 120.0  # seconds in which a cell has to end, as in tests/notebooks
_NARROW = 760  # pixels, below which JupyterLab takes a window for a phone's
_ERROR = re.compile(r"^Traceback|^\w*(Error|Interrupt|Exception): ", re.MULTILINE)
_SETTINGS = {
    # All cells stay in the page, so that it can be asked about all of them.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --window-size=1400,2200"
)


def browser_or_skip() -> tuple[str, str]:
    """Return the paths of Chromium and of its driver, or skip the test."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not browser or not driver:
        left_out("no Chromium with its driver here (Debian: chromium chromium-driver)")
    return browser, driver


@contextmanager
def server(root: Path, theme: str, folder: Path) -> Iterator[str]:
    """Serve `root` in JupyterLab with a theme; yield the URL of its page with {} for the path."""
    themes = {"@jupyterlab/apputils-extension/themes": {"theme": theme}}
    for name, content in (_SETTINGS | themes).items():
        file = folder / "settings" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    runtime = folder / "runtime"
    env = {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTER_RUNTIME_DIR": str(runtime)}
    env["JUPYTER_CONFIG_PATH"] = str(SETTINGS)  # what a learner has
    words = ["--no-browser", "--allow-root", "--ServerApp.port=0", "--LabApp.news_url=None"]
    words += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    words += [
        "--LabApp.expose_app_in_browser=True"
    ]  # its model says what has run; the page may lag
    with (folder / "jupyter.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", *words],
            env={**os.environ, **env},
            stdout=log,
            stderr=log,
        )
    try:
        known = _server_file(runtime, process.pid)
        yield f"{known['url']}lab/tree/{{}}?token={known['token']}"
    finally:
        process.terminate()  # it ends its kernels first
        process.wait()


def _server_file(runtime: Path, pid: int) -> dict[str, str]:
    """Read the file in which a server that is ready says where it is."""
    for attempt in Retrying(
        retry=retry_if_exception_type((OSError, ValueError)),
        stop=stop_after_delay(_STARTS),
        wait=wait_fixed(0.1),
    ):
        with attempt:
            known: dict[str, str] = json.loads((runtime / f"jpserver-{pid}.json").read_text())
    return known


@contextmanager
def chromium(folder: Path, *flags: str) -> Iterator[WebDriver]:
    """Open Chromium with a profile of its own and perhaps more flags, and close it."""
    browser, driver = browser_or_skip()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS.split(), *flags, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    page = webdriver.Chrome(options=options, service=Service(driver))
    page.set_script_timeout(_STARTS)
    try:
        yield page
    finally:
        page.quit()


_TOO_WIDE = """
const shown = '.jp-RenderedHTMLCommon, .jp-RenderedText, .jp-RenderedSVG, img, svg, table, iframe';
const scrolls = (e, cell) => {
  for (let above = e; above !== cell; above = above.parentElement)
    if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(above).overflowX)) return true;
  return false;
};
return [...document.querySelectorAll('.jp-Notebook .jp-Cell')].flatMap(cell => {
  const edge = cell.getBoundingClientRect().right + 2;
  return [...cell.querySelectorAll(shown)]
    .filter(e => e.getBoundingClientRect().right > edge && !scrolls(e, cell))
    .map(e => `${e.tagName} ${e.className}: ${e.textContent.trim().slice(0, 80)}`);
});
"""


class NotebookPage:
    """A notebook that is open in JupyterLab."""

    def __init__(self, page: WebDriver, url: str) -> None:
        self._page = page
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})  # of who was here before
        page.get(url)
        # Cells that are run before there is a kernel make JupyterLab ask for one.
        self._until(lambda: any("| Idle" in bar.text for bar in self._all("#jp-main-statusbar")))

    def run_all_cells(self) -> None:
        """Choose Run, Run All Cells, and wait until every code cell has run or one has failed.

        There is no limit for the whole, only for a cell: a busy machine takes longer, and goes on.
        """
        (run,) = [item for item in self._all(".lm-MenuBar-item") if item.text == "Run"]
        run.click()
        self._until(lambda: self._all("[data-command='runmenu:run-all']"))
        self._all("[data-command='runmenu:run-all']")[0].click()
        while (left := len(self._waiting())) and not self.failures():
            self._until(partial(self._has_gone_on, left), _CELL)

    def failures(self) -> list[str]:
        """Return the errors with which cells have ended, as the notebook's model has them."""
        ended = "output.output_type === 'error'"
        return self._cells(
            f"(cell.toJSON().outputs || []).filter(output => {ended}).map(output => output.ename)"
        )

    def errors(self) -> list[str]:
        """Return the errors of cells that the page shows, among what went to standard error."""
        shown = self._all("[data-mime-type='application/vnd.jupyter.stderr']")
        return [text for text in (output.text for output in shown) if _ERROR.search(text)]

    def broken_diagrams(self) -> list[str]:
        """Return the Mermaid diagrams that could not be drawn."""
        return [shown.text for shown in self._all(".jp-RenderedMermaid.jp-mod-warning")]

    def pictures_without_alt(self) -> list[str]:
        """Return the beginnings of pictures' addresses that have no alt text."""
        pictures = self._all(".jp-Notebook img")
        bare = [picture for picture in pictures if not picture.get_attribute("alt")]
        return [(picture.get_attribute("src") or "")[:60] for picture in bare]

    def missing_pictures(self) -> list[str]:
        """Return the alt texts of pictures that are not there."""
        return list(
            self._page.execute_script(
                "return [...document.querySelectorAll('.jp-Notebook img')]"
                ".filter(one => one.complete && !one.naturalWidth).map(one => one.alt)"
            )
        )

    def too_wide_at(self, width: int) -> list[str]:
        """Name what is cut off in a window of so many pixels: it is wider than its cell, and does not scroll."""
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self._page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self._until(lambda: self._page.execute_script("return innerWidth") == width)
        if width < _NARROW:  # as JupyterLab itself does when it is opened so: no side bar
            self._page.execute_script("window.jupyterapp.shell.collapseLeft()")
        self._until(lambda: width * 0.6 < self._all(".jp-Notebook")[0].size["width"] <= width)
        return list(self._page.execute_script(_TOO_WIDE))

    def is_light(self) -> bool:
        """Tell whether the page shows a light theme."""
        return self._page.execute_script("return document.body.dataset.jpThemeLight") == "true"

    def choose_theme(self, name: str) -> None:
        """Choose a theme, and wait until the page has it."""
        self._page.execute_script(
            "window.jupyterapp.commands.execute('apputils:change-theme', {theme: arguments[0]})",
            name,
        )
        here = "return document.body.dataset.jpThemeName"
        self._until(lambda: self._page.execute_script(here) == name)

    def take_the_tour(self, id: str, steps: list[dict[str, str]]) -> None:
        """Begin a tour of the menu Help, and see each of its steps.

        It passes over what is not on the page yet, and is not known before its settings are read.
        """
        for step in steps:
            self._until(lambda step=step: self._all(step["target"]))
        self._until(partial(self._has_begun, f"jupyterlab-tour:user-tours:{id}"))
        for step in steps:
            self._until(lambda step=step: step["title"] in self._tip())
            (go_on,) = [one for one in self._all("button") if one.text.startswith(("Next", "Done"))]
            go_on.click()
        self._until(lambda: steps[-1]["title"] not in self._tip())

    def _has_begun(self, tour: str) -> bool:
        """Ask for a tour, and give it time to come: asked for twice, it begins anew in the middle."""
        launch = "window.jupyterapp.commands.execute('jupyterlab-tour:launch', {id: arguments[0]})"
        self._page.execute_script(launch, tour)
        with contextlib.suppress(TimeoutException):
            self._until(self._tip, 15)
        return bool(self._tip())

    def _tip(self) -> str:
        """What the tour says at this step."""
        return "".join(tip.text for tip in self._all(".react-joyride__tooltip"))

    def close(self) -> None:
        """Save the notebook and end its kernel, so that the next one has the machine."""
        self._page.execute_async_script(
            "const done = arguments[0]; const app = window.jupyterapp;"
            "app.commands.execute('docmanager:save')"
            ".then(() => app.serviceManager.sessions.shutdownAll()).then(done, done);"
        )

    def photograph(self, file: Path) -> None:
        """Write what the page shows to a PNG file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._page.save_screenshot(str(file))

    def _has_gone_on(self, left: int) -> bool:
        return len(self._waiting()) != left or bool(self.failures())

    def _waiting(self) -> list[str]:
        """Return the first lines of the code cells that have not ended yet."""
        ended = "cell.executionState === 'idle' && cell.executionCount"
        empty = "!cell.sharedModel.source.trim()"
        return self._cells(
            f"cell.type !== 'code' || {empty} || ({ended}) ? [] : [cell.sharedModel.source.split('\\n')[0]]"
        )

    def _cells(self, words: str) -> list[str]:
        """Ask each cell of the model for a list, in JavaScript, and return all in one."""
        return list(
            self._page.execute_script(
                "const model = window.jupyterapp.shell.currentWidget.content.model;"
                f"return [...model.cells].flatMap(cell => {words})"
            )
        )

    def _all(self, selector: str) -> list:
        return self._page.find_elements(By.CSS_SELECTOR, selector)

    def _until(self, condition, seconds: float = _STARTS) -> None:
        wait = WebDriverWait(
            self._page, seconds, ignored_exceptions=[StaleElementReferenceException]
        )
        wait.until(lambda _: condition())
