"""The lab and RG.*: recipes that `prepare` registers, scripts, the %%gears magic."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import lab
from lab.cells.magics import GearsError
from lab.checkup import fetching
from lab.course import snapshot
from lab.names import movie_key
from lab.stack import gears
from lab.stack.model import Stack

TITLE = 'It\'s "changed": é 映'


def title_in_mongo(stack: Stack, movie_id: str) -> str | None:
    found = stack.db.movies.find_one({"movieId": movie_id})
    return found["title"] if found else None


def readers(stack: Stack) -> list[str]:
    return sorted(registration["reader"] for registration in gears.registrations(stack.redis))


def test_write_behind_is_registered_once_however_often_it_is_prepared(stack: Stack) -> None:
    lab.prepare("empty", "movies", "write-behind")
    lab.prepare("movies", "write-behind")
    assert readers(stack) == ["KeysReader", "StreamReader"]
    assert snapshot.take(stack).queued == 0  # loading the movies was not written behind
    stack.redis.json().set(movie_key("1"), "$.title", TITLE)
    lab.wait_until(lambda: title_in_mongo(stack, "1") == TITLE, what="the title is in MongoDB")
    stack.redis.delete(movie_key("2"))
    lab.wait_until(lambda: title_in_mongo(stack, "2") is None, what="movie 2 is gone")


def test_write_through_takes_the_place_of_write_behind(stack: Stack) -> None:
    lab.prepare("empty", "movies", "write-behind")
    lab.prepare("movies", "write-through")
    assert readers(stack) == ["KeysReader", "KeysReader"]
    stack.redis.json().set(movie_key("1"), "$.title", TITLE)
    assert title_in_mongo(stack, "1") == TITLE


def test_reset_unregisters_too(stack: Stack) -> None:
    lab.prepare("empty", "write-behind")
    lab.reset()
    assert readers(stack) == []
    assert stack.redis.dbsize() == 0


def test_a_bound_of_memory_that_an_experiment_left_is_taken_back(stack: Stack) -> None:
    stack.redis.config_set("maxmemory-policy", "allkeys-lru")
    stack.redis.config_set("maxmemory", 1)
    lab.prepare("empty", "movies", "write-behind")
    assert stack.redis.config_get("maxmemory")["maxmemory"] == "0"
    assert stack.redis.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert snapshot.take(stack).movie_keys == len(lab.load_movies())


def test_a_wait_in_vain_names_the_store_that_is_away(breakable: Stack) -> None:
    lab.prepare("empty", "movies", "write-behind")
    lab.stop("mongo")
    breakable.redis.json().set(movie_key("1"), "$.title", TITLE)
    with pytest.raises(lab.WaitTimeout) as raised:
        lab.wait_until(lambda: False, what="it arrives", timeout=0.1)
    told = str(raised.value)
    assert "? documents in movies" in told
    assert "1 entries" in told
    assert "MongoDB does not answer: lab.start('mongo')" in told
    lab.start("mongo")
    lab.wait_until(lambda: title_in_mongo(breakable, "1") == TITLE, what="the write has arrived")


def test_a_killed_front_door_comes_back_with_its_registrations(breakable: Stack) -> None:
    lab.prepare("empty", "movies", "write-behind")
    lab.kill("minigears")
    lab.start("minigears")
    assert readers(breakable) == ["KeysReader", "StreamReader"]
    breakable.redis.json().set(movie_key("1"), "$.title", TITLE)
    lab.wait_until(lambda: title_in_mongo(breakable, "1") == TITLE, what="the write has arrived")


def test_scripts_run_with_their_configuration(stack: Stack, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("GB('ShardsIDReader').map(lambda r: gearsConfigGet('mood', '?')).run()")
    results, errors = lab.run_gears(script, config={"mood": "fine"})
    assert (results, errors) == (["fine"], [])
    with pytest.raises(lab.LabError, match=r"The script failed in Gears.*ZeroDivisionError"):
        lab.run_gears("1 / 0")
    with pytest.raises(lab.LabError, match=r"ran with errors.*ZeroDivisionError"):
        lab.run_gears("GB('ShardsIDReader').map(lambda r: 1 / 0).run()")


def run(shell: InteractiveShell, source: str) -> None:
    shell.run_cell(source).raise_error()


def test_a_gears_cell_shows_results_and_raises_errors(
    stack: Stack, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.prepare("empty")
    run(shell, "%load_ext lab")
    run(shell, "%%gears\nGB('PythonReader').run(lambda: iter(['é', 'b']))")
    assert capsys.readouterr().out == '2 results\n1) "é"\n2) "b"\n'
    run(shell, "%%gears ID hello DESCRIPTION 'says hello'\nGB().register('greet:*')")
    assert capsys.readouterr().out == "OK\n"
    with pytest.raises(GearsError, match=r"(?s)Traceback.*\n.*NameError: name 'nonsense'"):
        run(shell, "%%gears\nnonsense")
    with pytest.raises(GearsError, match="ZeroDivisionError"):
        run(shell, "%%gears\nGB('ShardsIDReader').map(lambda r: 1 / 0).run()")


def test_gears_cli_runs_a_script_on_this_stack(stack: Stack, tmp_path: Path) -> None:
    script = tmp_path / "hello.py"
    script.write_text("GB('ShardsIDReader').map(lambda r: 'hello').run()")
    assert "hello" in lab.sh(f"lab gears-cli run {script}")
    assert "hello" in lab.sh(f"gears-cli run {stack.gears_cli_args} {script}")
    assert "hello" in lab.sh(f'{stack.cli} RG.PYEXECUTE "$(cat {script})"')


def test_packages_that_cannot_be_had_are_told_with_what_to_type(stack: Stack) -> None:
    """Without a network, 06 ended in a bare AssertionError."""
    nowhere = "pymongo==0.0.1"
    with pytest.raises(lab.LabError, match=rf"{nowhere} could not be installed.*lab.? fetch"):
        lab.run_gears("GB().run()", [nowhere])
    with pytest.raises(lab.CommandFailed, match=rf"{nowhere} could not be installed.*lab.? fetch"):
        lab.sh(f"{stack.cli} RG.PYEXECUTE 'GB().run()' REQUIREMENTS {nowhere}")
    script = "recipes/gears/hello_gears.py"
    with pytest.raises(lab.CommandFailed, match=rf"{nowhere} could not be installed.*lab.? fetch"):
        lab.sh(f"gears-cli run {stack.gears_cli_args} {script} REQUIREMENTS {nowhere}")


def test_what_recipes_ask_for_is_fetched_by_set_up(stack: Stack) -> None:
    done = subprocess.run(["lab", "fetch"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert fetching.missing() == []
    assert "Everything that recipes and gears-cli ask for is here" in done.stdout


def test_what_could_not_be_fetched_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    done = subprocess.run(["lab", "fetch"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "Not everything is here: rgsync==1.2.0, pymongo==3.12.0, gears-cli" in " ".join(
        done.stderr.split()
    )
    assert "Traceback" not in done.stderr
    assert "rgsync" in {f.what: f.detail for f in lab.doctor().findings}["to be fetched"]
