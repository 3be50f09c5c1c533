"""The README's column *runs in* is written from what a run of the tests prints."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from docs.book import seconds
from tests.notebooks.book import NOTEBOOKS

LOG = """\
---- seconds of each notebook ----
  31.4  00_start_here.ipynb  (test_backwards)
  12.6  00_start_here.ipynb  (test_alone_on_a_fresh_stack)
   9.0  02b_start_containers.ipynb  (test_alone_on_a_fresh_stack)
"""


def test_every_notebook_has_its_seconds_in_the_readme() -> None:
    told = seconds.told(seconds.README.read_text(encoding="utf-8"))
    assert set(told) == {path.name for path in NOTEBOOKS}
    assert max(told.values()) < 60


def test_a_run_is_written_into_the_table_and_nothing_else_changes(tmp_path, monkeypatch) -> None:
    readme, log = tmp_path / "README.md", tmp_path / "run.log"
    before = seconds.README.read_text(encoding="utf-8")
    readme.write_text(before, encoding="utf-8")
    log.write_text(LOG, encoding="utf-8")
    monkeypatch.setattr(seconds, "README", readme)
    assert CliRunner().invoke(seconds.main, [str(log)]).exit_code == 0
    after = readme.read_text(encoding="utf-8")
    assert seconds.told(after) == {
        **seconds.told(before),
        "00_start_here.ipynb": 13,
        "02b_start_containers.ipynb": 9,
    }
    changed = set(after.splitlines()) - set(before.splitlines())
    assert all("00_start_here" in line or "02b_start" in line for line in changed)


def test_a_log_without_notebooks_is_told(tmp_path) -> None:
    (log := tmp_path / "run.log").write_text("3 passed\n")
    assert "names no notebook" in CliRunner().invoke(seconds.main, [str(log)]).output


@pytest.mark.parametrize(
    ("told", "ran", "lines"), [(30, 61, 1), (61, 30, 1), (30, 59, 0), (3, 9, 0), (30, None, 0)]
)
def test_only_what_is_far_off_is_mentioned(told: int, ran: float | None, lines: int) -> None:
    readme = f"| [A](notebooks/00_a.ipynb) | what | {told} s | 15 |"
    found = list(seconds.far_off(readme, {"00_a.ipynb": ran} if ran else {}))
    assert len(found) == lines
