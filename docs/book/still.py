"""Notebooks as pages that stand still: no kernel serves their frames, and nothing is fetched for their widgets."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from nbformat import NotebookNode

PICTURES = Path(__file__).parents[1] / "images"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_FRAME = re.compile(r"<iframe\b[^>]*>", re.IGNORECASE)
_TITLE = re.compile(r"""\btitle=["']([^"']*)""", re.IGNORECASE)
_SHOWN = {
    "The movie app": (
        "movieapp-light.webp",
        "Movie cards with drawn posters; beside them a panel follows pauses from Redis through the "
        "stream to MongoDB",
        "A picture: in JupyterLab this is the app itself. <code>make app</code> in a terminal opens it, too.",
    )
}
"""By the frame's title: its picture in docs/images, what that shows, and where the thing itself is seen."""


def make_still(notebook: NotebookNode) -> None:
    """Put pictures in the place of frames in a notebook that has run; drop widgets, which have plain text beside them.

    Raises LookupError for a frame whose title has no picture: who adds one to a notebook adds it here.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            data.pop(_WIDGET, None)
            if found := _FRAME.search(data.get("text/html", "")):
                output.data = NotebookNode({"text/html": _picture(found[0])})


def _picture(frame: str) -> str:
    title = _TITLE.search(frame)
    if not title or title[1] not in _SHOWN:
        raise LookupError(
            f"a book without a kernel needs a picture for {frame} (docs/book/still.py)"
        )
    file, alt, caption = _SHOWN[title[1]]
    data = base64.b64encode((PICTURES / file).read_bytes()).decode()
    picture = f'<img src="data:image/webp;base64,{data}" alt="{alt}" style="max-width:100%">'
    return f'<figure style="margin:.5em 0">{picture}<figcaption>{caption}</figcaption></figure>'
