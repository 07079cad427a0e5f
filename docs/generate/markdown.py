"""Markdown tables and headings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

GENERATED = "<!-- Made by `make docs`; edit what it is made from. -->"


def page(title: str, about: str, *parts: str) -> str:
    """Return a whole page."""
    return "\n\n".join((f"# {title}", GENERATED, about, *parts)) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; None is an empty cell."""
    lines = [_row(head), "|" + "---|" * len(head), *(_row(row) for row in rows)]
    return "\n".join(lines)


def code(text: object) -> str:
    """Return a text in code type, or nothing for nothing."""
    return f"`{text}`" if text not in (None, "") else ""


def link(title: str) -> str:
    """Return a link to a heading of the same page."""
    return f"[{title}](#{anchor(title)})"


def anchor(title: str) -> str:
    """Return the anchor that readers of Markdown give to a heading."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return re.sub(r"\s+", " ", text).replace("|", r"\|")
