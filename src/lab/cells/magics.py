"""`%load_ext lab`: cells in the languages of the course.

`%redis` and `%%redis` send lines as redis-cli would, `%%gears` sends the cell to `RG.PYEXECUTE`.
"""

from __future__ import annotations

import ast
import shlex
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_cell_magic, magics_class

from lab.stack.lifecycle import current
from lab.tools import look
from lab.tools.replies import Failure, RawConnection, Reply


@magics_class
class LabMagics(Magics):
    """The magics of the course."""

    @line_cell_magic
    def redis(self, line: str, cell: str | None = None) -> None:
        """Send each line to Redis through the front door and show the replies.

        Empty lines and lines that begin with # are skipped. All lines share one connection, so
        MULTI works. An error is shown and does not stop the lines after it.
        """
        if cell is None:
            _run([line], shown=False)
        else:
            lines = [text for text in (line, *cell.splitlines()) if _is_command(text)]
            _run(lines, shown=len(lines) > 1)

    @cell_magic
    def gears(self, line: str, cell: str) -> None:
        """Send the cell to `RG.PYEXECUTE`.

        The words after %%gears are its options as redis-cli would take them:
        `%%gears REQUIREMENTS rgsync pymongo==3.12.0` or `%%gears ID hello UPGRADE`. Shows the
        results; raises when the script itself fails, so that the notebook stops there.
        """
        connection = RawConnection.to(current().redis_url)
        try:
            reply = connection.call("RG.PYEXECUTE", cell, *shlex.split(line))
        finally:
            connection.close()
        _show_gears(reply)


class GearsError(RuntimeError):
    """A script failed in Gears; the message is the traceback that Gears reported."""


def load_ipython_extension(shell: Any) -> None:
    """Register the magics; called by `%load_ext lab`."""
    shell.register_magics(LabMagics)


def _is_command(text: str) -> bool:
    return bool(text.strip()) and not text.lstrip().startswith("#")


def _run(lines: list[str], shown: bool) -> None:
    connection = RawConnection.to(current().redis_url)
    try:
        for line in lines:
            if shown:
                print(f"> {line.strip()}")
            try:
                words = look.split_line(line)
            except ValueError as problem:
                raise UsageError(f"{line.strip()}: {problem}") from None
            print(look.formatted(connection.call(*words), ascii_only=False))
    finally:
        connection.close()


def _show_gears(reply: Reply) -> None:
    if isinstance(reply, Failure):
        raise GearsError(readable_error(reply.text))
    if not isinstance(reply, list) or len(reply) != 2 or not isinstance(reply[0], list):
        print(look.formatted(reply, ascii_only=False))
        return
    results, errors = reply[0], reply[1]
    print(f"{len(results)} result{'' if len(results) == 1 else 's'}")
    if results:
        print(look.formatted(results, ascii_only=False))
    if isinstance(errors, list) and errors:
        texts = [item.decode(errors="replace") for item in errors if isinstance(item, bytes)]
        raise GearsError("\n".join(readable_error(text) for text in texts))


def readable_error(text: str) -> str:
    """Return a Gears error as lines. Gears reports a traceback as the text of a list of lines."""

    try:
        lines = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return "".join(lines) if isinstance(lines, list) else text
