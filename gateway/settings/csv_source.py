"""A table of devices: one row a device, every cell a text, so that meter numbers keep their zeros.

Columns are keys of a device; `location.room`, `set.input` and `poll.energy` reach below one.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.settings.checking import Spot
from gateway.settings.encoding import decode
from gateway.settings.problems import Problems, advice, shown
from gateway.settings.where import Where
from gateway.settings.yaml_source import MOST_BYTES, Node

COLUMNS = (
    "id", "address", "title", "location", "profile", "variant", "bus", "protocol", "poll",
    "disabled", "retries", "offline_after", "timeout", "priority", "operator", "duty",
)  # fmt: skip
NESTED = ("location", "position", "set", "poll", "title")
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+")


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, and the character between cells."""

    names: tuple[str, ...]
    delimiter: str


def read_table(path: Path, spot: Spot, problems: Problems) -> tuple[bytes, list[Spot]]:
    """Return the file's bytes and its rows as trees; `spot` is the `from:` that names it."""
    try:
        with path.open("rb") as file:
            octets = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as exc:
        why = getattr(exc, "strerror", None) or "no such path"
        problems.add("LG-CSV-05", spot.where, spot.text, why=f"{path.name}: {why}")
        return b"", []
    name = str(path)
    if len(octets) > MOST_BYTES:
        problems.add("LG-YAML-07", Where(name, 1, 1), limit=MOST_BYTES)
        return octets, []
    text = decode(name, octets, problems)
    if text is None:
        return octets, []
    try:
        return octets, list(_rows(name, text, problems))
    except csv.Error as exc:
        problems.add("LG-CSV-05", Where(name, 1, 1), why=str(exc))
        return octets, []


def _rows(name: str, text: str, problems: Problems) -> Iterator[Spot]:
    lines = text.splitlines(keepends=True)
    header = _header(name, lines[0] if lines else "", problems)
    if header is None:
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=header.delimiter, strict=True)
    next(reader)
    begin = reader.line_num + 1
    for cells in reader:
        where = Where(name, begin, 1)
        raw = lines[min(begin, len(lines)) - 1]
        begin = reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header.names):
            problems.add("LG-CSV-03", where, found=len(cells), expected=len(header.names))
            continue
        yield Spot(name, _row(where, raw, dict(zip(header.names, cells, strict=True)), problems))


def _header(name: str, line: str, problems: Problems) -> Header | None:
    # Excel writes semicolons where the comma is the decimal mark.
    delimiter = ";" if ";" in line and "," not in line else ","
    names = tuple(cell.strip().strip('"') for cell in line.strip().split(delimiter))
    if "id" not in names:
        problems.add("LG-CSV-01", Where(name, 1, 1))
        return None
    for index, column in enumerate(names):
        where = Where(name, 1, line.find(column) + 1)
        if names.index(column) != index:
            problems.add("LG-YAML-03", where, column, key=column, first=1)
            return None
        top, dot, below = column.partition(".")
        if not (column in COLUMNS or (dot and below and top in NESTED)):
            hint = advice(column, (*COLUMNS, *(f"{top}.…" for top in NESTED)))
            problems.add("LG-CSV-02", where, column, key=column, advice=hint)
            return None
    return Header(names, delimiter)


def _row(where: Where, raw: str, cells: dict[str, str], problems: Problems) -> Node:
    row = Node({}, where.line, 1, {})
    start = 0
    for column, cell in cells.items():
        value = cell.strip()
        at = raw.find(value, start)
        start = at + len(value) if at >= 0 else start
        if not value:
            continue
        place = Where(where.file, where.line, at + 1 if at >= 0 else 1)
        if column == "address" and _ROUNDED.fullmatch(value):
            problems.add("LG-CSV-04", place, column, found=shown(value))
        parent, key = row, column
        if "." in column:
            top, _, key = column.partition(".")
            parent = _below(row, top, place)
        number = int(value) if column == "retries" and value.isdecimal() else value
        _put(parent, key, Node(number, place.line, place.column, is_quoted=False))
    return row


def _below(row: Node, key: str, place: Where) -> Node:
    children = row.value if isinstance(row.value, dict) else {}
    if key not in children or not isinstance(children[key].value, dict):
        _put(row, key, Node({}, place.line, place.column, {}))
    return children[key]


def _put(parent: Node, key: str, child: Node) -> None:
    if isinstance(parent.value, dict) and parent.keys is not None:
        parent.value[key] = child
        parent.keys[key] = (child.line, child.column)
