"""The judge's command: what it is told, what it keeps of a loss, and that nothing outlives it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
from click.testing import CliRunner

from lab import paths
from lab.stack.ondemand import kafka
from tests.histories import series
from tests.histories.__main__ import main
from tests.histories.recipes.interface import Recipe
from tests.histories.run import Script, Size
from tests.histories.series import Series, Wishes
from tests.histories.shrinking import cutting
from tests.histories.verdict.history import (
    NEVER,
    Change,
    History,
    Kind,
    Operation,
    Outcome,
    Sample,
)
from tests.histories.world.operations import Request
from tests.minigears.realredis import wait_for

ACKNOWLEDGED = Outcome.ACKNOWLEDGED


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recipe", "stream"], "'stream' is not one of"),
        (["--minutes", "abc"], "'abc' is not a valid float"),
        (["--minutes", "0"], "not in the range"),
        (["--seed", "-1"], "not in the range"),
        (["--operations", "0"], "not in the range"),
        (["--deeds", "kill,explode"], "explode: not one of kill, freeze"),
        (["--kinds", "sett"], "sett: not one of set, merge"),
        (["--notebook", "n.ipynb"], "goes with --shrink"),
        (["--notebook", "n.ipynb", "--shrink"], "rgsync"),
    ],
)
def test_what_it_does_not_understand_is_named(words: list[str], said: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())


def test_a_recipe_whose_programs_are_missing_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka, "is_installed", lambda: False)
    result = CliRunner().invoke(main, ["--recipe", "kafka"])
    assert result.exit_code == 2
    assert "make kafka" in result.output


@pytest.mark.parametrize("after", ["the first server", "the first run"])
def test_whoever_interrupts_it_leaves_nothing_behind(after: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tests.histories", "--recipe", "streams", "--operations", "40"]
    out = tmp_path / "said"
    with out.open("wb") as said:
        judge = subprocess.Popen(words, cwd=paths.root(), stdout=said, stderr=subprocess.STDOUT)
    try:
        own, started = psutil.Process(judge.pid), list[psutil.Process]()
        wait_for(lambda: started.extend(own.children()) or started, 120, out.read_text)
        if after == "the first run":
            wait_for(lambda: b"seed 1:" in out.read_bytes(), 120, out.read_text)
        started += own.children(recursive=True)
        judge.send_signal(signal.SIGINT)
        assert judge.wait(60) == 130
    finally:
        judge.kill()
        judge.wait()
    assert not [child for child in started if child.is_running()], out.read_text()
    assert "Traceback" not in out.read_text()


class Stand:
    """A recipe in whose place a test says what happens."""

    name, world = "stand", None

    def open(self, folder: Path) -> None: ...

    def close(self) -> None: ...

    def reset(self) -> None: ...


def _stored(play: Script, patience: float, losing: int = 0, seconds: float = 0.0) -> History:
    """Every request was acknowledged; all but one are in the database, after so many seconds."""
    operations = [
        Operation(r.number, 0, Kind.SET, r.key, r.value, r.number, r.number + 0.5, NEVER, ACKNOWLEDGED)
        for r in play.requests
    ]  # fmt: skip
    kept = {o.key: o.value for o in operations if o.number != losing}
    changes = [Change(100 + n, key, document) for n, (key, document) in enumerate(kept.items())]
    samples = [Sample(99.0, 1, 1.0), Sample(100 + seconds, 0, 0.0)]
    return History(
        operations,
        changes,
        samples=samples,
        redis=kept,
        database=kept,
        notes={"patience": patience},
    )


def _series(monkeypatch: pytest.MonkeyPatch, wishes: Wishes, what: Any) -> Series:
    def script(recipe: object, seed: int, size: Size) -> Script:
        return Script([Request(n, 0, Kind.SET, f"k{n}", {"a": n}) for n in range(1, 41)], [], "k")

    monkeypatch.setattr(series, "script", script)
    for module in (series, cutting):
        monkeypatch.setattr(module, "perform", lambda _, play, size: what(play, size))
    made = Series(cast(Recipe, Stand()), Size(), wishes, "judge --runs 1")
    made.run([7])
    made.close()
    return made


def test_a_loss_is_kept_cut_down_and_told_how_to_repeat(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wishes = Wishes(keep=tmp_path, late=tmp_path / "late", cut=1)
    made = _series(monkeypatch, wishes, lambda play, size: _stored(play, size.patience, losing=30))
    assert made.broken == [7]
    [least] = History.load(tmp_path / "stand-7-least.jsonl").operations
    assert least.number == 30
    assert len(History.load(tmp_path / "stand-7.jsonl").operations) == 40
    assert capsys.readouterr().out.endswith("Again: judge --runs 1 --seed 7\n")
    assert not wishes.late.exists()  # type: ignore[union-attr]


def test_a_loss_that_does_not_come_again_is_kept_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    losses = iter([30])
    made = _series(
        monkeypatch,
        Wishes(keep=tmp_path, cut=1),
        lambda play, size: _stored(play, size.patience, losing=next(losses, 0)),
    )
    assert made.broken == [7]
    assert [file.name for file in tmp_path.iterdir()] == ["stand-7.jsonl"]
    assert "did not fail again" in capsys.readouterr().out


def test_what_only_took_too_long_is_to_be_repeated_and_fails_where_nobody_asked_for_that(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    late = tmp_path / "new" / "late"

    def slow(play: Script, size: Size) -> History:
        return _stored(play, size.patience, seconds=61)

    assert _series(monkeypatch, Wishes(late=late), slow).broken == []
    assert _series(monkeypatch, Wishes(late=late), _gives_up).broken == []
    assert late.read_text() == "stand 7\n" * 2
    assert _series(monkeypatch, Wishes(), slow).broken == [7]
    with pytest.raises(pytest.fail.Exception, match="waited 60 s"):
        _series(monkeypatch, Wishes(), _gives_up)


def _gives_up(play: Script, size: Size) -> History:
    pytest.fail("waited 60 s for a server")
