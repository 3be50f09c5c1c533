"""What notebooks do on a stack: prepare it, wait for it, watch it, run lines, check answers."""

from __future__ import annotations

import json

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from pymongo.errors import PyMongoError

import lab
from lab import checks, paths
from lab.checks.exercise import Answer, Exercise, Wrong
from lab.names import SEARCH_INDEX, movie_key
from lab.stack.model import Stack


def plain(documents: list[dict[str, object]]) -> list[dict[str, object]]:
    """Documents without MongoDB's own id, in the order of the data file."""
    without = [{k: v for k, v in document.items() if k != "_id"} for document in documents]
    return sorted(without, key=lambda document: int(str(document["movieId"])))


def in_redis(stack: Stack) -> list[dict[str, object]]:
    keys = list(stack.redis.scan_iter("MovieEntity:*", _type="ReJSON-RL"))
    return plain([found for [found] in stack.redis.json().mget(keys, "$")])


def test_movies_are_in_both_stores_whatever_was_there(stack: Stack) -> None:
    movies = lab.load_movies()
    lab.prepare("movies")
    stack.redis.json().set(movie_key("1"), "$.title", "changed")
    stack.redis.json().set(movie_key("no-such-movie"), "$", {"movieId": "0"})
    stack.redis.delete(movie_key("2"))
    stack.redis.set(movie_key("3"), "a string")
    stack.redis.set(f"{SEARCH_INDEX}:hash", "Redis OM's note of an index that is gone")
    stack.db.movies.delete_one({"movieId": "4"})
    stack.db.movies.insert_one({"movieId": "0"})
    lab.prepare("movies")
    assert in_redis(stack) == movies
    assert plain(list(stack.db.movies.find())) == movies
    assert not stack.redis.exists(f"{SEARCH_INDEX}:hash")


def test_movies_can_be_searched_and_looked_up(stack: Stack) -> None:
    lab.prepare("movies")
    assert stack.redis.ft(SEARCH_INDEX).search("@title:Schindler").total == 1
    found = stack.db.movies.find({"movieId": "1"}).explain()["queryPlanner"]["winningPlan"]
    assert "IXSCAN" in json.dumps(found, default=str)


def test_empty_is_empty(stack: Stack) -> None:
    stack.redis.set("mine", 1)
    stack.db.mine.insert_one({})
    lab.prepare("empty")
    assert stack.redis.dbsize() == 0
    assert stack.db.list_collection_names() == []


def test_an_unknown_state_is_refused(stack: Stack) -> None:
    with pytest.raises(lab.LabError, match="Known: empty"):
        lab.prepare("full")
    with pytest.raises(lab.LabError, match="Choose one"):
        lab.prepare("write-behind", "write-through")


def test_waiting_measures_the_lag(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter([False, 0, None, "yes"])
    lag = lab.wait_until(lambda: next(answers), what="the fourth answer is yes")
    assert lag > 0
    assert capsys.readouterr().out.endswith("the fourth answer is yes\n")


def test_a_wait_in_vain_shows_both_stores(stack: Stack) -> None:
    lab.prepare("empty", "movies")
    stack.redis.xadd("queue", {"a": 1})
    stack.redis.xgroup_create("queue", "workers", "0")
    stack.redis.xreadgroup("workers", "me", {"queue": ">"})
    with pytest.raises(lab.WaitTimeout) as raised:
        lab.wait_until(lambda: False, what="pigs fly", timeout=0.05)
    told = str(raised.value)
    count = len(lab.load_movies())
    assert "not within 0.05 s: pigs fly" in told
    assert f"{count} keys MovieEntity:*" in told
    assert f"{count} documents in movies" in told
    assert "queue: 1 entries, 1 pending" in told
    assert "No recipe is registered" in told


def test_what_a_condition_raises_is_not_hidden(stack: Stack) -> None:
    with pytest.raises(ZeroDivisionError):
        lab.wait_until(lambda: 1 / 0)


def test_watch_ends_when_the_streams_are_empty(stack: Stack) -> None:
    lab.prepare("empty")
    stack.redis.xadd("queue", {"a": 1})
    asked: list[int] = []

    def drained(now: lab.Snapshot) -> bool:
        asked.append(now.queued)
        stack.redis.delete("queue")
        return now.queued == 0

    seen = lab.watch(drained, seconds=20, every=0.01)
    assert asked == [1, 0]
    assert seen.queued == [1, 0]
    assert seen.documents == [0, 0]
    assert "at most 1 in the stream" in repr(seen)


def test_watch_need_not_hold_up_its_cell(stack: Stack) -> None:
    lab.prepare("empty")
    stack.redis.xadd("queue", {"a": 1})
    seen = lab.watch(lambda now: now.queued == 2, seconds=60, every=0.01, block=False)
    lab.wait_until(lambda: seen.queued, "it looks")
    assert set(seen.queued) == {1}
    stack.redis.xadd("queue", {"a": 1})
    lab.wait_until(lambda: seen.queued[-1] == 2, "it looks on")


def test_watch_moves_in_a_kernel_and_leaves_a_table(stack: Stack) -> None:
    lab.prepare("empty")
    code = "import lab\nlab.up()\nlooks = iter('123')\n"
    code += (
        "seen = lab.watch(lambda now: next(looks) == '3', every=0.01)\nassert len(seen.queued) == 3"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    shown: list[str] = []

    def hear(cell: object, cell_index: int, execute_reply: dict) -> None:
        shown.append(str(execute_reply["content"]["status"]))

    client = NotebookClient(notebook, timeout=120, kernel_name="python3", on_cell_executed=hear)
    client.execute()
    assert shown == ["ok"]
    kinds = [set(output.get("data", {})) for output in notebook.cells[0].outputs]
    assert [kind for kind in kinds if "text/html" in kind]
    assert not [kind for kind in kinds if "application/vnd.jupyter.widget-view+json" in kind]
    assert "documents in MongoDB" in str(notebook.cells[0].outputs)
    assert client.widget_state  # the picture was there meanwhile


def test_watch_is_bounded(stack: Stack) -> None:
    lab.prepare("empty")
    stack.redis.xadd("queue", {"a": 1})
    seen = lab.watch(seconds=0.2, every=0.05)
    assert seen.queued[-1] == 1


def test_a_terminal_line_shows_its_output(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    out = lab.sh(f"{stack.cli} SET a \"$(printf 'two\\nlines')\" && {stack.cli} GET a")
    assert out == 'OK\n"two\\nlines"\n'
    printed = capsys.readouterr().out
    assert printed.startswith(f"$ {stack.cli} SET a")
    assert printed.endswith(out)
    assert lab.sh("pwd") == f"{paths.root()}\n"


def test_a_terminal_line_that_fails_raises_with_its_error(stack: Stack) -> None:
    with pytest.raises(lab.CommandFailed, match=r"status 3\noh no"):
        lab.sh("echo oh no >&2; exit 3")
    with pytest.raises(lab.CommandFailed, match="longer than"):
        lab.sh("read -r _ < <(tail -f /dev/null)", timeout=0.2)


def run(shell: InteractiveShell, source: str) -> None:
    result = shell.run_cell(source)
    result.raise_error()


def test_redis_magics_look_like_redis_cli(
    stack: Stack, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    run(shell, "%load_ext lab")
    run(shell, '%redis SET film "Schindler\'s List é"')
    assert capsys.readouterr().out == "OK\n"
    run(shell, "%%redis\n# a comment\nGET film\n\nMULTI\nINCR counted\nEXEC\nLPUSH film x\n")
    assert capsys.readouterr().out == (
        '> GET film\n"Schindler\'s List é"\n> MULTI\nOK\n> INCR counted\nQUEUED\n'
        "> EXEC\n1) (integer) 1\n> LPUSH film x\n"
        "(error) WRONGTYPE Operation against a key holding the wrong kind of value\n"
    )


def test_an_exercise_tells_what_is_wrong(stack: Stack) -> None:
    lab.prepare("movies")
    right = checks.exercise("03-1").run(checks.exercise("03-1").solution, {"stack": stack})["best"]
    assert lab.check("03-1", right)
    wrong = {
        "still `...`": ...,
        "not a list": stack.db.movies.find(),
        "whole documents": list(stack.db.movies.find()),
        "titles are missing": right[1:],
        "has no rating": [*right, "No Such Film"],
        "the best rated is not the first": right[::-1],
    }
    for message, answer in wrong.items():
        verdict = lab.check("03-1", answer)
        assert not verdict
        assert message in repr(verdict)


def test_a_check_that_raises_fails_with_the_reason() -> None:
    def fails(answer: Answer) -> str:
        raise PyMongoError("the database is away")

    broken = Exercise("00-1", (), "", "", ("a", "b", "c"), fails)
    passed, message = broken.judge({})
    assert not passed
    assert "PyMongoError: the database is away" in message


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(Wrong, match="no `stream` yet"):
        Answer({})["stream"]


def test_hints_become_clearer_and_end() -> None:
    given = [repr(lab.hint("03-1")) for _ in range(4)]
    assert [text[:16] for text in given[:3]] == [f"**Hint {n} of 3.**"[:16] for n in (1, 2, 3)]
    assert given[3] == given[2]
    assert 'lab.solution("03-1")' in given[3]
    assert "imdbRating" in repr(lab.solution("03-1"))


def test_an_unknown_exercise_is_refused() -> None:
    with pytest.raises(lab.LabError, match="there are: 03-1"):
        lab.check("03-99")
    with pytest.raises(lab.LabError, match="there are: none"):
        lab.hint("99-1")
