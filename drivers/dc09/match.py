"""Which events are a point's, and what the point is of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from drivers.contract import Address, Quirks, Raw
from drivers.dc09.address import Dc09Address, Dc09Quirks, Field
from drivers.dc09.events import Event, Qualifier

_DIGITS = {Qualifier.NEW: 1, Qualifier.RESTORED: 3, Qualifier.STANDING: 6}
"""Qualifiers as Contact ID writes them."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ENDS = {"H": "A", "R": "AT", "J": "T", "U": "B"}
"""Second letter of a restoral: second letters of what it restores (BH and BR of BA, BU of BB)."""
_PAIRS = {
    "CL": "OP",
    "OP": "CL",
    "RO": "RC",
    "YZ": "YX",
    "YK": "YC",
    "YQ": "YP",
    "YR": "YM",
    "VI": "VO",
}
"""Restorals that the rule does not have; as in the pairs of pysiaalarm's mapping."""


def raw_of(address: Dc09Address, event: Event, time: datetime | None) -> Raw | None:
    """Return what the point is of an event; None where the event says nothing of it."""
    if not _is_placed(address, event):
        return None
    if address.field is Field.ACTIVE:
        return _active(address, event)
    return _told(address.field, event, time) if _is_named(address, event) else None


def _told(field: Field, event: Event, time: datetime | None) -> Raw | None:
    facts: Mapping[Field, Raw | None] = {
        Field.LAST_EVENT: event.summary,
        Field.EVENT_CODE: event.code,
        Field.QUALIFIER: _DIGITS[event.qualifier],
        Field.PARTITION: event.partition,
        Field.ZONE: event.zone,
        Field.USER: event.user,
        Field.TEXT: event.text or None,
        Field.TIME: None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return facts[field]


def _is_placed(address: Dc09Address, event: Event) -> bool:
    return address.zone in {None, event.zone} and address.partition in {None, event.partition}


def _is_named(address: Dc09Address, event: Event) -> bool:
    if address.event is None and address.code is None:
        return True
    return _fits(address.event, event.code) or _fits(address.code, event.code)


def _active(address: Dc09Address, event: Event) -> bool | None:
    if _is_named(address, event):
        return event.qualifier is not Qualifier.RESTORED
    if address.restore is not None:
        return False if event.code in address.restore.split() else None
    return False if any(_fits(address.code, code) for code in restored_by(event.code)) else None


def restored_by(code: str) -> frozenset[str]:
    """Return the SIA codes that a code restores: BA of BH, BA and BT of BR, CA of OA."""
    if len(code) != 2 or code[1] not in _LETTERS:  # noqa: PLR2004 - two letters
        return frozenset()
    first, second = code
    found = {first + end for end in _ENDS.get(second, "")}
    if first in "OC":
        found.add(("C" if first == "O" else "O") + second)
    if code in _PAIRS:
        found.add(_PAIRS[code])
    return frozenset(found)


def _fits(pattern: str | None, code: str) -> bool:
    """Whether a code is what a pattern with x for any character says."""
    if pattern is None or len(pattern) != len(code):
        return False
    return all(want in {"x", have} for want, have in zip(pattern, code, strict=True))


def address_of(address: Address) -> Dc09Address:
    """Return a point's address as this driver's own."""
    if not isinstance(address, Dc09Address):
        raise TypeError(f"{type(address).__name__} is not an address of SIA DC-09")
    return address


def quirks_of(quirks: Quirks) -> Dc09Quirks:
    """Return a device's quirks as this driver's own."""
    if not isinstance(quirks, Dc09Quirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of SIA DC-09")
    return quirks
