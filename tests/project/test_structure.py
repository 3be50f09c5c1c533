"""Who imports whom: no circles, and arrows that point one way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import grimp
import pytest

from tests.plugins.sandbox import REPOSITORY

OURS = ("lab", "movieapp", "minigears", "recipes.streams", "recipes.kafka")
MAY_IMPORT = {
    "minigears": set(),
    "recipes.streams": set(),
    "recipes.kafka": {"recipes.streams"},
    "movieapp": {"recipes.streams"},
    "lab": {"minigears", "movieapp", "recipes.streams"},
}


def graph(*packages: str) -> grimp.ImportGraph:
    """The imports of these packages, without those that only type checkers see."""
    return grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Modules that reach themselves: each group once, sorted."""
    left = {module: set(imported) for module, imported in arrows.items()}
    while free := [m for m, imported in left.items() if not imported & left.keys()]:
        for module in free:  # it leads nowhere, so it is in no circle
            del left[module]
    while free := [m for m in left if not any(m in imported for imported in left.values())]:
        for module in free:  # nobody leads to it
            del left[module]
    return [sorted(left)] if left else []


def arrows_of(found: grimp.ImportGraph, modules: Iterable[str]) -> dict[str, set[str]]:
    return {module: found.find_modules_directly_imported_by(module) for module in modules}


ROOMS = ("core", "databases", "client", "worker", "verbs")  # of recipes/streams, from the bottom up


@pytest.mark.parametrize("package", OURS)
def test_no_import_circle(package: str) -> None:
    """Nor one of what only a type checker imports: that is known by name all the same."""
    found = grimp.build_graph(
        package.partition(".")[0], exclude_type_checking_imports=False, cache_dir=None
    )
    assert circles(arrows_of(found, found.modules)) == []


def test_a_room_of_the_streams_recipe_knows_those_below_it_only() -> None:
    found = graph("recipes")
    for place, room in enumerate(ROOMS):
        inside = found.find_descendants(f"recipes.streams.{room}")
        assert 3 <= len(inside) <= 10, room
        for module in inside:
            for imported in found.find_modules_directly_imported_by(module):
                other = imported.split(".")[2]
                assert other in ROOMS[: place + 1], f"{module} imports {imported}"


def test_a_circle_would_be_found() -> None:
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert circles(arrows) == [["b", "c"]]


def test_arrows_point_one_way() -> None:
    found = graph("lab", "movieapp", "minigears", "recipes")
    for package, allowed in MAY_IMPORT.items():
        mine = [m for m in found.modules if m == package or m.startswith(f"{package}.")]
        for module in mine:
            for imported in found.find_modules_directly_imported_by(module):
                [other] = [o for o in OURS if imported == o or imported.startswith(f"{o}.")] or [""]
                assert other in {package, "", *allowed}, f"{module} imports {imported}"


def test_the_door_and_the_executor_meet_only_at_their_link() -> None:
    found = graph("minigears")
    for module in found.modules:
        for imported in found.find_modules_directly_imported_by(module):
            for one, other in (("door", "executor"), ("executor", "door")):
                crossing = module.startswith(f"minigears.{one}.") and imported.startswith(
                    f"minigears.{other}."
                )
                assert not crossing, f"{module} imports {imported}"


def test_a_client_knows_nothing_of_the_door() -> None:
    """What it needs is handed to it: a watch, shared connections, somebody who serves."""
    found = grimp.build_graph("minigears", exclude_type_checking_imports=False, cache_dir=None)
    above = {f"minigears.door.{name}" for name in ("door", "upkeep", "safeguards", "status")}
    for room in ("clients", "serving", "pooled", "events", "commands", "capture"):
        for module in found.find_descendants(f"minigears.door.{room}"):
            assert not found.find_modules_directly_imported_by(module) & above, module


def test_what_is_known_of_commands_and_events_is_known_without_clients() -> None:
    found = grimp.build_graph("minigears", exclude_type_checking_imports=False, cache_dir=None)
    for room in ("events", "commands", "capture"):
        for module in found.find_descendants(f"minigears.door.{room}"):
            for imported in found.find_modules_directly_imported_by(module):
                other = imported.removeprefix("minigears.door.").split(".")[0]
                assert other not in ("clients", "pooled", "serving"), f"{module} imports {imported}"


@pytest.mark.parametrize("package", OURS)
def test_a_name_belongs_to_one_class(package: str) -> None:
    """Who searches for a class finds one."""
    folder = REPOSITORY.joinpath("recipes/streams" if package[0] == "r" else f"src/{package}")
    names = Counter(
        name
        for file in folder.rglob("*.py")
        for name in re.findall(r"^class (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert [name for name, times in names.items() if times > 1] == []


@pytest.mark.parametrize(
    ("root", "what"),
    [("src/minigears", "a held reply|an event|a stream's batch"), ("recipes/streams", "an entry")],
)
def test_what_a_newcomer_looks_for_is_where_the_architecture_says(root: str, what: str) -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(rf"^\| (?:{what}) is .*$", text, re.MULTILINE)
    assert len(rows) == 3
    for row in rows:
        files = re.findall(r"`(\w+/\S+\.(?:py|lua))`", row)
        code = [(REPOSITORY / root / file).read_text(encoding="utf-8") for file in files]
        for owner, name in re.findall(r"`([A-Z]\w+)\.(\w+)`", row):
            found = [text for text in code if f"class {owner}" in text and f"def {name}(" in text]
            assert found, f"{owner}.{name} is in none of {files}"


@pytest.mark.parametrize(
    "folder",
    [
        *("src/minigears", "src/minigears/door", "src/minigears/executor"),
        *("src/lab", "src/movieapp", "recipes/streams"),
    ],
)
def test_the_map_shows_every_room(folder: str) -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {file.parent.name for file in (REPOSITORY / folder).glob("*/__init__.py")}
    assert rooms
    assert {room for room in rooms if f"`{room}/`" not in text} == set()


def test_every_file_on_the_map_is_there() -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:[\w.]+/)*(\w+\.(?:py|lua))`", text))
    there = {
        file.name
        for top in ("src", "recipes", "tests")
        for kind in ("py", "lua")
        for file in (REPOSITORY / top).rglob(f"*.{kind}")
    }
    assert len(named) > 50
    assert named - there == set()


def test_every_folder_of_tests_is_a_package() -> None:
    """Else its helpers are found by their bare names, and by their whole ones a second time."""
    files = (REPOSITORY / "tests").rglob("*.py")
    assert {f.parent for f in files if not (f.parent / "__init__.py").exists()} == set()
