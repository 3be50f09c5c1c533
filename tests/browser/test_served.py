"""Where the movie app is served: by `lab app`, through a notebook's proxy, in a frame."""

from __future__ import annotations

import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.browser.apppage import IN_CHROMIUM, App, AppPage
from tests.browser.jupyterlab import server

pytestmark = IN_CHROMIUM


def test_no_console_errors(page: AppPage) -> None:
    page.page.get_log("browser")
    page.open("?genre=War")
    page.click("#grid .card .play")
    page.click("#grid .card .play")
    page.until_text("#continue", "Continue watching")
    severe = [line for line in page.page.get_log("browser") if line["level"] == "SEVERE"]
    assert severe == []


def test_ctrl_c_ends_the_app_cleanly(app: App) -> None:
    for _ in range(2):
        assert app.end() == 0
        app.start()


def test_behind_a_proxy_of_the_notebook(page: AppPage, app: App, tmp_path: Path) -> None:
    """jupyter-server-proxy puts a path before every address, and asks for a token."""
    with server(tmp_path, "JupyterLab Light", tmp_path) as url:
        base, _, token = url.partition("lab/tree/{}")
        page.page.get(f"{base}proxy/{app.port}/{token}")
        page.until(lambda: page.all("#grid .card"))
        page.until(lambda: page.script("return Boolean(window.htmx)"))
        title = f"Through a proxy {time.time_ns()}"
        page.add(title)
        page.arrived(title)


def test_in_a_frame_of_another_port(page: AppPage, app: App, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(
        f'<iframe src="{app.url}" width="1300" height="900"></iframe>'
    )
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as notebook:
        threading.Thread(target=notebook.serve_forever, daemon=True).start()
        page.page.get(f"http://localhost:{notebook.server_port}/index.html")
        page.page.switch_to.frame(page.one("iframe"))
        page.until(lambda: page.all("#grid .card"))
        page.until(lambda: page.script("return Boolean(window.htmx)"))
        page.add(f"In a frame {time.time_ns()}")
        page.page.switch_to.default_content()
        notebook.shutdown()
