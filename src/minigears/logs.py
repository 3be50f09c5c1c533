"""Logs on standard error: lines for people, or one JSON object a line for a log collector."""

from __future__ import annotations

import datetime
import json
import logging
import sys

FORMATS = ("text", "json")
"""What `--log-format` offers."""

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure(level: str, form: str) -> None:
    """Send this process's logs to standard error.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        form: one of `FORMATS`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if form == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler])


class _JsonFormatter(logging.Formatter):
    """`time` (UTC, ISO 8601), `level`, `logger`, `process`, `message`, and `exception` if any."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        entry = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)
