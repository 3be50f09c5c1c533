"""The picture of `lab.watch` where there is a front end: an anywidget with nothing fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets

from lab.course.snapshot import Snapshot


class PlacesView(anywidget.AnyWidget):
    """Redis, the stream and MongoDB side by side; entries fly from one to the next."""

    _esm = Path(__file__).with_name("placesview.js")
    now = traitlets.Dict().tag(sync=True)

    def show(self, seen: Snapshot) -> None:
        """Draw what was seen."""
        self.now = facts(seen)


def facts(seen: Snapshot) -> dict[str, Any]:
    """Return what is drawn. None: that place did not answer."""
    redis_answers = seen.movie_keys is not None
    return {
        "keys": seen.movie_keys,
        "queued": seen.queued if redis_answers else None,
        "pending": seen.pending if redis_answers else None,
        "documents": seen.documents,
    }
