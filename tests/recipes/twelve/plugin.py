"""`--recipe=path/to/file.py:Class` or `--recipe=module:Class`: judge that recipe, and nothing else."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--recipe",
        metavar="FILE.py:CLASS",
        help="judge this write-behind recipe by the twelve properties (tests/recipes/twelve)",
    )


def recipe_class(where: str) -> type:
    """Load a recipe's class. Raises pytest.UsageError when there is none."""
    place, _, name = where.rpartition(":")
    if not place or not name:
        raise pytest.UsageError(f"--recipe={where}: write FILE.py:CLASS or MODULE:CLASS")
    try:
        module = (
            _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
        )
    except (ImportError, OSError) as error:
        raise pytest.UsageError(f"--recipe={where}: {error}") from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        raise pytest.UsageError(f"--recipe={where}: {place} has no class {name}")
    return found


def _from_file(path: Path) -> object:
    if not path.exists():
        raise OSError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.resolve().parent))
    spec.loader.exec_module(module)
    return module
