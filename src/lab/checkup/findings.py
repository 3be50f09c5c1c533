"""What `lab doctor` finds: one line each, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lab.report import as_html


class Level(Enum):
    """How a finding bears on the stack that was asked for."""

    OK = "✓"
    NOTE = "•"  # worth knowing; the course works without it
    BAD = "✗"  # the stack cannot run


@dataclass(frozen=True)
class Finding:
    """One line of the report. `mend` says what to do about it."""

    level: Level
    what: str
    detail: str
    mend: str = ""


@dataclass(frozen=True)
class Report:
    """What the doctor found."""

    findings: list[Finding]

    @property
    def healthy(self) -> bool:
        """True when the stack can run."""
        return all(finding.level is not Level.BAD for finding in self.findings)

    def __repr__(self) -> str:
        lines = []
        for found in self.findings:
            lines.append(f"{found.level.value} {found.what:<18} {found.detail}")
            if found.mend:
                lines.append(f"  {'':<18} → {found.mend}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{found.level.value}</td>"
            f'<th scope="row" style="text-align:left">{as_html(found.what)}</th>'
            f'<td style="text-align:left">{as_html(found.detail)}'
            f"{'<br>→ ' + as_html(found.mend) if found.mend else ''}</td></tr>"
            for found in self.findings
        )
        return f"<table><tbody>{rows}</tbody></table>"
