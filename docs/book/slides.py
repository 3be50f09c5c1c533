"""Slides of every notebook, with what came out of its cells: for whoever stands in front.

    python -m docs.book.slides      # writes _build/slides/NN_name.html; `make book` ran the cells

A slide shows what a room reads together: headings, diagrams, tables, lists, what is to be predicted,
code and its output. The rest of the prose is what to say: press S for the speaker's view, which has
it. Nothing is fetched.
"""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import nbformat
from nbconvert import SlidesExporter
from nbformat import NotebookNode

from docs.book.minutes import REPOSITORY, RUN

HTML = REPOSITORY / "_build/slides"
DECK = REPOSITORY / "docs/book/deck"
STATIC = REPOSITORY / "docs/book/_static"

_BLOCK = re.compile(
    r"^```.*?^```[ \t]*$"  # a fence
    r"|^<details>.*?</details>[ \t]*$"
    r"|^[^\n]*\S[^\n]*(?:\n(?!```|<details>)[^\n]*\S[^\n]*)*",  # lines up to a blank one
    re.MULTILINE | re.DOTALL,
)
_SHOWN = re.compile(r"#|```|\||[-*] |\d+\. |!\[|<img|> |\*\*")
_PICTURE = re.compile(r"(!\[[^\]\n]*\])\((?![a-z]+:)([^)\s]+)\)")
_KINDS = {".png": "image/png", ".webp": "image/webp"}
_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?![a-z]+:)[^)\s]+\)")


def deck(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook whose cells are slides: a section is one, and its cells lie below it."""
    cells = [slide for cell in notebook.cells for slide in _slides(cell)]
    return nbformat.v4.new_notebook(cells=_one_code_each(cells), metadata=notebook.metadata)


def _slides(cell: NotebookNode) -> Iterator[NotebookNode]:
    """Yield what a room sees of a cell, and what the speaker says with it."""
    if cell.cell_type == "code":
        yield nbformat.from_dict({**cell, "metadata": {"slideshow": {"slide_type": "-"}}})
        return
    for piece in re.split(r"^(?=#{1,3} )", cell.source, flags=re.MULTILINE):
        shown, said = _parts(piece)
        level = len(piece) - len(piece.lstrip("#"))
        shown, below = _after_diagram(shown)
        if shown:
            yield _markdown(shown, {0: "-", 3: "subslide"}.get(level, "slide"))
        if said:
            yield _markdown(said, "notes")
        if below:
            yield _markdown(below, "subslide")


def _after_diagram(shown: str) -> tuple[str, str]:
    """Divide what is shown behind its diagram where a table follows: both fill a slide."""
    diagram, fence, rest = shown.partition("```mermaid")
    inside, end, below = rest.partition("\n```")
    if not fence or not re.search(r"^\|", below, re.MULTILINE):
        return shown, ""
    return diagram + fence + inside + end, below.strip()


def _parts(piece: str) -> tuple[str, str]:
    """Divide Markdown into what is shown and what is said. The sentence below a heading is shown."""
    shown, said = [], []
    for found in _blocks(piece):
        after_heading = len(shown) == 1 and shown[0].startswith("#") and not said
        if found.startswith("*You are here"):
            continue
        is_shown = (_SHOWN.match(found) or after_heading) and not found.startswith("<details")
        (shown if is_shown else said).append(found)
    return "\n\n".join(shown), "\n\n".join(said)


def _blocks(piece: str) -> Iterator[str]:
    """Yield the blocks of Markdown: fences, folded parts, and what blank lines divide."""
    for found in _BLOCK.finditer(_LINK.sub(r"\1", piece)):
        heading, _, rest = found[0].partition("\n")
        if heading.startswith("#") and rest.strip():
            yield heading
            yield rest
        else:
            yield found[0].strip()


def _one_code_each(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Begin a slide below with each further piece of code, so that a slide has one, or a diagram.

    Code that shows a picture has a slide of its own: the picture fills it.
    """
    has_code = False
    for cell in cells:
        kind = cell.metadata.slideshow.slide_type
        if kind in ("slide", "subslide"):
            has_code = False
        elif kind == "-" and (has_code or _has_picture(cell)):
            cell.metadata.slideshow.slide_type = "subslide"
            has_code = False
        has_code = has_code or cell.cell_type == "code" or "```mermaid" in cell.source
    return cells


def _has_picture(cell: NotebookNode) -> bool:
    return any(
        "<img" in one.get("data", {}).get("text/html", "") for one in cell.get("outputs", [])
    )


def _markdown(source: str, kind: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(source, metadata={"slideshow": {"slide_type": kind}})


def export(path: Path, folder: Path) -> Path:
    """Write a notebook's slides into a folder that `lay_out` made, and return their page."""
    exporter = SlidesExporter(
        template_name="deck",
        extra_template_basedirs=[str(DECK.parent)],
        reveal_url_prefix="reveal",
        reveal_theme="course",
    )
    where = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _with_pictures(cell.source, path.parent)
    page, _ = exporter.from_notebook_node(deck(notebook), resources=where)
    made = folder / f"{path.stem}.html"
    made.write_text(page, encoding="utf-8")
    return made


def _with_pictures(source: str, folder: Path) -> str:
    """Return Markdown with its pictures inside, since slides lie elsewhere. nbconvert leaves out those above."""

    def inside(found: re.Match[str]) -> str:
        kind = _KINDS[Path(found[2]).suffix]
        data = base64.b64encode((folder / found[2]).read_bytes()).decode()
        return f"{found[1]}(data:{kind};base64,{data})"

    return _PICTURE.sub(inside, source)


def lay_out(folder: Path) -> None:
    """Put what all slides need into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(DECK / "reveal", folder / "reveal", dirs_exist_ok=True)
    for file in (DECK / "deck.js", STATIC / "mermaid.min.js", STATIC / "terminal.css"):
        shutil.copy(file, folder)


@click.command(help=__doc__)
def main() -> None:
    """Write the slides of every notebook."""
    paths = sorted(RUN.glob("[0-9]*.ipynb"))
    if not paths:
        paths = sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))
        click.echo("There is no run of the notebooks yet, so no output: `make book` makes one.")
    lay_out(HTML)
    for path in paths:
        export(path, HTML)
    click.echo(f"==> The slides of {len(paths)} notebooks: {HTML}")


if __name__ == "__main__":
    main()
