"""Documents change their shape, and ids hold colons."""

from __future__ import annotations

from tests.recipes.twelve.interface import Document
from tests.recipes.twelve.judge import Judge

TITLE = "Change of schema"
SENTENCE = (
    "A field that is added, renamed, removed or retyped is so in the database, under its full id."
)
HOW = (
    "Documents with ids as `a:b:1` and `a:c:1` get fields added, renamed, removed and retyped, with"
    " values of every JSON type. The database's documents equal Redis's, types included."
)
BASE = {
    "whole": 1,
    "text": "1",
    "wide": 2**53 + 1,
    "least": -(2**63),
    "half": 0.5,
    "yes": True,
    "none": None,
    "list": [1, "1", [None, {}], {"a": []}],
    "deep": {"a": {"b": 1}},
    "unicode": 'Gökten Üç Elma \U0001f34e it\'s "новый"',
    "empty": "",
}


def check(judge: Judge) -> None:
    """Raises PropertyFailedError."""
    judge.recipe.start_worker()
    producer = judge.recipe.producer(patience=30)
    expected: dict[str, Document] = {}
    for id in ("1", "a:b:1", "a:c:1", "b:1", "1:"):
        expected[id] = {"movieId": id, **BASE}
        producer.put(id, expected[id])
    judge.settled(expected, "documents of every type")

    changed = expected["a:b:1"]
    changed["added"] = "a"
    changed["renamed"] = changed.pop("text")
    changed["whole"] = "one"
    changed["deep"] = [1]
    del changed["none"]
    producer.put("a:b:1", changed)
    judge.settled(expected, "fields were added, renamed, removed and retyped")

    del expected["a:c:1"]["list"]
    producer.remove("a:c:1", "list")
    judge.settled(expected, "a field was removed by its path")
    producer.delete("b:1")
    del expected["b:1"]
    judge.settled(expected, "a document with a colon in its id was deleted")
    found = judge.recipe.stored()
    judge.require(_types(found) == _types(expected), "values have changed their type")


def _types(value: object) -> object:
    """Values with their types, as True equals 1 and 1 equals 1.0."""
    if isinstance(value, dict):
        return {name: _types(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return [_types(inner) for inner in value]
    return next(kind for kind in (bool, int, float, str, type(None)) if isinstance(value, kind))
