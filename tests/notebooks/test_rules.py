"""Each rule of `rules.py` finds what it is there to find, and passes a good notebook."""

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lab.checks import exercise
from tests.notebooks import rules
from tests.notebooks.book import Book

OPENER = """\
# Load the movies

The other notebooks read and change these movies.

| | |
|---|---|
| **You will learn** | how PyMongo inserts<br>how Redis OM saves |
| **You need** | [00](00_start_here.ipynb) |
| **Minutes** | 10 |
| **Works on** | embedded, containers |

*You are here:* [00](00_start_here.ipynb) · **03** · [04](04_hello.ipynb) · [05](05_more.ipynb)
"""
SECTION = """\
## Insert

```mermaid
flowchart TB
  accDescr: a movie goes from PyMongo to MongoDB
  PyMongo --> MongoDB
```

![The collection](movies.svg)

**Predict:** how many documents will there be?
"""
EXERCISE = f"""\
## Exercise: the best

A hint: `lab.hint("03-1")`.

<details><summary>Solution</summary>

```python
{exercise("03-1").solution}```

</details>
"""
RECAP = """\
## Recap

- The movies are in MongoDB.
- They are in Redis.
- Both agree.

If you skip this, nothing can be written behind.

**Next:** [Say hello](04_hello.ipynb)
"""


@pytest.fixture
def book(tmp_path) -> Book:
    """A notebook that keeps all rules, between two others."""
    for name in ("00_start_here.ipynb", "04_hello.ipynb", "05_more.ipynb", "movies.svg"):
        (tmp_path / name).touch()
    cells = [
        new_markdown_cell(OPENER),
        new_markdown_cell(SECTION),
        new_code_cell('lab.predict("03-1", ...)'),
        new_code_cell("%load_ext lab\nlab.show(lab.plot_peaks(seen), alt='two lines')"),
        new_code_cell("assert movies.count_documents({}) == 3\nlab.predict('03-1', happened=3)"),
        new_markdown_cell(EXERCISE),
        new_code_cell(exercise("03-1").stub),
        new_code_cell('lab.check("03-1")'),
        new_markdown_cell(RECAP),
    ]
    path = tmp_path / "03_load.ipynb"
    path.touch()
    return Book(path, new_notebook(cells=cells))


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_a_good_notebook_passes(book, rule):
    assert rule(book) == []


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_an_empty_notebook_raises_nothing(book, rule):
    assert isinstance(rule(Book(book.path, new_notebook())), list)


REPLACED = [
    # rule, what is replaced in whichever cell has it, by what
    (rules.opens_with_title_and_reason, "# Load", "Load"),
    (rules.opens_with_title_and_reason, "The other notebooks read and change these movies.", ""),
    (rules.opener_has_its_table, "| **You need** |", "| **Needed** |"),
    (rules.opener_has_its_table, "| 10 |", "| ten |"),
    (rules.opener_has_its_table, "<br>how", "<br>a<br>b<br>how"),
    (rules.opener_has_its_table, "embedded, containers |", "anything |"),
    (rules.says_where_it_is, "**03**", "**04**"),
    (rules.says_where_it_is, "*You are here:*", "*Elsewhere:*"),
    (rules.ends_with_recap, "## Recap", "## Summary"),
    (rules.ends_with_recap, "- Both agree.\n", ""),
    (rules.ends_with_recap, "If you skip this, nothing", "Nothing"),
    (rules.leads_to_the_next, "**Next:** ", ""),
    (rules.leads_to_the_next, "04_hello", "05_more"),
    (rules.links_resolve, "00_start_here", "00_nowhere"),
    (rules.never_sleeps, "assert", "time.sleep(1)\nassert"),
    (rules.never_sleeps, "assert", "!sleep 1\nassert"),
    (rules.asserts_in_each_section, "assert ", ""),
    (rules.asserts_in_each_section, "assert ", "# assert "),
    (rules.keeps_cells_short, "assert", "a = 1\n" * 12 + "assert"),
    (rules.describes_pictures, "[The collection]", "[]"),
    (rules.describes_pictures, "![The collection](movies.svg)", "<img src='movies.svg'>"),
    (rules.describes_pictures, "  accDescr: a movie goes from PyMongo to MongoDB\n", ""),
    (rules.describes_pictures, ", alt='two lines'", ""),
    (rules.describes_pictures, "alt='two lines'", "alt=''"),
    (rules.describes_pictures, "lab.plot_peaks(seen), alt='two lines'", "axes.plot(seen)"),
    (rules.draws_top_down, "flowchart TB", "flowchart LR"),
    (rules.installs_and_fetches_nothing, "%load_ext lab", "%pip install redis"),
    (rules.installs_and_fetches_nothing, "%load_ext lab", "!npm i redis"),
    (rules.installs_and_fetches_nothing, "%load_ext lab", "!wget x.org/movies"),
    (rules.installs_and_fetches_nothing, "%load_ext lab", "get('https://x.org/movies')"),
    (rules.names_no_absolute_path, "%load_ext lab", "open('/home/ann/movies.jsonl')"),
    (rules.names_no_absolute_path, "%load_ext lab", "!cat ~/movies.jsonl"),
    (rules.names_no_absolute_path, "%load_ext lab", r"open(r'C:\movies.jsonl')"),
    (rules.keeps_predictions, 'lab.predict("03-1", ...)', "seen = [3]"),
    (rules.keeps_predictions, 'lab.predict("03-1", ...)', 'lab.predict("03-2", ...)'),
    (rules.keeps_predictions, "lab.predict('03-1', happened=3)", ""),
    (rules.keeps_predictions, "assert ", "lab.predict('03-1', ...)\nassert "),
    (rules.keeps_predictions, '03-1", ...', '04-1", ...'),
    (rules.equips_exercises, 'lab.check("03-1")', "pass"),
    (rules.equips_exercises, 'lab.check("03-1")', 'lab.check("04-1")'),
    (rules.equips_exercises, 'lab.check("03-1")', 'lab.check("03-99")'),
    (rules.equips_exercises, "best = ...", "best = []"),
    (rules.equips_exercises, '`lab.hint("03-1")`', "none"),
    (rules.equips_exercises, "<details>", "<details open>"),
    (rules.equips_exercises, '"$gte": 8.5', '"$gt": 8.5'),
]


@pytest.mark.parametrize(("rule", "old", "new"), REPLACED)
def test_a_rule_finds_its_fault(book, rule, old, new):
    changed = [cell for cell in book.cells if old in cell.source]
    assert changed, "the example does not fit the good notebook"
    for cell in changed:
        cell.source = cell.source.replace(old, new)
    assert rule(book)


def test_a_notebook_in_between_comes_next(book):
    (book.path.parent / "03b_search.ipynb").touch()
    assert rules.leads_to_the_next(book)
    book.cells[-1].source = RECAP.replace("04_hello", "03b_search")
    assert not rules.leads_to_the_next(Book(book.path, book.notebook))


def test_an_output_is_found(book):
    book.code[0].outputs = [new_output("stream", text="3")]
    assert rules.holds_no_output(book)


def test_an_execution_count_is_found(book):
    book.code[0].execution_count = 1
    assert rules.holds_no_output(book)


@pytest.mark.parametrize(
    "source",
    ["get('http://127.0.0.1:9121/metrics')", "get('http://localhost:8888')", "# pip and npm"],
)
def test_this_machine_may_be_asked(book, source):
    book.code[0].source = source
    assert not rules.installs_and_fetches_nothing(book)


def test_what_looks_like_a_path_but_is_none_may_be_named(book):
    book.code[0].source = "stack.redis.json().get(key, '$.tmp')\nrate = 60 / work"
    assert not rules.names_no_absolute_path(book)


def test_the_last_notebook_may_lead_anywhere(book):
    for name in ("04_hello.ipynb", "05_more.ipynb"):
        (book.path.parent / name).unlink()
    book.cells[-1].source = RECAP.replace("04_hello.ipynb", "https://redis.io/docs")
    assert not rules.leads_to_the_next(book)
