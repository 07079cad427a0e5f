"""Data lines: `address(value*unit)(value)…` (IEC 62056-21:2002, 6.3.7 and 6.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_LINE = 2048
"""Characters of a line; the standard has 78, telegrams with messages in them more."""
MOST_LINES = 4096
_SET = re.compile(r"([^()]*)((?:\([^()]*\))+)")
_GROUP = re.compile(r"\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class DataSet:
    """One address and the contents of its parentheses, as the meter wrote them."""

    address: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """All that a data message says; `unknown` are lines that are no data sets."""

    sets: tuple[DataSet, ...]
    unknown: tuple[str, ...] = ()


def parse_lines(body: bytes) -> Lines:
    """Return the data sets of a message in their order; never raises.

    Parentheses without an address belong to the address before them, on the next line too (lists of
    Energomera, gas values of Kamstrup and Iskra). An address may follow a parenthesis directly.
    """
    sets: list[tuple[str, list[str]]] = []
    unknown: list[str] = []
    for line in body.decode("ascii", "replace").split("\n")[:MOST_LINES]:
        text = line.strip("\r\0 ")
        found = _sets_of(text) if len(text) <= MOST_LINE else None
        if found is None:
            unknown.append(text[:MOST_LINE])
            continue
        for address, groups in found:
            if not address and sets:
                sets[-1][1].extend(groups)
            else:
                sets.append((address, groups))
    made = tuple(DataSet(address, tuple(groups)) for address, groups in sets)
    return Lines(made, tuple(unknown))


def _sets_of(text: str) -> list[tuple[str, list[str]]] | None:
    """Return the sets of one line; None where something is left over."""
    if text in ("", "!"):
        return []
    matches = list(_SET.finditer(text))
    if "".join(match[0] for match in matches) != text:
        return None
    return [(match[1].strip(), _GROUP.findall(match[2])) for match in matches]
