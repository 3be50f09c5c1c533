"""The movies: valid, whole, traceable to their sources, and hard on naive code."""

import importlib.util
import json
import re
import unicodedata
from collections import Counter

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tests.plugins.sandbox import REPOSITORY

DATA = REPOSITORY / "data"


def load_build():
    spec = importlib.util.spec_from_file_location("movies_build", DATA / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build()


@pytest.fixture(scope="module")
def movies():
    lines = (DATA / "movies.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def titles(movies):
    return {movie["title"] for movie in movies}


def repeated(values):
    return [value for value, times in Counter(values).items() if times > 1]


def words(text):
    return len(text.split())


def test_the_schema_is_itself_valid():
    Draft202012Validator.check_schema(json.loads((DATA / "movies.schema.json").read_text("utf-8")))


def test_every_line_follows_the_schema(movies):
    schema = json.loads((DATA / "movies.schema.json").read_text("utf-8"))
    validator = Draft202012Validator(schema, format_checker=FormatChecker(["date"]))
    errors = [
        f"{movie['title']}: {error.json_path} {error.message}"
        for movie in movies
        for error in validator.iter_errors(movie)
    ]
    assert errors == []


def test_there_are_at_least_500_films(movies):
    assert len(movies) >= 500


def test_ids_count_from_one_without_a_gap(movies):
    assert [movie["movieId"] for movie in movies] == [str(i + 1) for i in range(len(movies))]


@pytest.mark.parametrize("fields", [("title", "year"), ("plot",), ("tagline",)], ids="+".join)
def test_no_two_films_share(movies, fields):
    assert repeated(tuple(movie[name] for name in fields) for movie in movies) == []


def test_the_year_is_the_year_of_the_release(movies):
    assert [m["title"] for m in movies if not m["released"].startswith(f"{m['year']}-")] == []


def test_taglines_and_plots_keep_their_length(movies):
    assert [m["title"] for m in movies if words(m["tagline"]) > 12] == []
    assert [m["title"] for m in movies if not 15 <= words(m["plot"]) <= 40] == []


def test_text_is_in_normal_form_c(movies):
    text = (DATA / "movies.jsonl").read_text("utf-8")
    assert unicodedata.is_normalized("NFC", text)
    assert "\ufffd" not in text


HARD_TITLES = {
    "apostrophe": ["Schindler's List", "One Flew Over the Cuckoo's Nest", "Ocean's Eleven"],
    "double quote": ['"Crocodile" Dundee', '"Manos" The Hands of Fate', '"Pimpernel" Smith'],
    "apostrophe and accent": ["Le Fabuleux Destin d'Amélie Poulain", "Mùi đu đủ xanh"],
    "accent": ["Léon", "À bout de souffle", "Låt den rätte komma in", "Kış Uykusu"],
    "Japanese": ["千と千尋の神隠し", "もののけ姫", "ゴジラ"],
    "Korean": ["기생충", "올드보이"],
    "Chinese": ["臥虎藏龍", "花樣年華"],
    "Cyrillic": ["Сталкер", "Солярис"],
    "right to left": ["جدایی نادر از سیمین", "كفرناحوم", "ואלס עם באשיר"],
    "Indic and Thai": ["लगान", "পথের পাঁচালী", "ลุงบุญมีระลึกชาติ"],
    "Greek letter": ["π"],
    "symbol": ["I ♥ Huckabees", "8½", "Alien³", "WALL·E", "Naked Gun 33⅓: The Final Insult"],
    "colon": ["Trois couleurs : Bleu", "3:10 to Yuma"],
    "dots": ["E.T. the Extra-Terrestrial", "S.W.A.T.", "if....", "Good Night, and Good Luck."],
    "shell and glob characters": ["M*A*S*H", "[Rec]", "$", "#살아있다", "Thelma & Louise"],
    "slash": ["Face/Off"],
    "brackets": ["(500) Days of Summer"],
    "question mark": ["O Brother, Where Art Thou?", "Who's Afraid of Virginia Woolf?"],
    "very long": [
        "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb",
        "Borat: Cultural Learnings of America for Make Benefit Glorious Nation of Kazakhstan",
    ],
    "quotes inside a title": ['Precious: Based on the Novel "Push" by Sapphire'],
}


@pytest.mark.parametrize("category", HARD_TITLES)
def test_hard_titles_are_there(titles, category):
    assert set(HARD_TITLES[category]) <= titles


@pytest.mark.parametrize("mark", ["'", '"', "é"])
@pytest.mark.parametrize("field", ["tagline", "plot"])
def test_texts_hold_hard_characters_too(movies, field, mark):
    assert any(mark in movie[field] for movie in movies)


def test_directors_hold_apostrophes_and_accents(movies):
    names = {name for movie in movies for name in movie["directors"]}
    assert {"Gavin O'Connor", "Krzysztof Kieślowski", "Alfonso Cuarón"} <= names


def test_the_sources_rebuild_the_file(capsys):
    assert build.main(["--check"]) == 0


def test_check_notices_a_difference(tmp_path, monkeypatch, capsys):
    changed = tmp_path / "movies.jsonl"
    changed.write_text((DATA / "movies.jsonl").read_text("utf-8").replace("Léon", "Leon"), "utf-8")
    monkeypatch.setattr(build, "MOVIES", changed)
    assert build.main(["--check"]) == 1


def test_the_facts_are_the_rows_that_films_use():
    films = build.read_table(build.FILMS)
    facts = build.read_facts()
    vega = [None] * (1 + max(map(int, facts)))
    for row, values in facts.items():
        vega[int(row)] = values
    extracted = build.extract_facts(vega, films)
    assert build.to_jsonl(extracted) == build.FACTS.read_text("utf-8")
    assert repeated(film["row"] for film in films if film["row"]) == []


def test_facts_of_another_version_are_refused(tmp_path):
    other = tmp_path / "movies.json"
    other.write_text("[]")
    with pytest.raises(ValueError, match=r"vega-datasets 3\.2\.1"):
        build.renew_facts(other)


def test_readme_states_the_true_numbers(movies):
    readme = (DATA / "README.md").read_text("utf-8")
    stated = dict(re.findall(r"^\| ([a-zA-Z -]+) \| (\d+) \|$", readme, re.MULTILINE))
    assert stated == {name: str(number) for name, number in build.numbers(movies).items()}
