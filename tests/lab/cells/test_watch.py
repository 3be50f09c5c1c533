"""`lab.watch()`: a picture that moves, and a table that stays."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

import lab
from lab.stack.model import Stack


def test_watch_ends_when_the_streams_are_empty(stack: Stack) -> None:
    lab.prepare("empty")
    stack.redis.xadd("queue", {"a": 1})
    asked: list[int] = []

    def drained(now: lab.Snapshot) -> bool:
        asked.append(now.queued)
        stack.redis.delete("queue")
        return now.queued == 0

    seen = lab.watch(drained, seconds=20, every=0.01)
    assert asked == [1, 0]
    assert seen.queued == [1, 0]
    assert seen.documents == [0, 0]
    assert "at most 1 in the stream" in repr(seen)


def test_watch_need_not_hold_up_its_cell(stack: Stack) -> None:
    lab.prepare("empty")
    stack.redis.xadd("queue", {"a": 1})
    seen = lab.watch(lambda now: now.queued == 2, seconds=60, every=0.01, block=False)
    lab.wait_until(lambda: seen.queued, "it looks")
    assert set(seen.queued) == {1}
    stack.redis.xadd("queue", {"a": 1})
    lab.wait_until(lambda: seen.queued[-1] == 2, "it looks on")


def test_watch_moves_in_a_kernel_and_leaves_a_table(stack: Stack) -> None:
    lab.prepare("empty")
    code = "import lab\nlab.up()\nlooks = iter('123')\n"
    code += (
        "seen = lab.watch(lambda now: next(looks) == '3', every=0.01)\nassert len(seen.queued) == 3"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    shown: list[str] = []

    def hear(cell: object, cell_index: int, execute_reply: dict) -> None:
        shown.append(str(execute_reply["content"]["status"]))

    client = NotebookClient(notebook, timeout=120, kernel_name="python3", on_cell_executed=hear)
    client.execute()
    assert shown == ["ok"]
    kinds = [set(output.get("data", {})) for output in notebook.cells[0].outputs]
    assert [kind for kind in kinds if "text/html" in kind]
    assert not [kind for kind in kinds if "application/vnd.jupyter.widget-view+json" in kind]
    assert "documents in MongoDB" in str(notebook.cells[0].outputs)
    assert client.widget_state  # the picture was there meanwhile


def test_watch_is_bounded(stack: Stack) -> None:
    lab.prepare("empty")
    stack.redis.xadd("queue", {"a": 1})
    seen = lab.watch(seconds=0.2, every=0.05)
    assert seen.queued[-1] == 1
