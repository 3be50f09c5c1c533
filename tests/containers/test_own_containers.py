"""Notebook 02b where Docker answers: every cell does what it says, and nothing stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

import docker
from lab import paths
from lab.course import rehearsing
from tests.notebooks.book import NOTEBOOKS, Book
from tests.notebooks.running import run, stack_folder, variant
from tests.plugins.docker_here import MONGO_IMAGE

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

FAILING = """
from docker import from_env
from lab import paths
engine, labels = from_env(), {"course.02b": str(paths.home())}
network = engine.networks.create(paths.home().name, labels=labels)
engine.containers.create("IMAGE", labels=labels, network=network.name)
raise ValueError(paths.home())
""".replace("IMAGE", MONGO_IMAGE)

(PATH,) = [path for path in NOTEBOOKS if path.name.startswith("02b_")]


def test_the_notebook_starts_containers_and_leaves_none(
    engine: docker.DockerClient, record_property
) -> None:
    book = Book(PATH)
    book.notebook.cells.append(new_code_cell("assert images\nassert which == 'mongo'"))
    with stack_folder() as home, variant(book) as changed:
        run(Path(changed), record_property)
        mine = {"label": f"course.02b={home}"}
        assert engine.containers.list(all=True, filters=mine) == []
        assert engine.networks.list(filters=mine) == []


def test_what_an_interrupted_run_left_is_removed(
    engine: docker.DockerClient, record_property
) -> None:
    """The notebook's first cells remove it, so that it runs again after a kernel was killed."""
    book = Book(PATH)
    begun = next(n for n, cell in enumerate(book.cells) if cell.id == "02b-remove")
    book.notebook.cells = book.cells[: begun + 1]
    with stack_folder() as home, variant(book) as changed:
        label = {"course.02b": str(home)}
        network = engine.networks.create(home.name, labels=label)
        engine.containers.create(MONGO_IMAGE, labels=label, network=network.name)
        run(Path(changed), record_property)
        mine = {"label": f"course.02b={home}"}
        assert engine.containers.list(all=True, filters=mine) == []
        assert engine.networks.list(filters=mine) == []


def test_what_a_failed_run_left_goes_with_its_home(engine: docker.DockerClient) -> None:
    with stack_folder() as home:
        label = {"course.02b": str(home)}
        network = engine.networks.create(home.name, labels=label)
        engine.containers.create(MONGO_IMAGE, labels=label, network=network.name)
    mine = {"label": f"course.02b={home}"}
    assert engine.containers.list(all=True, filters=mine, ignore_removed=True) == []
    assert engine.networks.list(filters=mine) == []


def test_what_a_failed_run_left_goes_with_a_rehearsal(
    engine: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notebooks").mkdir()
    write(new_notebook(cells=[new_code_cell(FAILING)]), tmp_path / "notebooks/02b_fails.ipynb")
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    (timing,) = rehearsing.rehearse(("02b",), print)
    assert "rehearse-" in timing.error
    mine = {"label": f"course.02b={timing.error.partition(': ')[2]}"}
    assert engine.containers.list(all=True, filters=mine, ignore_removed=True) == []
    assert engine.networks.list(filters=mine) == []
