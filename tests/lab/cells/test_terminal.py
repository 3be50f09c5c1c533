"""Terminal lines in a cell, and the magics beside them."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

import lab
from lab import paths
from lab.stack.model import Stack


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


def run(shell: InteractiveShell, source: str) -> None:
    result = shell.run_cell(source)
    result.raise_error()
