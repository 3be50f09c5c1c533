"""Makes a notebook of a loss: each step a cell, and after each step what the three places hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.histories.run import Script, Size
from tests.histories.verdict.checker import Finding
from tests.histories.verdict.history import Kind
from tests.histories.world.faults import Deed, Plan
from tests.histories.world.operations import Request

_REGISTER = {
    "rgsync": """shipped = \"\"\"
from rgsync import RGJSONWriteBehind
from rgsync.Connectors import MongoConnection, MongoConnector

connection = MongoConnection("", "", "", conn_string=gearsConfigGet("mongoUrl"))
connector = MongoConnector(connection, gearsConfigGet("mongoDatabase"), "movies", "movieId")
RGJSONWriteBehind(GB, keysPrefix="MovieEntity", connector=connector, name="Shipped",
                  version="1.0.0", onFailedRetryInterval=1)
\"\"\"
r.execute_command("RG.CONFIGSET", "mongoUrl", stack.recipe_mongo_url, "mongoDatabase", stack.db.name)
assert r.execute_command("RG.PYEXECUTE", shipped, "REQUIREMENTS", "rgsync==1.2.0", "pymongo==3.12.0") == "OK\"""",
}

REPLAYED = tuple(_REGISTER)
"""The recipes whose losses become notebooks."""

_LOOK = """def places(key):
    \"\"\"Show what the three places hold of a key.\"\"\"
    streams = list(r.scan_iter(match="*ovies-stream*", _type="stream"))
    waiting = sum(fields.get("_original_key") == key for s in streams for _, fields in r.xrange(s))
    print("Redis:  ", r.json().get(key))
    print("stream: ", waiting, "waiting")
    print("MongoDB:", movies.find_one({"movieId": key.partition(":")[2]}, {"_id": False}))"""

_LAB_PARTS = {"redis": "redis", "database": "mongo", "door": "minigears"}


def write_notebook(
    file: Path, recipe: str, play: Script, size: Size, findings: Sequence[Finding]
) -> None:
    """Write the notebook of a loss. Raises ValueError for a step that the lab cannot replay.

    Why it is lost the judge does not know: say it in the last text.
    """
    steps = play.in_order(size)
    cells = [*_opener(file, recipe, findings, len(steps))]
    for number, step in enumerate(steps, 1):
        cells += _step(number, step)
    cells += _end(findings)
    for place, cell in enumerate(cells):
        cell["id"] = f"{file.stem.replace('_', '-')}-{place:02}"
    notebook = new_notebook(cells=cells, metadata=_METADATA)
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, file)


_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def _opener(file: Path, recipe: str, findings: Sequence[Finding], steps: int) -> Iterator[Any]:
    broken = findings[0]
    name = file.stem.replace("_", " ")
    yield new_markdown_cell(
        f"# A loss: {name}\n\n"
        "This project has a [judge](../../docs/architecture.md#the-judge), a program that tries a recipe with random "
        "writes and faults. A *seed* decides them, so that the same run can be repeated. The judge knows only what "
        f"each client was told and what the database holds in the end. It tried {recipe}, and found a broken "
        "promise. Then it left out one step after another as long as the promise stayed broken. What is left is "
        f"below: {_steps(steps)}. The judge says:\n\n> **{broken.rule.capitalize()}.** "
        f"{broken.sentence[0].upper()}{broken.sentence[1:]}.\n\n"
        "(Names like `k1-h0` are made up by the judge, and *client 0* is the first of its clients.)\n\n"
        "You need [Register the write-behind recipe](../06_write_behind.ipynb), and five minutes."
    )
    yield new_code_cell(
        "import lab\n\nstack = lab.up()\n"
        'lab.prepare("empty")\nr, movies = stack.redis, stack.db.movies'
    )
    yield new_markdown_cell(
        "Register rgsync as its documentation does, and as notebook 06 did under the name *naive*:"
    )
    yield new_code_cell(_REGISTER[recipe])
    yield new_markdown_cell(
        "A write can be in three places: Redis, the stream, MongoDB. Before you run each step, say which of the "
        "three will have it a second later."
    )
    yield new_code_cell(_LOOK)


def _steps(count: int) -> str:
    return "one step" if count == 1 else f"{count} steps"


_MEANING = {
    Kind.SET: "write the whole document",
    Kind.MERGE: "merge some fields into the document",
    Kind.PUT: "set one field by its path",
    Kind.INCREMENT: "add to a number in the document",
    Kind.DELETE: "delete the document",
    Kind.RENAME: "give the document another key",
    Kind.READ: "read the document",
}


def _step(number: int, step: Request | Plan) -> Iterator[Any]:
    if isinstance(step, Plan):
        yield new_markdown_cell(f"## Step {number}: {step.deed.value} to the {step.target}")
        yield new_code_cell(_fault(step))
        return
    yield new_markdown_cell(f"## Step {number}: {_MEANING[step.kind]}")
    yield new_code_cell(f"{_call(step)}\nplaces({_text(step.key)})")


def _fault(plan: Plan) -> str:
    part = _LAB_PARTS.get(plan.target)
    if part is None or plan.deed not in (Deed.KILL, Deed.RESTART):
        raise ValueError(f"the lab cannot replay {plan.deed.value} of {plan.target}")
    verb = "kill" if plan.deed is Deed.KILL else "stop"
    return f'lab.{verb}("{part}")\nlab.start("{part}")'


def _call(request: Request) -> str:
    key, value = _text(request.key), request.value
    identity = {"movieId": request.key.partition(":")[2]}
    document = _text(value | identity) if isinstance(value, dict) else ""
    match request.kind:
        case Kind.SET:
            return f'document = {document}\nr.json().set({key}, "$", document)'
        case Kind.MERGE:
            return f'patch = {document}\nr.json().merge({key}, "$", patch)'
        case Kind.PUT:
            [(field, to)] = value.items()
            return f'r.json().set({key}, "$.{field}", {_text(to)})'
        case Kind.INCREMENT:
            return f'r.json().numincrby({key}, "$.n", {value})'
        case Kind.DELETE:
            return f"r.delete({key})"
        case Kind.RENAME:
            return f"r.rename({key}, {_text(value)})"
    return f"r.json().get({key})"


def _text(value: Any) -> str:
    """A Python literal with double quotes; the values are JSON without true, false and null."""
    return json.dumps(value, ensure_ascii=False)


def _end(findings: Sequence[Finding]) -> Iterator[Any]:
    keys = sorted({finding.key for finding in findings if finding.key})
    yield new_markdown_cell(
        "## What is lost\n\nGive the recipe all the time that it needs: wait until its worker has nothing "
        "left to do, or fails again and again. Then compare."
    )
    yield new_code_cell(
        "def worker():\n"
        '    words = r.execute_command("RG.DUMPREGISTRATIONS")\n'
        '    reader = next(w for w in words if w[3] == "StreamReader")\n'
        "    data = dict(zip(reader[7][::2], reader[7][1::2], strict=True))\n"
        '    left = sum(r.xlen(s) for s in r.scan_iter(match="*ovies-stream*", _type="stream"))\n'
        '    return left == 0 or data["numFailures"] > 1\n\n\n'
        'lab.wait_until(worker, "the worker is done, or stuck");'
    )
    yield new_code_cell(
        f"for key in {_text(keys)}:\n"
        "    places(key)\n"
        '    stored = movies.find_one({"movieId": key.partition(":")[2]}, {"_id": False})\n'
        '    assert r.json().get(key) != stored, f"{key} has arrived after all"'
    )
    yield new_markdown_cell(
        "Redis said OK to each write, and the two stores differ for good. "
        "[Register the write-behind recipe](../06_write_behind.ipynb) shows what the course's recipe "
        "does instead, and [the twelve properties](../../docs/recipes.md) what a recipe has to promise."
    )
    yield new_code_cell('lab.prepare("empty")')
