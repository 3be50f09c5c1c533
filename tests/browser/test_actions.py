"""Every action of the movie app in Chromium, on the embedded stack and once on containers."""

from __future__ import annotations

import time

import pytest

from movieapp.writing.writers import Mode
from tests.browser.apppage import IN_CHROMIUM, ON_BOTH_STACKS, AppPage

pytestmark = [*IN_CHROMIUM, ON_BOTH_STACKS]


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
        "s.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    page.type("[name=from]", "1950")
    page.type("[name=to]", "1954")
    page.until(lambda: "七人の侍" in page.text("#grid") and "Godfather" not in page.text("#grid"))


def scroll_to_the_end(page: AppPage) -> None:
    def is_there() -> bool:
        page.script("scrollTo(0, document.body.scrollHeight)")
        return not page.all("#grid .more")

    page.until(is_there)


def test_the_list_goes_on_as_one_scrolls(page: AppPage) -> None:
    page.open("?genre=War")
    page.add("The newest of the war movies", "War")

    scroll_to_the_end(page)
    cards = [card.get_attribute("id") for card in page.all("#grid .card")]
    assert len(cards) > 24
    assert len(cards) == len(set(cards))  # the new one stands at the top, and not at its place, too


def test_the_count_follows_what_is_added_and_deleted(page: AppPage) -> None:
    page.type("#q", "Zwischenspeicher")
    page.until_text("#found", "No movie matches")
    page.until_text("#grid", "Try fewer words")
    page.add("Zwischenspeicher")
    page.until_text("#found", "1 movie")
    page.until(lambda: not page.one("#grid .nothing").is_displayed())
    page.click("#grid .card:first-child .actions .round:nth-child(2)")
    page.click(".danger")
    page.until_text("#found", "No movie matches")


def test_a_deletion_leaves_no_gap_in_the_list(page: AppPage) -> None:
    page.click("#add")
    page.fill("The best of the war movies", "War")
    page.type("#f-imdbRating", "10")
    page.click(".save")
    page.arrived("The best of the war movies")
    page.open("?genre=War")
    page.click("#grid .card:first-child .actions .round:nth-child(2)")
    page.until_text("#dialog-title", "Delete this movie?")
    page.click(".danger")
    page.until(lambda: not page.all("dialog[open]"))
    assert "The best of the war movies" not in page.text("#grid")
    scroll_to_the_end(page)
    cards = [card.get_attribute("id") for card in page.all("#grid .card")]
    page.until_text("#found", f"{len(cards)} movies")


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
    following = page.one("#grid .card:nth-child(2) .play").get_attribute("id")
    page.click("#grid .card:first-child .actions .round:nth-child(2)")
    page.until_text("#dialog-title", "Delete this movie?")
    page.click(".danger")
    page.until(lambda: not page.all(f"[id='{card}']"))
    page.until(lambda: page.focused() == following)
    page.arrived("Deleted Second")


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


def test_a_movie_plays_on_when_its_card_is_drawn_anew(page: AppPage) -> None:
    page.type("#q", "godfather")
    page.until(lambda: len(page.all("#grid .card")) < 10)
    page.click("#grid .card:first-child .play")  # which takes the focus from the search
    page.until(lambda: page.text("#grid .card:first-child .clock") > "0:01:00")
    assert "Pause" in page.text("#grid .card:first-child .verb")
    page.pause(2, "0:00:30")
    position = page.text("#grid .card:nth-child(2) .clock")
    page.click("#grid .card:nth-child(2) .actions .round:nth-child(1)")
    page.until(lambda: page.focused() == "f-title")
    page.click(".save")
    page.until(lambda: not page.all("dialog[open]"))
    assert page.text("#grid .card:nth-child(2) .clock") == position
    assert "Pause" in page.text("#grid .card:first-child .verb")


def test_turn_mongo_off_add_turn_it_on(page: AppPage) -> None:
    title = f"While MongoDB sleeps {time.time_ns()}"
    page.turn_mongo("off")
    page.add(title)
    page.until_text(".journey:first-child", "answered after")
    page.until_text("#behind", "what you write waits in the stream")
    assert "in MongoDB after" not in page.newest()
    assert page.flaws() == []
    page.turn_mongo("on")
    page.arrived(title)


def test_a_storm(page: AppPage) -> None:
    page.storm()
    assert "error" not in page.text(".storm-told")


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


@pytest.mark.parametrize("mode", list(Mode), ids=lambda mode: mode.value)
def test_each_way_of_writing(page: AppPage, mode: Mode) -> None:
    page.choose(mode.value)
    title = f"{mode.value} {time.time_ns()}"
    page.add(title)
    page.arrived(title)
