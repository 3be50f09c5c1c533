"""The optional section of notebook 12 where Kafka is not installed: it says so in one line, and goes on."""

from __future__ import annotations

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from lab.stack.ondemand.kafka import MISSING
from tests.notebooks.book import FOLDER, Book

_WITHOUT = """\
import lab
from lab.stack.ondemand import kafka as module

module._server = lambda: None
"""


def test_the_section_says_how_to_get_it_and_goes_on() -> None:
    section = [c for c in Book(FOLDER / "12_scale_out.ipynb").code if c.id.startswith("12-kafka")]
    assert len(section) > 5
    notebook = new_notebook(cells=[new_code_cell(_WITHOUT), *section])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    told = [o.text for cell in notebook.cells for o in cell.outputs if o.output_type == "stream"]
    assert told == [f"{MISSING}\n"]
