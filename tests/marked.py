"""Parts of a page that a command writes: what stands between `<!-- name -->` and `<!-- /name -->`."""

from __future__ import annotations

import re
from collections.abc import Sequence


def renewed(page: str, name: str, lines: Sequence[str]) -> str:
    """Return a page with these lines between the marks. Raises ValueError for one without them."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    part = "\n".join([begin, "", *lines, "", end])
    made, count = re.subn(f"{begin}.*{end}", lambda _: part, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"there is no place for it: {begin} … {end}")
    return made
