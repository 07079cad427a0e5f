"""Events in the data of a message: Contact ID (`ADM-CID`) and SIA codes (`SIA-DCS`).

Contact ID is `QEEE GG CCC`: qualifier, event, partition, zone or user. SIA data are `N` (new) or
`O` (old), modifiers such as `ri1/`, then code and number, perhaps a text between `^`. Forms as in
the tests of eavanvalkenburg/pysiaalarm; the standards themselves were not at hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

CONTACT_ID = "ADM-CID"
SIA = "SIA-DCS"
NULL = "NULL"

_CONTACT_ID = re.compile(r"([136])([0-9A-F]{3}) ([0-9A-F]{2}) ([0-9A-F]{3})")
_AGE = re.compile(r"[NO](?=[a-z]|[A-Z]{2})")
_MODIFIER = re.compile(r"([a-z]{2})([0-9:.-]{0,12})/?")
_CODE = re.compile(r"([A-Z]{2})([0-9]{0,6})([^/]{0,400})(?:/|$)")
_TEXT = re.compile(r"\^([^^]*)\^?")
_MAX_EVENTS = 32
_DURESS = "121"
_OPENINGS = "4"
_OF_USERS = frozenset(
    {
        *("BC", "CE", "CF", "CJ", "CK", "CL", "CP", "CQ", "CR", "DA", "DB", "EE", "JD", "JH", "JK"),
        *("JP", "JS", "JT", "JV", "JX", "JY", "JZ", "OC", "OH", "OJ", "OK", "OL", "OP", "OQ", "OR"),
        *("OT", "PC", "PD", "RX"),
    }
)
"""SIA codes whose number is a user, by the table of eavanvalkenburg/pysiaalarm."""


class Qualifier(StrEnum):
    """Whether it happened, ended, or still stands."""

    NEW = "new"
    RESTORED = "restored"
    STANDING = "standing"


_QUALIFIERS = {"1": Qualifier.NEW, "3": Qualifier.RESTORED, "6": Qualifier.STANDING}


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `code` is three digits of Contact ID, or two letters of SIA.

    `number` is the zone, or the user where `is_of_user`; None where the event has none.
    """

    code: str
    qualifier: Qualifier
    partition: int | None = None
    number: int | None = None
    text: str = ""
    is_of_user: bool = False

    @property
    def zone(self) -> int | None:
        """The zone; None where the number is a user's."""
        return None if self.is_of_user else self.number

    @property
    def user(self) -> int | None:
        """The user; None where the number is a zone's."""
        return self.number if self.is_of_user else None

    @property
    def summary(self) -> str:
        """The event in one line, never with the user or a text that may name one."""
        parts = [self.code, str(self.qualifier)]
        if self.partition is not None:
            parts.append(f"partition {self.partition}")
        if self.zone is not None:
            parts.append(f"zone {self.zone}")
        if self.text and not self.is_of_user:
            parts.append(self.text)
        return " ".join(parts)


def read_events(ident: str, data: str) -> tuple[Event, ...]:
    """Return the events of a message with this ID token; () for a link test and for empty data.

    Raises:
        ValueError: the token is unknown, or the data are not what it says.
    """
    if ident == NULL or (not data and ident in {CONTACT_ID, SIA}):
        return ()
    if ident == CONTACT_ID:
        return (_contact_id(data),)
    if ident == SIA:
        return _sia(data)
    raise ValueError(f"token {ident} is unknown; there are {SIA}, {CONTACT_ID} and {NULL}")


def _contact_id(data: str) -> Event:
    match = _CONTACT_ID.fullmatch(data.strip())
    if match is None:
        raise ValueError("Contact ID data are QEEE GG CCC, with qualifier 1, 3 or 6")
    qualifier, code, partition, number = match.groups()
    return Event(
        code=code,
        qualifier=_QUALIFIERS[qualifier],
        partition=_number(partition),
        number=_number(number),
        is_of_user=code.startswith(_OPENINGS) or code == _DURESS,
    )


def _sia(data: str) -> tuple[Event, ...]:
    age = _AGE.match(data)
    is_old, rest = age is not None and age[0] == "O", data[age.end() :] if age else data
    partition: int | None = None
    while match := _MODIFIER.match(rest):
        partition = _number(match[2]) if match[1] == "ri" else partition
        rest = rest[match.end() :]
    events: list[Event] = []
    while rest and len(events) < _MAX_EVENTS:
        match = _CODE.match(rest)
        if match is None:
            raise ValueError("SIA data are N, modifiers such as ri1/, two letters and a number")
        events.append(_sia_event(match, partition, is_old=is_old))
        rest = rest[match.end() :]
    if not events:
        raise ValueError("SIA data name no event")
    return tuple(events)


def _sia_event(match: re.Match[str], partition: int | None, *, is_old: bool) -> Event:
    code, number, behind = match.groups()
    text = _TEXT.match(behind)
    return Event(
        code=code,
        qualifier=Qualifier.STANDING if is_old else Qualifier.NEW,
        partition=partition,
        number=_number(number),
        text=" ".join(text[1].split()) if text else "",
        is_of_user=code in _OF_USERS,
    )


def _number(digits: str) -> int | None:
    return int(digits) if digits.isdecimal() else None
