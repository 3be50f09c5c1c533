"""The movie app in Chromium: every action, by mouse and by keyboard alone, for everybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

import lab
from lab.stack.model import Stack
from tests.browser.apppage import MOUSE, App, AppPage, running
from tests.browser.jupyterlab import chromium, server
from tests.lab.conftest import frozen

pytestmark = [
    pytest.mark.long,
    pytest.mark.browser,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("browser"),
]


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


def test_a_movie_is_added_with_the_keyboard_alone(page: AppPage) -> None:
    title = f"Keyboard {time.time_ns()}"
    page.until(lambda: page.press(Keys.TAB) or page.focused() == "add")
    page.press(Keys.ENTER)
    page.until(lambda: page.focused() == "f-title")
    page.press(Keys.ENTER)  # nothing is filled in
    page.until_text("#p-title", "Every movie has a title")
    assert page.focused() == "f-title"
    assert page.one("#f-title").get_attribute("aria-invalid") == "true"
    page.press(title, Keys.TAB, "A tagline.", Keys.TAB, "A plot.", Keys.TAB, "1999", Keys.TAB)
    page.until(lambda: page.press(Keys.TAB) or page.focused() == "genres")
    page.press(Keys.SPACE)
    page.until(
        lambda: (
            page.press(Keys.TAB) or "save" in page.script("return document.activeElement.className")
        )
    )
    page.press(Keys.ENTER)
    page.until(lambda: not page.all("dialog[open]"))
    page.until_text("#grid .card:first-child .title", title)
    page.arrived(title)
    page.until_text("#announce", f"Saved: {title}")
    assert page.focused().startswith("play-")


def test_escape_closes_the_dialog_and_gives_the_focus_back(page: AppPage) -> None:
    page.click("#add")
    page.until(lambda: page.focused() == "f-title")
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.all("dialog[open]"))
    assert page.focused() == "add"


def test_edit_and_delete_appear_under_the_mouse_and_with_the_focus(page: AppPage) -> None:
    def seen(number: int) -> bool:
        (actions,) = page.all(f"#grid .card:nth-child({number}) .actions")
        return actions.value_of_css_property("opacity") == "1"

    assert not seen(1)
    ActionChains(page.page).move_to_element(page.one("#grid .card:nth-child(1) .frame")).perform()
    page.until(lambda: seen(1))
    assert not seen(2)
    page.script("document.querySelector('#grid .card:nth-child(2) .play').focus()")
    page.until(lambda: seen(2))


def test_a_movie_is_edited_and_deleted(page: AppPage) -> None:
    first = f"First {time.time_ns()}"
    page.add(first)
    page.click("#grid .card:first-child .actions .round:nth-child(1)")
    page.until(lambda: page.focused() == "f-title")
    page.type("#f-title", "Second <b>&")
    page.click(".save")
    page.until_text("#grid .card:first-child .title", "Second <b>&")
    page.arrived("Changed Second")
    card = page.one("#grid .card:first-child").get_attribute("id")
    page.click("#grid .card:first-child .actions .round:nth-child(2)")
    page.until_text("#dialog-title", "Delete this movie?")
    page.click(".danger")
    page.until(lambda: not page.all(f"[id='{card}']"))
    page.arrived("Deleted Second")


def test_search_as_you_type_and_by_the_form(page: AppPage) -> None:
    page.type("#q", "godf")
    page.until_text("#found", "movies")
    page.until(lambda: "Godfather" in page.text("#grid .card:first-child .title"))
    page.until(lambda: "q=godf" in page.page.current_url)
    page.page.refresh()
    page.until(lambda: page.one("#q").get_attribute("value") == "godf")
    assert "Godfather" in page.text("#grid .card:first-child .title")
    page.type("#q", '@zzqq:{zzqq} "(')
    page.until_text("#found", "No movie matches")
    assert not page.text("#banner")
    page.type("#q", "")
    page.click("#toggle-fields")
    assert page.one("#toggle-fields").get_attribute("aria-expanded") == "true"
    page.until(lambda: page.focused() == "title")
    page.script(
        "const s = document.querySelector('[name=country]'); s.value = 'Japan';"
        "s.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    page.type("[name=from]", "1950")
    page.type("[name=to]", "1954")
    page.until(lambda: "七人の侍" in page.text("#grid"))
    assert "Godfather" not in page.text("#grid")


def test_the_list_goes_on_as_one_scrolls(page: AppPage) -> None:
    before = len(page.all("#grid .card"))
    page.script("scrollTo(0, document.body.scrollHeight)")
    page.until(lambda: len(page.all("#grid .card")) > before)
    titles = [card.get_attribute("id") for card in page.all("#grid .card")]
    assert len(titles) == len(set(titles))


def test_pause_and_continue_watching(page: AppPage) -> None:
    play = "#grid .card:nth-child(3) .play"
    title = page.text("#grid .card:nth-child(3) .title")
    page.click(play)
    page.until(lambda: page.text("#grid .card:nth-child(3) .clock") > "0:00:30")
    page.click(play)
    page.until_text("#continue", title)
    page.arrived(f"Paused {title}")
    assert "Continue" in page.text(play)
    page.open()
    assert title in page.text("#continue")
    assert "Continue" in page.text(play)


def test_turn_mongo_off_add_turn_it_on(page: AppPage) -> None:
    title = f"While MongoDB sleeps {time.time_ns()}"
    page.click("#mongo-switch")
    page.until(lambda: page.all(".panel-inner[data-mongo='no']"), 120)
    page.until_text("#mongo-switch", "Turn MongoDB on")
    page.add(title)
    page.until_text(".journey:first-child", "answered after")
    page.until_text("#behind", "what you write waits in the stream")
    assert "in MongoDB after" not in page.newest()
    assert page.flaws() == []
    page.click("#mongo-switch")
    page.arrived(title)


def test_the_same_click_that_failed_now_answers(page: AppPage) -> None:
    page.choose("mongo-only")
    page.click("#mongo-switch")
    page.until(lambda: page.all(".panel-inner[data-mongo='no']"), 120)
    page.click("#add")
    page.fill("Kept")
    page.click(".save")
    page.until_text("#told", "MongoDB")
    assert page.one("#f-title").get_attribute("value") == "Kept"
    assert page.flaws() == []
    page.click("#dialog [data-close]")
    page.until_text("#mongo-switch", "Turn MongoDB on")
    page.click("#mongo-switch")
    page.until(lambda: page.all(".panel-inner[data-mongo='yes']"), 120)
    page.choose("write-behind-streams")
    page.add("Kept")
    page.arrived("Kept")


def test_a_slow_database_is_felt_by_those_who_wait_for_it(page: AppPage) -> None:
    title = f"Behind {time.time_ns()}"
    page.choose("write-behind-streams")
    with frozen("mongo"):
        page.add(title)
        page.until_text(".journey:first-child", "answered after")
        assert "in MongoDB after" not in page.newest()
        page.until(lambda: page.all(".panel-inner[data-mongo='no']"), 120)
    page.arrived(title)
    page.choose("mongo-only")
    with frozen("mongo"):
        page.click("#add")
        page.fill("Slow")
        page.click(".save")
        page.until_text("dialog .save", "Waiting…")
        assert page.flaws() == []
        page.until_text("#told", "MongoDB")
        page.until_text("dialog .save", "Save again")
        assert page.one("#f-title").get_attribute("value") == "Slow"
        page.press(Keys.ESCAPE)
        play = "#grid .card:nth-child(2) .play"
        page.click(play)
        page.until(lambda: page.text("#grid .card:nth-child(2) .clock") > "0:00:10")
        page.click(play)
        page.until_text(play, "Waiting…")
        page.until_text("#banner", "MongoDB")
    page.until(lambda: page.all(".panel-inner[data-mongo='yes']"), 120)
    page.choose("write-behind-streams")


def test_a_storm(page: AppPage) -> None:
    page.click("#storm")
    page.until_text(".storm-told", "300 of 300 viewers have their answer")
    assert "error" not in page.text(".storm-told")


def test_two_people_edit_the_same_movie(page: AppPage) -> None:
    title = f"Contested {time.time_ns()}"
    page.add(title)
    mine = page.page.current_window_handle
    page.click("#grid .card:first-child .actions .round:nth-child(1)")
    page.until(lambda: page.focused() == "f-title")
    page.type("#f-plot", "Mine.")
    page.page.switch_to.new_window("tab")
    page.open(f"?q={title.replace(' ', '+')}")
    page.click("#grid .card:first-child .actions .round:nth-child(1)")
    page.until(lambda: page.all("dialog[open] #f-plot"))
    page.type("#f-plot", "Theirs.")
    page.click(".save")
    page.until(lambda: not page.all("dialog[open]"))
    page.page.close()
    page.page.switch_to.window(mine)
    page.click(".save")
    page.until_text("#told", "Somebody else changed this movie")
    page.until_text("#p-plot", "Theirs: Theirs.")
    assert page.one("#f-plot").get_attribute("value") == "Mine."
    assert page.flaws() == []
    page.click(".save")
    page.until(lambda: not page.all("dialog[open]"))
    page.until_text("#grid .card:first-child .plot", "Mine.")


def test_a_title_of_2000_characters(page: AppPage, stack: Stack) -> None:
    page.click("#add")
    page.until(lambda: page.all("dialog[open] #f-title"))
    long = "Very long " * 200
    page.script("document.querySelector('#f-title').value = arguments[0]", long)
    page.click(".save")
    page.until_text("#p-title", "at most 200 fit")
    assert page.one("#f-title").get_attribute("value").strip() == long.strip()
    page.press(Keys.ESCAPE)
    movie = lab.load_movies()[0]
    stack.redis.json().set(
        "MovieEntity:long", "$", movie | {"movieId": "long", "title": "W" * 2000, "imdbRating": 10}
    )
    try:
        page.media(400, 860)
        page.open()
        page.until_text("#grid .card:first-child .title", "WWWW")
        assert page.script("return document.documentElement.scrollWidth") <= 400
        assert page.one("#grid .card:first-child").size["height"] < 900
        assert page.flaws() == []
    finally:
        stack.redis.delete("MovieEntity:long")


def test_the_app_ends_and_starts_while_somebody_types(page: AppPage, app: App) -> None:
    title = f"Overnight {time.time_ns()}"
    page.click("#add")
    page.fill(title)
    assert app.end() == 0
    page.click(".save")
    page.until_text("#told", "The app itself does not answer.")
    assert page.one("#f-title").get_attribute("value") == title
    app.start()

    def saved() -> bool:  # at first the app says that it is not ready, and the form stays
        for button in page.all("dialog[open] .save:enabled"):
            button.click()
        return not page.all("dialog[open]")

    page.until(saved)
    page.until_text("#grid .card:first-child .title", title)


def test_what_was_typed_survives_a_reload(page: AppPage) -> None:
    page.click("#add")
    page.fill("Half a movie")
    page.open()
    page.click("#add")
    page.until_text("#told", "Here is what you had typed")
    assert page.one("#f-title").get_attribute("value") == "Half a movie"
    page.click("#dialog [data-close]")
    page.until(lambda: not page.all("dialog[open]"))
    page.click("#add")
    page.until(lambda: page.all("dialog[open] #f-title"))
    assert page.one("#f-title").get_attribute("value") == ""


def test_a_draft_that_was_overtaken_is_told_of(page: AppPage, stack: Stack) -> None:
    title = f"Draft {time.time_ns()}"
    page.add(title)
    key = page.one("#grid .card:first-child").get_attribute("id").replace("movie-", "MovieEntity:")
    page.click("#grid .card:first-child .actions .round:nth-child(1)")
    page.until(lambda: page.focused() == "f-title")
    page.type("#f-plot", "Mine.")
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.all("dialog[open]"))
    stack.redis.json().set(key, "$.tagline", "Theirs.")
    page.click("#grid .card:first-child .actions .round:nth-child(1)")
    page.until_text("#told", "Here is what you had typed")
    page.click(".save")
    page.until_text("#told", "Somebody else changed this movie")
    assert page.one("#f-plot").get_attribute("value") == "Mine."
    page.click("#dialog [data-close]")


def test_redis_is_down(page: AppPage, stack: Stack) -> None:
    page.click("#add")
    page.fill("Typed with care")
    lab.stop("redis")
    try:
        page.click(".save")
        page.until_text("#told", "Redis d")
        assert page.one("#f-title").get_attribute("value") == "Typed with care"
        assert page.flaws() == []
        page.page.get(page.url)
        page.until_text("body", "The cards come from Redis")
        assert page.flaws() == []
    finally:
        lab.start("redis")
    page.until(lambda: page.all("#grid .card"))  # the page looks again by itself


def test_the_worker_is_killed_and_started(page: AppPage) -> None:
    page.until(lambda: "Kill" in page.text("#worker-switch"))
    page.click("#worker-switch")
    page.until_text("#behind", "The worker does not run.")
    title = f"Waits {time.time_ns()}"
    page.add(title)
    assert "in MongoDB after" not in page.newest()
    assert page.flaws() == []
    page.until(lambda: "Start" in page.text("#worker-switch"))
    page.click("#worker-switch")
    page.arrived(title)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_axe_finds_nothing(page: AppPage, scheme: str, width: int) -> None:
    page.media(width, 1000, prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
    page.open()
    found = {"cards": page.flaws()}
    if width == 400:
        page.click("#drawer summary")
    found["panel"] = page.flaws()
    page.click("#toggle-fields")
    found["form"] = page.flaws()
    page.type("[name=from]", "soon")
    page.until_text("#search-problems", "A year")
    found["problem"] = page.flaws()
    page.type("[name=from]", "")
    page.until(lambda: not page.text("#search-problems"))
    page.click("#add")
    page.until(lambda: page.all("dialog[open] #f-title"))
    found["dialog"] = page.flaws()
    page.click(".save")
    page.until_text("#p-title", "Every movie")
    found["dialog with problems"] = page.flaws()
    page.click("#dialog [data-close]")
    page.until(lambda: not page.all("dialog[open]"))
    page.script("document.querySelector('#grid .card .round:nth-child(2)').click()")
    page.until_text("#dialog-title", "Delete")
    found["question"] = page.flaws()
    page.press(Keys.ESCAPE)
    page.type("#q", "zzzzqqqq")
    page.until_text("#found", "No movie matches")
    found["nothing"] = page.flaws()
    assert page.script("return document.documentElement.scrollWidth") <= width
    assert {state: flaws for state, flaws in found.items() if flaws} == {}


def test_nothing_moves_for_those_who_ask_for_it(page: AppPage) -> None:
    page.media(prefers_reduced_motion="reduce")
    moving = page.script(
        "return [...document.querySelectorAll('*')].filter(e =>"
        " getComputedStyle(e).transitionDuration.split(', ').some(d => parseFloat(d) > 0)).length"
    )
    assert moving == 0


def test_titles_in_other_scripts(page: AppPage) -> None:
    page.open("?title=كفرناحوم")
    title = page.one("#grid .card .title")
    assert page.script("return getComputedStyle(arguments[0]).direction", title) == "rtl"
    page.open("?q=神隠し")
    assert "千と千尋の神隠し" in page.text("#grid .title")


def test_no_console_errors(page: AppPage) -> None:
    page.page.get_log("browser")
    page.open("?genre=War")
    page.click("#grid .card .play")
    page.click("#grid .card .play")
    page.until_text("#continue", "Continue watching")
    severe = [line for line in page.page.get_log("browser") if line["level"] == "SEVERE"]
    assert severe == []


def test_ctrl_c_ends_the_app_cleanly(stack: Stack, tmp_path: Path) -> None:
    app = App("write-behind-streams")
    assert app.end() == 0
    app.start()
    assert app.end() == 0


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
