"""The rules of a notebook's content. Each takes a notebook and returns what is wrong with it."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nbformat import NotebookNode

from lab.checks import exercise
from lab.errors import LabError
from tests.notebooks.book import Book, Section, fences, in_order, links, python, without_fences

Rule = Callable[[Book], list[str]]

LONGEST_CELL = 12  # lines that are not blank
MOST_IDEAS = 3
STACKS = {"embedded", "containers", "external"}

_DRAWS = {"plot", "bar", "barh", "hist", "scatter", "step", "fill_between", "boxplot", "imshow"}
_INSTALLS = re.compile(r"\b(pip3?|conda|mamba|npm|apt|apt-get|brew|uv)\s+(add|install|i)\b|\bnpx\b")
_FETCHES = re.compile(r"\b(wget|git\s+clone|docker\s+pull)\b|\b(https?|ftp)://(?!127\.|localhost)")
_ABSOLUTE = re.compile(
    r"""["'\s=](/(home|Users|root|tmp|work|usr|opt|var|etc|mnt|content)(/|\b)|[A-Z]:\\|~/)"""
)
_IMAGE = re.compile(r"!\[([^\]]*)\]\([^)]+\)")
_IMG = re.compile(r"<img\b[^>]*>", re.IGNORECASE)


def opens_with_title_and_reason(book: Book) -> list[str]:
    """The first cell: a heading, then a sentence of why."""
    wrong = []
    if not book.title:
        wrong.append("the first cell does not begin with `# Title`")
    lines = book.cells[0].source.splitlines()[1:] if book.cells else []
    prose = next((line for line in lines if line.strip()), "")
    if not re.match(r"\s*[\w*`\"“]", prose) or not prose.rstrip().endswith((".", "?", ":")):
        wrong.append("no sentence of why between the title and the table")
    return wrong


def opener_has_its_table(book: Book) -> list[str]:
    """The first cell's table: you will learn, you need, minutes, works on."""
    rows, wrong = book.opener, []
    for label in ("you will learn", "you need", "minutes", "works on"):
        if not rows.get(label):
            wrong.append(f"the first cell's table has no row | **{label.capitalize()}** | … |")
    ideas = re.split(r"<br\s*/?>", rows.get("you will learn", ""))
    if len(ideas) > MOST_IDEAS:
        wrong.append(f"{len(ideas)} things to learn, at most {MOST_IDEAS}")
    if not re.search(r"\d", rows.get("minutes", "0")):
        wrong.append("the row of minutes has no number")
    stacks = set(re.findall(r"\w+", rows.get("works on", "embedded")))
    if not stacks & STACKS:
        wrong.append(f"works on none of {', '.join(sorted(STACKS))}")
    return wrong


def you_are_here(path: Path) -> str:
    """The line that places a notebook among all: `*You are here:* [00](…) · **01** · [02](…) …`."""
    parts = []
    for other in in_order(path.parent):
        number = other.name.partition("_")[0]
        parts.append(f"**{number}**" if other == path else f"[{number}]({other.name})")
    return f"*You are here:* {' · '.join(parts)}"


def says_where_it_is(book: Book) -> list[str]:
    """The first cell ends with the line that places this notebook among all."""
    line = you_are_here(book.path)
    last = book.cells[0].source.splitlines()[-1:] if book.cells else []
    return [] if last == [line] else [f"the last line of the first cell is not: {line}"]


def ends_with_recap(book: Book) -> list[str]:
    """The last section: three things now true, what breaks without them, the next notebook."""
    sections = list(book.sections())
    if not sections or sections[-1].title != "Recap":
        return ["the last section is not `## Recap`"]
    prose, wrong = without_fences(sections[-1].prose), []
    points = re.findall(r"^(?:[-*]|\d\.) ", prose, re.MULTILINE)
    if len(points) != 3:
        wrong.append(f"the recap lists {len(points)} things that are now true, not 3")
    if not re.search(r"\bskip", prose, re.IGNORECASE):
        wrong.append("the recap does not say what breaks if you skip this")
    return wrong


def leads_to_the_next(book: Book) -> list[str]:
    """A line of the recap that begins with "Next" links to the notebook that follows."""
    after = [path.name for path in in_order(book.path.parent) if path.name > book.path.name]
    lines = re.findall(r"^\W*Next\b.*$", book.prose, re.MULTILINE)
    targets = links(lines[-1]) if lines else []
    if not targets:
        return ["no line that begins with `Next` and has a link"]
    if after and after[0] not in targets:
        return [f"the link after `Next` does not lead to {after[0]}"]
    return []


def links_resolve(book: Book) -> list[str]:
    """Links to files of the repository lead to files that are there."""
    local = [t.partition("#")[0] for t in links(book.prose) if not re.match(r"[a-z]+:|#", t)]
    return [f"dead link: {t}" for t in local if not (book.path.parent / t).exists()]


def holds_no_output(book: Book) -> list[str]:
    """No output and no execution count is committed."""
    return [
        f"output or execution count in: {_name(cell)}"
        for cell in book.code
        if cell.outputs or cell.execution_count is not None
    ]


def never_sleeps(book: Book) -> list[str]:
    """Waiting is for a condition, not for a time."""
    return [f"sleep in: {_name(c)}" for c in book.code if re.search(r"\bsleep\b", c.source)]


def asserts_in_each_section(book: Book) -> list[str]:
    """A section with code holds an assertion, or checks answers."""
    return [
        f"no assertion in the section {section.title!r}"
        for section in book.sections()
        if section.code and not any(_asserts(cell.source) for cell in section.code)
    ]


def keeps_cells_short(book: Book) -> list[str]:
    """Code cells have at most a dozen lines."""
    counts = [(c, sum(bool(line.strip()) for line in c.source.splitlines())) for c in book.code]
    return [f"{n} lines in: {_name(c)}" for c, n in counts if n > LONGEST_CELL]


def describes_pictures(book: Book) -> list[str]:
    """Pictures and plots have alt text, diagrams a description for those who do not see them."""
    prose = without_fences(book.prose)
    wrong = ["a picture without alt text" for alt in _IMAGE.findall(prose) if not alt.strip()]
    wrong += [
        f"no alt text: {tag}"
        for tag in _IMG.findall(prose)
        if not re.search(r"""\balt\s*=\s*["'][^"']+""", tag)
    ]
    wrong += [
        f"a diagram without accDescr: {diagram.splitlines()[0]}"
        for diagram in fences(book.prose, "mermaid")
        if not re.search(r"\baccDescr\s*[:{]\s*\S", diagram)
    ]
    wrong += [f"a plot without alt=: {_name(c)}" for c in book.code if _draws_undescribed(c.source)]
    return wrong


def draws_top_down(book: Book) -> list[str]:
    """A diagram from left to right shrinks to a line in a narrow window."""
    return [
        f"draw it top down: {diagram.splitlines()[0]}"
        for diagram in fences(book.prose, "mermaid")
        if re.match(r"\s*(flowchart|graph)\s+(LR|RL)\b", diagram)
    ]


def installs_and_fetches_nothing(book: Book) -> list[str]:
    """No cell installs a package or reaches beyond this machine."""
    return [
        f"installs or fetches: {_name(cell)}"
        for cell in book.code
        if _INSTALLS.search(cell.source) or _FETCHES.search(cell.source)
    ]


def names_no_absolute_path(book: Book) -> list[str]:
    """No cell names a path of somebody's machine."""
    return [f"absolute path in: {_name(c)}" for c in book.code if _ABSOLUTE.search(c.source)]


def equips_exercises(book: Book) -> list[str]:
    """An exercise has its stub, its check, the way to three hints, and a folded solution."""
    return [
        f"{section.title!r}: {problem}"
        for section in book.exercises()
        for problem in _exercise_problems(book, section)
    ]


def keeps_predictions(book: Book) -> list[str]:
    """What is to be predicted has a cell for the guess right below, and later what happened.

    A question without an answer that can be shown is asked in other words.
    """
    wrong, guessed, told = [], [], []
    for cell, after in itertools.zip_longest(book.cells, book.cells[1:]):
        if cell.cell_type == "code":
            for id, happened in _predictions(cell.source):
                (told if happened else guessed).append(id)
        elif re.search(r"\*\*predict", without_fences(cell.source), re.IGNORECASE) and not (
            after and after.cell_type == "code" and _predictions(after.source)
        ):
            wrong.append(f"no cell with `lab.predict` below: {_name(cell)}")
    wrong += [f"nothing tells what happened: {id}" for id in guessed if id not in told]
    wrong += [f"a guess that nobody was asked for: {id}" for id in told if id not in guessed]
    wrong += [f"asked twice: {id}" for id in {one for one in guessed if guessed.count(one) > 1}]
    strangers = [id for id in guessed if not id.startswith(f"{book.number}-")]
    return wrong + [f"a number of another notebook: {id}" for id in strangers]


RULES: tuple[Rule, ...] = (
    opens_with_title_and_reason,
    opener_has_its_table,
    says_where_it_is,
    ends_with_recap,
    leads_to_the_next,
    links_resolve,
    holds_no_output,
    never_sleeps,
    asserts_in_each_section,
    keeps_cells_short,
    describes_pictures,
    draws_top_down,
    installs_and_fetches_nothing,
    names_no_absolute_path,
    equips_exercises,
    keeps_predictions,
)


def check_ids(cell: NotebookNode) -> list[str]:
    """Return the exercises that a code cell checks: the first words of its `lab.check` calls."""
    return [
        call.args[0].value
        for call in _calls(cell.source)
        if ast.unparse(call.func) == "lab.check"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    ]


def _exercise_problems(book: Book, section: Section) -> Iterator[str]:
    ids = [name for cell in section.code for name in check_ids(cell)]
    if len(ids) != 1 or not re.fullmatch(rf"{book.number}-\d+", ids[0]):
        yield f'it needs one call of lab.check("{book.number}-…"), not {ids}'
        return
    try:
        known = exercise(ids[0])
    except LabError as problem:
        yield str(problem)
        return
    if not any(cell.source.strip() == known.stub.strip() for cell in section.code):
        yield f"no cell holds the stub of {known.id} as lab.checks has it"
    if f'lab.hint("{known.id}")' not in _text(section):
        yield f'lab.hint("{known.id}") is not offered'
    folds = re.findall(
        r"<details>\s*<summary>Solution</summary>(.*?)</details>", section.prose, re.S
    )
    if [fences(fold, "python") for fold in folds] != [[known.solution]]:
        yield f"no fold `Solution` with the solution of {known.id} as lab.checks has it"


def _text(section: Section) -> str:
    return "\n".join(cell.source for cell in section.cells)


def _name(cell: NotebookNode) -> str:
    """Return words by which a reader finds a cell: its first line."""
    return next(iter(cell.source.splitlines()), "(empty cell)")


def _calls(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(python(source)) if isinstance(node, ast.Call)]


def _asserts(source: str) -> bool:
    """Tell whether a cell can fail: `assert`, `raise AssertionError`, `lab.check` or `lab.quiz`."""
    return any(
        isinstance(node, ast.Assert)
        or (isinstance(node, ast.Raise) and "AssertionError" in ast.unparse(node))
        or (isinstance(node, ast.Call) and ast.unparse(node.func) in ("lab.check", "lab.quiz"))
        for node in ast.walk(python(source))
    )


def _predictions(source: str) -> list[tuple[str, bool]]:
    """Return the ids of a cell's `lab.predict` calls, and whether each tells what happened."""
    return [
        (call.args[0].value, any(word.arg == "happened" for word in call.keywords))
        for call in _calls(source)
        if ast.unparse(call.func) == "lab.predict"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    ]


def _draws_undescribed(source: str) -> bool:
    """Tell whether a cell draws with matplotlib and gives no `alt`."""
    calls = _calls(source)
    names = [call.func.attr for call in calls if isinstance(call.func, ast.Attribute)]
    draws = any(name in _DRAWS or name.startswith("plot_") for name in names)
    alts = [word.value for call in calls for word in call.keywords if word.arg == "alt"]
    return draws and not any(not isinstance(alt, ast.Constant) or alt.value for alt in alts)
