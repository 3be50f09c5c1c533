from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minigears.executor.requirements import RequirementError
from minigears.executor.requirements.model import COULD_NOT_SATISFY, python_tag
from tests.minigears.executor.requirements.wheelhouse import make_wheel


@pytest.fixture
def clean_path(monkeypatch):
    """`sys.path` may be changed by the test, and modules imported."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_each_requirement_is_installed_on_its_own(store):
    sync, driver = store.install(["sync_recipes", "driver==3.12.0"])
    assert sync.wheels == (
        "driver-4.1.1-py3-none-any.whl",
        "sync_recipes-1.2.0-py3-none-any.whl",
    )
    assert driver.wheels == ("driver-3.12.0-py3-none-any.whl",)
    assert python_tag() in str(sync.path)
    assert store.all() == [sync, driver]
    assert store.find("driver == 3.12.0") == driver
    assert store.find("driver") is None
    assert store.find("-r x") is None


@pytest.mark.usefixtures("clean_path")
def test_later_requirements_win(store):
    both = store.install(["sync_recipes", "driver==3.12.0"])
    store.activate(both)
    import driver
    import sync_recipes

    assert (driver.VERSION, sync_recipes.VERSION) == ("3.12.0", "1.2.0")


@pytest.mark.usefixtures("clean_path")
def test_activation_again_changes_nothing(store):
    both = store.install(["sync_recipes", "driver==3.12.0"])
    store.activate(both)
    once = list(sys.path)
    store.activate(both)
    assert sys.path == once
    assert sys.path.count(str(both[0].site)) == 1


@pytest.mark.usefixtures("clean_path")
def test_requirements_come_after_the_standard_library_and_before_packages(store):
    [driver] = store.install(["driver"])
    store.activate([driver])
    place = sys.path.index(str(driver.site))
    assert sys.path.index(os.path.dirname(os.__file__)) < place  # noqa: PTH120
    assert place < sys.path.index(os.path.dirname(os.path.dirname(pytest.__file__)))  # noqa: PTH120


@pytest.mark.usefixtures("clean_path")
def test_the_last_activation_wins(store):
    old, new = store.install(["driver==3.12.0", "driver==4.1.1"])
    store.activate([old, new])
    store.activate([old])
    import driver

    assert driver.VERSION == "3.12.0"


def test_what_is_there_is_used_with_no_index_at_all(store, make_store, wheels, log, monkeypatch):
    first = store.install(["sync_recipes", "driver==3.12.0"])
    shutil.rmtree(wheels)
    monkeypatch.setenv("PATH", "")
    log.clear()
    assert make_store().install(["sync_recipes", "driver==3.12.0"]) == first
    assert log == []


def test_a_new_store_has_used_nothing_yet_but_finds_all(store, make_store):
    installed = store.install(["driver"])
    again = make_store()
    assert again.all() == []
    assert again.find("driver") == installed[0]


def test_force_installs_again(store, wheels, log):
    [old] = store.install(["driver"])
    (old.site / "driver.py").write_text("VERSION = 'broken'\n")
    make_wheel(wheels, "driver", "5.0")
    [new] = store.install(["driver"], force=True)
    assert new.wheels == ("driver-5.0-py3-none-any.whl",)
    assert new.path != old.path
    assert "5.0" in (new.site / "driver.py").read_text()
    assert store.find("driver") == store.all()[0] == new
    for _ in range(2):
        [new] = store.install(["driver"], force=True)
    # The one in force, the one before it, and the name that points to it.
    assert len(_names(new.path.parent)) == 3


def test_a_forced_installation_may_be_taken_back(store, wheels, make_store):
    [old] = store.install(["driver"])
    make_wheel(wheels, "driver", "5.0")
    for _ in range(2):  # over a first one, and over one that was forced itself
        forced = store.install(["driver"], force=True)
        store.take_back(forced)
        store.take_back(forced)  # there is nothing more to take back
        assert [found.wheels for found in store.all()] == [old.wheels]
        assert "4.1.1" in (old.site / "driver.py").read_text()
        assert make_store().find("driver").wheels == old.wheels


def test_lines_of_the_installer_are_logged(store, log):
    store.install(["sync_recipes"])
    assert log[0] == "notice installing requirement sync_recipes"
    assert "notice sync_recipes:  + driver==4.1.1" in log
    assert log[-1] == "notice requirement sync_recipes is installed"


def test_what_does_not_exist_is_an_error_with_its_reason_in_the_log(store, log, tmp_path):
    with pytest.raises(RequirementError) as raised:
        store.install(["driver==9"])
    assert str(raised.value) == COULD_NOT_SATISFY
    assert "no version of driver==9" in log.text()
    assert _names(tmp_path / "cache" / "requirements" / python_tag()) == []


@pytest.mark.parametrize("name", ["-r x", "driver @ file:///etc/passwd", "driver\n-e ."])
def test_an_option_or_url_installs_nothing(store, log, name):
    with pytest.raises(RequirementError, match="Could not satisfy"):
        store.install(["driver", name])
    assert store.all() == []
    assert len(log) == 1


def test_a_broken_description_means_not_installed(store):
    [driver] = store.install(["driver"])
    (driver.path / "requirement.json").write_text("{")
    assert store.find("driver") is None
    assert store.install(["driver"]) == [driver]
    assert store.find("driver") == driver


def test_a_requirement_that_its_marker_excludes_is_installed_empty(store):
    [none] = store.install(['driver; python_version < "3"'])
    assert none.wheels == ()


@pytest.mark.usefixtures("wheels")
def test_a_full_disk_is_named(make_store, tmp_path, log):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    try:
        make_wheel(tmp_path / "wheels", "large", "1.0", code=f"X = '{os.urandom(300_000).hex()}'")
        store = make_store("small")
        with pytest.raises(RequirementError, match="Could not satisfy"):
            store.install(["large"])
        assert "No space left on device" in log.text()
        assert store.find("large") is None
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.long
def test_pip_does_it_where_there_is_no_uv(wheels, tmp_path):
    """A bare environment: pip, and of our dependencies only `packaging`."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "bare"], check=True)
    only = tmp_path / "only"
    only.mkdir()
    import packaging

    import minigears

    for module in (packaging, minigears):
        folder = Path(module.__file__ or "").parent
        (only / folder.name).symlink_to(folder)
    script = (
        "import sys; from pathlib import Path\n"
        "from minigears.executor.requirements import RequirementStore\n"
        "store = RequirementStore(Path(sys.argv[1]), print)\n"
        "print(store.install(['sync_recipes'])[0].wheels)"
    )
    done = subprocess.run(
        [tmp_path / "bare" / "bin" / "python", "-c", script, tmp_path / "cache"],
        env={**os.environ, "PYTHONPATH": str(only)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "'driver-4.1.1-py3-none-any.whl', 'sync_recipes-1.2.0" in done.stdout


@pytest.mark.long
def test_rgsync_with_an_older_pymongo_from_the_real_index(make_store, tmp_path, log):
    """rgsync 1.2.0 pins pymongo 4.1.1, so one resolver call for both would fail."""
    store = make_store()
    sync, driver = store.install(["rgsync", "pymongo==3.12.0"])
    assert "rgsync-1.2.0-py3-none-any.whl" in sync.wheels
    assert [wheel.split("-")[:2] for wheel in driver.wheels] == [["pymongo", "3.12.0"]]
    script = "import pymongo; print(pymongo.version)"
    path = os.pathsep.join([str(driver.site), str(sync.site)])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "3.12.0\n"


def _names(folder: Path) -> list[str]:
    """What is in the folder but for locks."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))
