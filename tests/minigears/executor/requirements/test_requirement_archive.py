from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest

from minigears.executor.requirements import RequirementError
from minigears.executor.requirements.model import python_tag


@pytest.fixture
def other(make_store):
    """A store of another server."""
    return make_store("other cache")


def _files(requirement):
    return {
        path.relative_to(requirement.site): (path.read_bytes(), path.stat().st_mode & 0o111)
        for path in requirement.site.rglob("*")
        if path.is_file()
    }


def _archive(members, **header):
    """An export by hand: `members` are (TarInfo, bytes)."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as tar:
        for member, data in members:
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    packed = body.getvalue()
    described = {"name": "driver", "wheels": [], "compiled_os": "linux-x-x64"}
    head = {
        "requirement": described,
        "python": python_tag(),
        "sha256": hashlib.sha256(packed).hexdigest(),
        **header,
    }
    return [b"minigears-requirement 1\n", json.dumps(head).encode() + b"\n", packed]


def _member(name, kind=tarfile.REGTYPE, link=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


def test_export_and_import(store, other):
    [sync] = store.install(["sync_recipes"])
    (sync.site / "tool").write_text("#!/bin/sh\n")
    (sync.site / "tool").chmod(0o755)
    (sync.site / "__pycache__").mkdir()
    (sync.site / "__pycache__" / "x.pyc").write_bytes(b"x")
    metadata, chunks = store.export("sync_recipes")
    assert list(metadata) == [
        "GearReqVersion",
        "Name",
        "IsDownloaded",
        "IsInstalled",
        "CompiledOs",
        "Wheels",
    ]
    assert metadata["GearReqVersion"] == 2
    assert metadata["Name"] == "sync_recipes"
    assert metadata["Wheels"] == list(sync.wheels)

    imported = other.import_(chunks)
    assert (imported.name, imported.wheels) == (sync.name, sync.wheels)
    assert imported.path != sync.path
    (sync.site / "__pycache__" / "x.pyc").unlink()
    assert _files(imported) == _files(sync)
    assert other.install(["sync_recipes"]) == [imported]
    assert other.all() == [imported]


def test_chunks_may_be_cut_anywhere(store, other):
    store.install(["driver"])
    data = b"".join(store.export("driver")[1])
    chunks = [data[at : at + 7] for at in range(0, len(data), 7)]
    assert other.import_(chunks).name == "driver"


def test_an_import_keeps_what_is_installed(store):
    [driver] = store.install(["driver"])
    chunks = store.export("driver")[1]
    (driver.site / "driver.py").write_text("mine")
    assert store.import_(chunks) == driver
    assert (driver.site / "driver.py").read_text() == "mine"


def test_what_is_not_installed_is_not_exported(store):
    with pytest.raises(RequirementError, match="requirement does not exists"):
        store.export("driver")


@pytest.mark.parametrize("at", [0, 40, -20])
def test_damaged_bytes_are_refused(store, other, at):
    store.install(["driver"])
    data = bytearray(b"".join(store.export("driver")[1]))
    data[at] ^= 1
    with pytest.raises(RequirementError):
        other.import_([bytes(data)])
    assert other.all() == []
    assert other.find("driver") is None


def test_cut_bytes_are_refused(store, other):
    store.install(["driver"])
    data = b"".join(store.export("driver")[1])
    for end in (0, 10, 30, len(data) - 1):
        with pytest.raises(RequirementError):
            other.import_([data[:end]])


@pytest.mark.parametrize(
    "member",
    [
        _member("../escaped"),
        _member("a/../../escaped"),
        _member("/tmp/minigears-escaped"),
        _member("..\\escaped"),
        _member("link", tarfile.SYMTYPE, "/etc/passwd"),
        _member("hard", tarfile.LNKTYPE, "../../escaped"),
        _member("pipe", tarfile.FIFOTYPE),
        _member("device", tarfile.CHRTYPE),
    ],
    ids=lambda member: member.name,
)
def test_nothing_but_files_below_the_directory(other, tmp_path, member):
    with pytest.raises(RequirementError, match="not allowed"):
        other.import_(_archive([(_member("fine.py"), b"x"), (member, b"")]))
    assert list(tmp_path.rglob("*escaped*")) == []
    assert other.find("driver") is None


def test_another_pythons_requirement_is_refused(other):
    with pytest.raises(RequirementError, match="made for cpython-36"):
        other.import_(_archive([], python="cpython-36"))


@pytest.mark.parametrize(
    "described",
    [None, [], {}, {"name": "../x", "wheels": [], "compiled_os": ""}, {"name": 1, "wheels": 1}],
)
def test_a_bad_description_is_refused(other, described):
    with pytest.raises(RequirementError, match="description"):
        other.import_(_archive([], requirement=described))


def test_a_file_that_comes_twice_is_refused(other):
    with pytest.raises(RequirementError, match="could not import"):
        other.import_(_archive([(_member("a.py"), b"1"), (_member("a.py"), b"2")]))
