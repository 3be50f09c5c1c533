"""Histories one after the other: what each came to, and what is kept of those that break a promise."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from tests.histories import tally
from tests.histories.recipes.interface import Recipe
from tests.histories.run import Script, Size, perform, script
from tests.histories.shrinking.cutting import cut_down
from tests.histories.shrinking.notebook import write_notebook
from tests.histories.verdict.checker import Finding, judge, losses, out_of_time
from tests.histories.verdict.history import History

_out = Console(highlight=False)

_GAVE_UP = (Exception, pytest.fail.Exception)
"""What is raised when a part did not start, or did not answer the judge, in the time that it has for it."""


@dataclass(frozen=True)
class Wishes:
    """What is to be done with a history: nothing of it by default."""

    keep: Path | None = None
    """Folder for what is left of a broken promise."""
    tally: Path | None = None
    """File to which each history's counts are added."""
    late: Path | None = None
    """File that takes the histories which only took too long: they are to be repeated alone."""
    cut: float = 0.0
    """Minutes to cut the first failing run down in."""
    notebook: Path | None = None
    """File for the notebook of what is left then."""


@dataclass
class Series:
    """Histories of one recipe. `again` is the command that repeats a seed, up to the seed."""

    recipe: Recipe
    size: Size
    wishes: Wishes
    again: str
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[int] = field(default_factory=list)
    """Seeds."""

    def run(self, seeds: Iterable[int]) -> None:
        """Start the recipe's servers, run seed after seed, end them.

        Stops after a run that was cut down. Raises what the judge fails with, unless that is to be
        repeated alone.
        """
        folder = Path(tempfile.mkdtemp(prefix="judge-"))
        seed = None
        try:
            for seed in seeds:
                if not self.counts["histories"]:
                    self.recipe.open(folder)
                if not self._one(seed):
                    break
        except _GAVE_UP as problem:
            if self.wishes.late is None or seed is None:
                raise
            _out.print(f"seed {seed}: the judge gave up: {problem}", markup=False, soft_wrap=True)
            self._postpone(seed)
        finally:
            self.recipe.close()
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Say what it came to, and how to repeat what failed."""
        told = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        _out.print(f"{self.recipe.name}: {told or 'no history'}", soft_wrap=True)
        for seed in self.broken:
            _out.print(f"Again: {self.again} --seed {seed}", style="red", soft_wrap=True)

    def _one(self, seed: int) -> bool:
        """Run one history. Returns whether another one may follow."""
        play = script(self.recipe, seed, self.size)
        history = perform(self.recipe, play, self.size)
        findings = judge(history)
        _tell(seed, history, findings)
        self.counts["histories"] += 1
        self.counts["operations"] += len(history.operations)
        self.counts["faults"] += len(history.faults)
        if self.wishes.tally:
            tally.add(self.wishes.tally, self.recipe.name, seed, history, findings)
        if not findings:
            return True
        if self.wishes.late and out_of_time(findings):
            self._postpone(seed)
            self.recipe.reset()
            return True
        self.counts["broken promises"] += len(findings)
        self.broken.append(seed)
        self._keep(f"{seed}", history)
        if self.wishes.cut:
            self._cut_down(seed, play, history, findings)
            return False
        self.recipe.reset()
        return True

    def _postpone(self, seed: int) -> None:
        self.counts["to be repeated alone"] += 1
        assert self.wishes.late
        self.wishes.late.parent.mkdir(parents=True, exist_ok=True)
        with self.wishes.late.open("a") as late:
            late.write(f"{self.recipe.name} {seed}\n")

    def _keep(self, what: str, history: History) -> None:
        if self.wishes.keep:
            self.wishes.keep.mkdir(parents=True, exist_ok=True)
            file = self.wishes.keep / f"{self.recipe.name}-{what}.jsonl"
            history.save(file)
            _out.print(f"  Kept: {file}", soft_wrap=True)

    def _cut_down(self, seed: int, play: Script, failed: History, findings: list[Finding]) -> None:
        """Leave out steps as long as the same rule is broken; print and keep what is left."""
        least = cut_down(self.recipe, play, self.size, failed, findings, self.wishes.cut, _say)
        if least is None:
            _out.print(f"Seed {seed} did not fail again, so there is nothing to cut down.")
            return
        steps = least.play.in_order(self.size)
        _out.print(f"Cut down to {len(steps)} steps in {least.tries} tries:")
        for step in steps:
            _say(f"  {step}")
        _list(least.findings, 10, "red")
        self._keep(f"{seed}-least", least.history)
        if self.wishes.notebook:
            write_notebook(
                self.wishes.notebook, self.recipe.name, least.play, self.size, least.findings
            )
            _out.print(f"Written: {self.wishes.notebook}")


def _say(line: str) -> None:
    _out.print(line, markup=False, soft_wrap=True)


def _tell(seed: int, history: History, findings: list[Finding]) -> None:
    outcomes = Counter(operation.outcome.value for operation in history.operations)
    said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    _say(f"seed {seed}: {said}; {len(history.changes)} changes, {len(history.faults)} faults")
    _list(losses(history), 2, "dim")
    _list(findings, 10, "red")


def _list(findings: list[Finding], most: int, style: str) -> None:
    for finding in findings[:most]:
        _out.print(f"  {finding}", style=style, markup=False, soft_wrap=True)
    if len(findings) > most:
        _out.print(f"  and {len(findings) - most} more", style=style)
