"""A requirement as one piece of bytes, to carry it to another server, and back.

A line that names the format, a line of JSON, then a compressed tar of the installed files.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from minigears.executor.requirements.model import RequirementError

_MAGIC = b"minigears-requirement 1\n"
_CHUNK = 1024 * 1024  # bytes
_COMPRESSION = 6


def pack(site: Path, header: dict[str, Any]) -> list[bytes]:
    """`header` and every file below `site`, in chunks of a megabyte."""
    with tempfile.TemporaryFile() as body:
        with tarfile.open(fileobj=body, mode="w:gz", compresslevel=_COMPRESSION) as tar:
            for path in sorted(site.rglob("*")):
                if "__pycache__" not in path.parts:
                    tar.add(path, path.relative_to(site).as_posix(), recursive=False)
        body.seek(0)
        digest = _digest(body)
        body.seek(0)
        head = json.dumps({**header, "sha256": digest}).encode()
        return [_MAGIC + head + b"\n", *_chunks(body)]


def unpack(chunks: Iterable[bytes], site: Path) -> dict[str, Any]:
    """Put the files below the empty directory `site` and return the header.

    Raises RequirementError when the bytes are not such a requirement, are damaged, or hold
    anything but files and directories below `site`; OSError when the disk cannot take them.
    """
    with tempfile.TemporaryFile() as packed:
        packed.writelines(chunks)
        packed.seek(0)
        if packed.read(len(_MAGIC)) != _MAGIC:
            raise RequirementError("Failed deserializing requirement: not exported by minigears")
        start, header = _read_header(packed)
        if _digest(packed) != header.get("sha256"):
            raise RequirementError("Failed deserializing requirement: its checksum does not match")
        packed.seek(start)
        try:
            with tarfile.open(fileobj=packed, mode="r:gz") as tar:
                for member in tar:
                    _extract(tar, member, site)
        except tarfile.TarError as error:
            raise RequirementError(f"Failed deserializing requirement: {error}") from error
        return header


def _read_header(packed: IO[bytes]) -> tuple[int, dict[str, Any]]:
    try:
        header = json.loads(packed.readline())
    except ValueError as error:
        raise RequirementError("Failed deserializing requirement: it has no header") from error
    if not isinstance(header, dict):
        raise RequirementError("Failed deserializing requirement: it has no header")
    return packed.tell(), header


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, site: Path) -> None:
    name = PurePosixPath(member.name)
    plain = member.isfile() or member.isdir()
    if not plain or name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise RequirementError(f"Failed deserializing requirement: {member.name!r} is not allowed")
    target = site.joinpath(*name.parts)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    assert source is not None
    with source, target.open("xb") as file:
        shutil.copyfileobj(source, file)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(file):
        digest.update(chunk)
    return digest.hexdigest()


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk
