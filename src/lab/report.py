"""How the lab talks: short lines, and a sign of life when something takes long."""

from __future__ import annotations

import contextlib
import html
import re
import sys
import threading
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

_SLOW = 1.5  # seconds before a wait that shows nothing is worth a line


def say(text: str, *, aside: bool = False) -> None:
    """Print one line for the learner: with the output, or `aside` from it on standard error."""
    stream = sys.stderr if aside else sys.stdout
    try:
        print(text, file=stream, flush=True)
    except UnicodeEncodeError:  # a terminal may have no sign for … or ✓
        known = stream.encoding or "ascii"
        print(text.encode(known, "replace").decode(known), file=stream, flush=True)


def as_html(text: str) -> str:
    """Return a line as HTML; what stands between backticks is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


@contextlib.contextmanager
def progress(text: str, *, aside: bool = False) -> Iterator[None]:
    """Show that a long step runs: a spinner in a terminal, elsewhere a line once it is slow.

    `aside` keeps it out of the output, for commands whose output others read.
    """
    stream = sys.stderr if aside else sys.stdout
    if stream.isatty():
        with Console(file=stream).status(Text(text + " …")):
            yield
        return
    timer = threading.Timer(_SLOW, say, [text + " …"], {"aside": aside})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
