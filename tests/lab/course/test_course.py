"""What goes along with a learner: predictions, quizzes, progress, restore, checkpoint, rehearse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from nbformat import v4, write

import lab
from lab import paths
from lab.checks import check
from lab.cli import main
from lab.course import ledger, rehearsing
from lab.course import progress as counted
from lab.course.notebooks import all_notebooks, number_of
from lab.course.quizzes import QUIZZES
from lab.course.quizzes.question import LETTERS
from lab.course.restoring import checkpoint, keep_originals, restore
from lab.errors import LabError
from lab.stack.model import Stack
from tests.plugins.sandbox import REPOSITORY

QUESTIONS = [(number, n) for number, questions in QUIZZES.items() for n in range(len(questions))]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "lab"))
    return tmp_path / "lab"


@pytest.fixture
def course(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course's folder of its own, without git; a learner may do to it what a learner does."""
    folder = tmp_path / "course"
    (folder / "data").mkdir(parents=True)
    (folder / "notebooks").mkdir()
    for name in ("05_react_to_events.ipynb", "06_write_behind.ipynb"):
        shutil.copy(REPOSITORY / "notebooks" / name, folder / "notebooks" / name)
    monkeypatch.setattr(paths, "root", lambda: folder)
    return folder / "notebooks"


def in_git(course: Path) -> None:
    git = ["git", "-C", str(course.parent), "-c", "user.name=A", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "course"]):
        subprocess.run([*git, *words], check=True)


def test_a_prediction_stands_beside_what_happened(home: Path) -> None:
    lab.predict("06-1", 4)
    seen = lab.predict("06-1", happened=2)
    assert seen.came_true is False
    assert "You predicted: 4" in repr(seen)
    assert "It was:        2" in repr(seen)
    assert "factor of 2.0" in repr(seen)
    assert lab.predict("06-1", happened=4).came_true is True


def test_no_prediction_stops_nothing(home: Path) -> None:
    assert "nothing yet" in repr(lab.predict("06-1", ...))
    assert lab.predict("06-1", happened=[]).came_true is None


@pytest.mark.parametrize(
    ("guess", "happened", "told"),
    [
        ([1, 10], [2, 5], "a factor of 2.0, 2.0"),
        ([0.5, 3000], [1.25, 1464.9], "1.25, 1465\nYou were off"),
        ("An Error ", "an error", "As you said"),
        (True, False, "Not what you said"),
        (0, 3, "Not what you said"),
        ([1], [1, 2], "Not what you said"),
        (2, "two", "Not what you said"),
    ],
)
def test_any_plain_guess_is_compared(
    home: Path, guess: object, happened: object, told: str
) -> None:
    lab.predict("01-1", guess)
    assert told in repr(lab.predict("01-1", happened=happened))


@pytest.mark.parametrize(("id", "guess"), [("six", 1), ("06-1", object()), ("06-1", float("nan"))])
def test_what_cannot_be_remembered_is_refused(home: Path, id: str, guess: object) -> None:
    with pytest.raises(LabError):
        lab.predict(id, guess)
    assert not ledger.read()["predictions"]


@pytest.mark.parametrize(("number", "n"), QUESTIONS)
def test_a_question_has_one_right_answer_and_a_sentence_for_each(
    home: Path, number: str, n: int
) -> None:
    question = QUIZZES[number][n]
    assert [question.is_right(letter) for letter in LETTERS].count(True) == 1
    for letter, choice in question.shown.items():
        told = repr(lab.quiz(number, *[...] * n, letter))
        assert choice.why in told
        assert ("✓ Right." in told) is choice.is_right
    assert question.hint in repr(lab.quiz(number, hint=n + 1))


def test_the_right_letters_follow_no_pattern() -> None:
    right = [next(x for x in LETTERS if QUIZZES[number][n].is_right(x)) for number, n in QUESTIONS]
    assert all(right.count(letter) > len(right) / 6 for letter in LETTERS)


@pytest.mark.parametrize("answers", [["d"], [1], ["a"] * 4, ["ab"], [""]])
def test_an_answer_that_is_none_is_told(home: Path, answers: list[object]) -> None:
    with pytest.raises(LabError):
        lab.quiz("06", *answers)


def test_progress_counts_what_was_solved_and_can_forget_it(home: Path) -> None:
    stores = [row for row in counted.rows() if row.number == "01"]
    assert stores[0].solved == 0
    right = [next(x for x in LETTERS if one.is_right(x)) for one in QUIZZES["01"]]
    assert lab.quiz("01", *right)
    wrong = next(x for x in LETTERS if x != right[0])
    assert not lab.quiz("01", wrong)  # takes nothing away
    assert check("01-1", lambda pauses: list({p["_id"]: p for p in pauses}.values()))
    assert [row.solved for row in counted.rows() if row.number == "01"] == [4]
    assert "4 of 5" in CliRunner().invoke(main, ["progress"]).output
    assert "Forgotten" in CliRunner().invoke(main, ["progress", "--reset", "--yes"]).output
    assert not (home / ledger.FILE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"quizzes": 3}'])
def test_a_damaged_file_is_put_aside_and_a_new_one_begun(home: Path, text: str) -> None:
    home.mkdir()
    (home / ledger.FILE).write_text(text)
    lab.predict("06-1", 4)
    assert json.loads((home / ledger.FILE).read_text())["predictions"] == {"06-1": 4}
    assert (home / "progress.damaged.json").read_text() == text


def test_a_disk_that_takes_nothing_does_not_cost_the_verdict(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "file" / "lab"))
    right = [next(x for x in LETTERS if one.is_right(x)) for one in QUIZZES["01"]]
    assert lab.quiz("01", *right)


@pytest.mark.parametrize("keep", [in_git, lambda course: keep_originals()], ids=["git", "archive"])
def test_an_original_comes_back_and_the_learners_copy_stays(course: Path, keep) -> None:
    keep(course)
    mine = course / "05_react_to_events.ipynb"
    original = mine.read_bytes()
    assert restore("05") is None
    for number, text in enumerate(("half a file", "another"), start=1):
        mine.write_text(text)
        kept = restore("05")
        assert kept is not None
        assert kept.name == f"05_react_to_events.mine-{number}.ipynb"
        assert kept.read_text() == text
        assert mine.read_bytes() == original
    mine.unlink()
    assert restore("05") is None
    assert mine.read_bytes() == original
    assert list(all_notebooks()) == ["05", "06"]


def test_without_an_original_nothing_is_touched(course: Path) -> None:
    mine = course / "05_react_to_events.ipynb"
    mine.write_text("mine")
    with pytest.raises(LabError, match="no original"):
        restore("05")
    assert mine.read_text() == "mine"
    with pytest.raises(LabError, match="There is no notebook '99'; there are: 05, 06"):
        restore("99")


def test_a_checkpoint_is_the_state_in_which_a_notebook_begins(stack: Stack) -> None:
    stack.redis.set("left", "over")
    assert checkpoint("07") == ("empty", "movies", "write-behind")
    assert not stack.redis.exists("left")
    assert stack.db.movies.count_documents({}) == len(lab.load_movies())
    assert len(stack.redis.execute_command("RG.DUMPREGISTRATIONS")) == 2
    checkpoint("04")
    assert stack.redis.execute_command("RG.DUMPREGISTRATIONS") == []


@pytest.mark.parametrize(
    "typed", ["5", "05", "05_react_to_events.ipynb", "notebooks/05_react_to_events.ipynb"]
)
def test_a_notebook_may_be_named_in_any_way(course: Path, typed: str) -> None:
    assert number_of(typed) == "05"
    keep_originals()
    (course / "05_react_to_events.ipynb").write_text("mine")
    assert "is as it was" in CliRunner().invoke(main, ["restore", typed]).output


@pytest.mark.parametrize("words", [["rehearse", "99"], ["checkpoint", "99"], ["restore", "99"]])
def test_a_notebook_that_is_not_there_is_one_message_and_starts_nothing(
    home: Path, words: list[str]
) -> None:
    done = subprocess.run(["lab", *words], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("There is no notebook '99'; there are: 00, 01")
    assert not home.exists()


def test_a_rehearsal_is_not_held_on_a_stack_of_everybodys(monkeypatch, home: Path) -> None:
    monkeypatch.setenv("LAB_STACK", "external")
    with pytest.raises(LabError, match="LAB_STACK=embedded lab rehearse"):
        rehearsing.rehearse(("04",), print)


def test_a_checkpoint_says_what_it_empties_and_asks(stack: Stack) -> None:
    stack.redis.set("mine", 1)
    asked = CliRunner().invoke(main, ["checkpoint", "6"], input="n\n")
    assert asked.exit_code == 1
    assert stack.redis_url in asked.output
    assert stack.redis.exists("mine")


def small(folder: Path, number: str, *sources: str) -> None:
    cells = [v4.new_code_cell(source) for source in sources]
    write(v4.new_notebook(cells=cells), folder / f"{number}_small.ipynb")


def test_a_rehearsal_times_and_names_what_fails(course: Path, home: Path, monkeypatch) -> None:
    small(course, "21", "1 + 1")
    small(course, "22", "raise ValueError('too bad')")
    small(course, "23", "print('slow')")
    told: list[rehearsing.Timing] = []
    monkeypatch.setattr(rehearsing, "LIMIT", 1000)
    rehearsing.rehearse(("21", "22"), told.append)
    assert [timing.verdict for timing in told] == ["ok", "fails: ValueError: too bad"]
    monkeypatch.setattr(rehearsing, "LIMIT", 0)
    (slow,) = rehearsing.rehearse(("23",), told.append)
    assert "too slow" in slow.verdict
    assert "print('slow')" in slow.verdict
    assert not home.exists(), "it wrote to the learner's own folder"


def test_a_rehearsal_in_another_order_is_the_same_for_a_seed() -> None:
    known = tuple(all_notebooks())
    orders = {rehearsing.shuffled(known, seed) for seed in (1, 1, 2, 3)}
    assert len(orders - {known}) == 3
    assert all(sorted(order) == sorted(known) for order in orders)


@pytest.mark.parametrize("number", all_notebooks())
def test_every_notebook_has_a_checkpoint(stack: Stack, number: str) -> None:
    """Its states are those with which its own first cell that prepares brings the stores there."""
    stack.redis.set("left", "over")
    states = checkpoint(number)
    assert not stack.redis.exists("left")
    assert stack.db.movies.count_documents({}) == (
        len(lab.load_movies()) if "movies" in states else 0
    )
    assert bool(stack.redis.execute_command("RG.DUMPREGISTRATIONS")) == ("write-behind" in states)


@pytest.mark.parametrize(
    ("there", "how"),
    [
        pytest.param("rehearse-*", signal.SIGINT, id="Ctrl-C at once"),
        pytest.param("rehearse-*/*/*", signal.SIGINT, id="Ctrl-C while it runs"),
        pytest.param("rehearse-*/*/*", signal.SIGTERM, id="SIGTERM while it runs"),
    ],
)
def test_ctrl_c_ends_a_rehearsal_and_its_servers(
    tmp_path: Path, there: str, how: signal.Signals
) -> None:
    words = ["lab", "rehearse", "00"]
    env = {**os.environ, "TMPDIR": str(tmp_path), "LAB_HOME": str(tmp_path / "none")}
    running = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, start_new_session=True)
    until = time.monotonic() + 60
    while not list(tmp_path.glob(there)):
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.05)
    running.send_signal(how)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert b"Stopped" in told
    assert not list(tmp_path.glob("rehearse-*"))


def test_ctrl_c_the_moment_the_folder_is_there_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next line that runs after the folder was made is never reached."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mkdir = Path.mkdir

    def interrupted(folder: Path, mode: int = 0o777) -> None:
        mkdir(folder, mode)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", interrupted)
        with pytest.raises(KeyboardInterrupt), rehearsing._own_home():
            pytest.fail("it was not interrupted")
    assert not list(tmp_path.glob("rehearse-*"))
