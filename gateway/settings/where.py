"""Where a setting stands: what messages, `explain` and every loaded part of a site point at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Where:
    """Place in a file, for messages and `explain`. Lines and columns count from 1."""

    file: str
    line: int
    column: int
