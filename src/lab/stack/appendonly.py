"""The end of Redis's append-only file, after a crash in the middle of a transaction."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

_MANIFEST = Path("appendonlydir") / "appendonly.aof.manifest"
_BEGIN, _END = b"*1\r\n$5\r\nMULTI\r\n", b"\r\n*1\r\n$4\r\nEXEC\r\n"
_ANALYZED = re.compile(r"^AOF analyzed: filename=(.+), size=\d+, ok_up_to=(\d+),", re.MULTILINE)


def cut_off_half_a_transaction(data: Path, server: Path) -> int:
    """Cut off the transaction in which an append-only file ends; returns how many bytes that was.

    To be called before `server`, a redis-server, is started in the folder `data`. Redis 8.2 would keep
    the whole commands of that transaction in its file and append what comes next to them. Its next start
    then carries out the half together with the next transaction, or, where none has come, drops all that
    was written meanwhile (valkey-io/valkey#4342 tells of it). A half to which something was
    appended already is left as it is, since cutting it off would take that along.
    """
    manifest = data / _MANIFEST
    if not manifest.exists():
        return 0
    # The same program checks files if it is called so. It ends with 1 for a file that is not whole.
    words = ["redis-check-aof", str(manifest)]
    told = subprocess.run(
        words, executable=server, capture_output=True, encoding="utf-8", errors="replace"
    )
    analyzed = _ANALYZED.findall(told.stdout)
    if told.returncode == 0 or not analyzed:
        return 0
    name, whole = analyzed[-1]
    file = manifest.with_name(name)
    with file.open("rb") as opened:
        opened.seek(int(whole))
        rest = opened.read()
    if not rest.startswith(_BEGIN) or _END in rest:
        return 0
    os.truncate(file, int(whole))
    return len(rest)
