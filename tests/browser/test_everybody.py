"""The movie app in Chromium for everybody: by keyboard alone, read aloud, in other scripts, on a small screen."""

from __future__ import annotations

import time

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.apppage import IN_CHROMIUM, AppPage

pytestmark = IN_CHROMIUM


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


def test_what_cannot_be_pressed_for_a_while_keeps_the_focus(page: AppPage) -> None:
    page.script("document.querySelector('#storm').focus()")
    page.press(Keys.ENTER)
    page.until(lambda: page.all("#storm[aria-disabled=true]"))
    page.press(Keys.ENTER)  # pressed twice, it is one storm
    page.until(lambda: page.all("#storm[aria-disabled=false]"))
    assert page.focused() == "storm"
    assert not page.text("#banner")
    page.script("document.querySelector('#mongo-switch').focus()")
    for answers in ("no", "yes"):
        page.press(Keys.ENTER)
        page.until_shown("mongo", answers)
        page.until_text("#mongo-switch[aria-disabled=false]", "off" if answers == "yes" else "on")
        assert page.focused() == "mongo-switch"


def test_a_way_of_writing_is_chosen_with_the_keyboard(page: AppPage) -> None:
    page.settle()
    page.script("document.querySelector('#mode-write-behind-streams').focus()")
    for key, mode in ((Keys.ARROW_UP, "mongo-only"), (Keys.ARROW_DOWN, "write-behind-streams")):
        page.press(key, key, key)  # past two others, which are not begun
        page.until_shown("mode", mode)
        assert page.focused() == f"mode-{mode}"


def test_the_panel_is_reached_without_passing_all_cards(page: AppPage) -> None:
    page.script("document.querySelector('#add').focus()")
    page.press(Keys.TAB)
    assert page.script("return document.activeElement.closest('#behind') !== null")
    page.media(400, 860)
    places = "return ['#behind', '#movies'].map(s => document.querySelector(s).getBoundingClientRect().top)"
    behind, movies = page.script(places)
    assert behind < movies  # where it is seen first, it is reached first


def test_a_screen_reader_hears_each_thing_once(page: AppPage) -> None:
    title = page.text("#grid .card:nth-child(1) .title")
    page.script(
        "window.said = []; const told = document.querySelector('#announce');"
        "new MutationObserver(() => said.push(told.textContent)).observe(told, {childList: true})"
    )
    page.pause(1, "0:00:10")
    page.click("#grid .card:nth-child(2) .play")
    page.until(lambda: page.text("#grid .card:nth-child(2) .clock") > "0:01:30")
    assert page.script("return window.said") == [f"Paused: {title}"]


def test_a_window_of_320_pixels_has_no_second_scroll_bar(page: AppPage) -> None:
    """A window of 1280 pixels at 400 % zoom."""

    def widths() -> list[int]:
        return list(page.script("return [document.documentElement.scrollWidth, innerWidth]"))

    page.media(320, 700)
    page.open()
    for selector in ("#drawer summary", "#toggle-fields", "#add"):
        page.click(selector)
        has, may = widths()
        assert has <= may
    page.until(lambda: page.focused() == "f-title")
    inside = page.script(
        "const d = document.querySelector('#dialog'); return d.scrollWidth - d.clientWidth"
    )
    assert inside == 0
