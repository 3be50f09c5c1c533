"""What each operation does to documents, in the fewest words. Slow and obviously right; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.histories.verdict.history import Document, Kind, Operation

State = Mapping[str, Document]
"""The documents of some keys; a key that is not there has none."""

NUMBER = "n"
"""The field that INCREMENT counts in."""


class Impossible(Exception):
    """The operation cannot have been acknowledged, or cannot have returned this, in this state."""


def apply(state: State, operation: Operation) -> State:
    """Return the state after an operation. Raises Impossible."""
    document = state.get(operation.key)
    match operation.kind:
        case Kind.READ:
            if document != operation.result:
                raise Impossible
            return state
        case Kind.SET:
            return _with(state, operation.key, operation.value)
        case Kind.MERGE:
            return _with(state, operation.key, {**(document or {}), **operation.value})
        case Kind.DELETE:
            return _with(state, operation.key, None)
    if document is None:
        raise Impossible
    match operation.kind:
        case Kind.EXPIRE:  # the moment at which the document goes
            return _with(state, operation.key, None)
        case Kind.PERSIST:
            return state
        case Kind.PUT:
            return _with(state, operation.key, {**document, **operation.value})
        case Kind.INCREMENT:
            number = document.get(NUMBER, 0) + operation.value
            if operation.result is not None and operation.result != number:
                raise Impossible
            return _with(state, operation.key, {**document, NUMBER: number})
        case Kind.RENAME:
            return _with(_with(state, operation.key, None), operation.value, document)
    raise ValueError(operation.kind)


def _with(state: State, key: str, document: Any) -> State:
    others = {name: value for name, value in state.items() if name != key}
    return others if document is None else {**others, key: document}
