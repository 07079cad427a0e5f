"""How results look: aligned tables for people, JSON for programs, and the exit status."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit status of every command (contract)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    CONFIGURATION = 78
    INTERRUPTED = 130


def say(text: str = "") -> None:
    """Write one line of the result."""
    sys.stdout.write(text + "\n")


def say_now(text: str) -> None:
    """Write one line of a result that goes on, at once also where a pipe reads it."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write one line for people to stderr."""
    sys.stderr.write(text + "\n")


def say_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Write a result for programs: one JSON value on one line."""
    say(json.dumps(value, ensure_ascii=False))


def say_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write aligned columns; numbers to the right."""
    lines = [[_cell(cell) for cell in row] for row in rows]
    widths = [
        max([_width(title), *(_width(line[column]) for line in lines)])
        for column, title in enumerate(head)
    ]
    say("  ".join(_pad(title, width) for title, width in zip(head, widths, strict=True)).rstrip())
    for line in lines:
        say("  ".join(_pad(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip())


def is_chinese(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether messages are wanted in Chinese: the locale for messages starts with `zh`."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = environment.get(name)
        if value:
            return value.lower().startswith("zh")
    return False


def _cell(value: Any) -> str:  # noqa: ANN401 - whatever a row holds
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.1f}"  # noqa: PLR2004 - a million
    return str(value)


def _width(text: str) -> int:
    # Chinese characters take two columns of a terminal.
    return sum(2 if ord(char) > 0x2E80 else 1 for char in text)  # noqa: PLR2004 - CJK begins here


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
