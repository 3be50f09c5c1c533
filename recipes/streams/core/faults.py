"""What no waiting mends: errors of Redis and of databases that need a person, and what to do. Pure."""

from __future__ import annotations

import re

from .errors import Denied, Misconfigured, Unavailable

_CREDENTIALS = "check the user and the password in the URL"
_RIGHTS = "give this user the rights that the README lists"
_MENDS = (
    (r"username-password|WRONGPASS|NOAUTH|client already authenticated", _CREDENTIALS),
    (r"(?i)authentication (failed|required)|without any password|no password supplied", _CREDENTIALS),
    (r"role .* (does not exist|is not permitted)|no pg_hba.conf entry", _CREDENTIALS),
    (r"(?i)no permissions|NOPERM|this user may not|not authorized|permission denied", _RIGHTS),
    (r"database .* does not exist", "make that database, or name another in the URL"),
    (r"(?i)certificate.verify.failed|CERTIFICATE_VERIFY", "trust its certificate, as the README says"),
    (r"WRONG_VERSION_NUMBER|RECORD_LAYER|record layer", "it speaks no TLS: take TLS out of the URL"),
    (r"SSL was required|SSL handshake failed", "it speaks no TLS: take TLS out of the URL"),
    (r"WBVERSION", "install the same version of this package everywhere"),
    (r"(?i)unknown (redis )?command|Invalid command passed", "this server has a command renamed away"),
    (r"no unique or exclusion constraint", "give the table its key back: ADD PRIMARY KEY (key)"),
    (r"column .* does not exist|is of type .* but expression", "let the worker make its own table"),
)  # fmt: skip

_CODES = {13: _RIGHTS, 18: _CREDENTIALS, "42501": _RIGHTS, "28000": _CREDENTIALS}
"""MongoDB's codes and PostgreSQL's SQLSTATE, where an error has one: they speak no language."""


def mend(error: object) -> str:
    """What a person has to do about an error; nothing for one that passes by itself."""
    code = getattr(error, "sqlstate", None) or getattr(error, "code", None)
    if code in _CODES:
        return _CODES[code]
    said = str(error)
    return next((how for pattern, how in _MENDS if re.search(pattern, said)), "")


def told(error: Exception) -> str:
    """An error's text, and how to mend it where it has to be mended."""
    how = "" if isinstance(error, (Denied, Misconfigured)) else mend(error)
    return f"Redis: {error}: {how}" if how else str(error)


def outage(where: str, error: object) -> Unavailable:
    """What a sink raises when its database takes nothing: Denied where a person has to mend it."""
    how = mend(error)
    return Denied(f"{where}: {error}: {how}") if how else Unavailable(f"{where}: {error}")
