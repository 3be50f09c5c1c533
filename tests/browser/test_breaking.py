"""The movie app in Chromium when something breaks: what the user sees, and that nothing typed is lost."""

from __future__ import annotations

import time

from selenium.webdriver.common.keys import Keys

import lab
from lab.stack.model import Stack
from tests.browser.apppage import IN_CHROMIUM, App, AppPage
from tests.lab.conftest import frozen

pytestmark = IN_CHROMIUM


def test_the_same_click_that_failed_now_answers(page: AppPage) -> None:
    page.choose("mongo-only")
    page.turn_mongo("off")
    page.click("#add")
    page.fill("Kept")
    page.click(".save")
    page.until_text("#told", "MongoDB")
    assert page.one("#f-title").get_attribute("value") == "Kept"
    assert page.flaws() == []
    page.click("#dialog [data-close]")
    page.turn_mongo("on")
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
        page.until_shown("mongo", "no")
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
        assert page.all("#grid .card:nth-child(2) .watch.playing")  # the next press sends it again
    page.until_shown("mongo", "yes")
    page.choose("write-behind-streams")


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
    card = page.one(".editor").get_attribute("data-keeps")
    page.open()
    page.click("#add")
    page.until_text("#told", "Here is what you had typed")
    assert page.one("#f-title").get_attribute("value") == "Half a movie"
    page.click(".save")
    page.until(lambda: not page.all("dialog[open]"))
    # The same movie as before the reload: one whose answer was lost is not there twice.
    assert page.one("#grid .card:first-child").get_attribute("id") == card
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


def test_a_card_that_somebody_else_has_deleted(page: AppPage, stack: Stack) -> None:
    page.add(f"Short lived {time.time_ns()}")
    page.arrived("Added Short lived")
    card = page.one("#grid .card:first-child").get_attribute("id")
    stack.redis.delete(card.replace("movie-", "MovieEntity:"))
    page.click("#grid .card:first-child .actions .round:nth-child(1)")
    page.until_text("#banner", "This movie has been deleted.")
    assert page.flaws() == []
    page.click("#banner [data-dismiss]")
    assert not page.text("#banner")
    assert page.focused() == "movies"


def test_a_card_that_is_no_longer_shown(page: AppPage) -> None:
    page.click("#grid .card:nth-child(2) .actions .round:nth-child(1)")
    page.until(lambda: page.focused() == "f-title")
    page.script("document.querySelector('#grid .card:nth-child(2)').remove()")  # a search came late
    page.click(".save")
    page.until(lambda: not page.all("dialog[open]"))
    page.until_text("#announce", "Saved:")
