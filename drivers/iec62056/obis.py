"""Codes of values: which line of a read-out is meant (IEC 62056-21:2002, annex A; OBIS)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from drivers.iec62056.lines import DataSet

CURRENT = 255
"""Storage number of the present value; the same as none."""
_CODE = re.compile(r"(?:([0-9]{1,3}-[0-9]{1,3}):)?([^*&()/!]+?)(?:[*&]([0-9]{1,3}))?")


@dataclass(frozen=True, slots=True)
class Code:
    """`1-0:1.8.0*01` in parts: channel `1-0`, value `1.8.0`, storage 1.

    Channel and storage are None where the code leaves them out; storage 255 is left out, too. `&`
    (reset by hand) and `*` (reset by itself) before the storage number mean the same value.
    """

    channel: str | None
    value: str
    storage: int | None


def parse_code(text: str) -> Code | None:
    """Return the parts of a code, which may be any address (F.F, FREQU); None when it is none."""
    match = _CODE.fullmatch(text.strip())
    if match is None:
        return None
    storage = None if match[3] is None else int(match[3])
    return Code(match[1], match[2].upper(), None if storage == CURRENT else storage)


def find_set(sets: Sequence[DataSet], wanted: str) -> DataSet | None:
    """Return the line of a code: the very same text, else the first that means it, else None.

    A line without a channel answers to any, and so does a wanted code without one.
    """
    exact = next((one for one in sets if one.address == wanted), None)
    code = parse_code(wanted)
    if exact is not None or code is None:
        return exact
    return next((one for one in sets if _means(one.address, code)), None)


def _means(address: str, wanted: Code) -> bool:
    sent = parse_code(address)
    if sent is None or (sent.value, sent.storage) != (wanted.value, wanted.storage):
        return False
    return sent.channel == wanted.channel or None in (sent.channel, wanted.channel)
