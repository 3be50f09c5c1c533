"""The control of the streams recipe: its versions do not go on where Redis was taken back and its clock is behind."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tests.histories.__main__ import main
from tests.wallclock import needs_steppable_clocks


@pytest.mark.long
@pytest.mark.timeout(900)  # each run waits until the database is at rest
def test_versions_that_do_not_go_on_are_found_within_ten_seeds() -> None:
    needs_steppable_clocks()
    words = ["--recipe", "streams-everysec-forgetful", "--deeds", "behind", "--runs", "10"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1, result.output
    assert "the two stores are equal once all is calm" in result.output
