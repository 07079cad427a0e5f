"""What may be written: items with password and operator, relay, freeze, time by broadcast."""

from __future__ import annotations

import re
from datetime import datetime

from drivers.contract import Job, Raw
from drivers.dlt645.address import CLOCK, FREEZE, RELAY, Dlt645Address, Dlt645Quirks
from drivers.dlt645.codec import BROADCAST, MOST_WRITTEN, WILDCARD
from drivers.dlt645.edition import Edition, id_bytes
from drivers.dlt645.exchange import Question
from drivers.dlt645.jobs import OneQuestion
from drivers.dlt645.values import from_raw

TRIP, CLOSE_AT_ONCE = 0x1A, 0x1C
"""N1 of function 1C (chinawrj/esphome-component-dlt645); 1B only permits to close by hand."""
NEVER_EXPIRES = bytes.fromhex("595923311299")
"""ss mm hh DD MM YY: how long commands live is decided before they come here."""
_MOMENT = re.compile(r"(20[0-9]{2})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_FREEZE = re.compile(
    "(0[1-9]|1[0-2]|99)(0[1-9]|[12][0-9]|3[01]|99)([01][0-9]|2[0-3]|99)([0-5][0-9]|99)"
)


def write_job(  # noqa: PLR0917 - JobDriver.plan_write with the edition
    edition: Edition, unit: str, address: Dlt645Address, raw: Raw, quirks: Dlt645Quirks
) -> Job:
    """Return the job that writes one value.

    Raises:
        ValueError: it cannot be written, or does not fit.
    """
    if address.di == CLOCK:
        return _broadcast_time(edition, raw, quirks)
    if unit in (WILDCARD, BROADCAST):
        raise ValueError(f"nothing is written to {unit}: it means every meter of the line")
    if address.di == RELAY:
        return _switch_relay(edition, unit, raw, quirks)
    if address.di == FREEZE:
        return _freeze(edition, unit, raw, quirks)
    if address.bit >= 0 or address.at:
        raise ValueError("a part of an item cannot be written")
    octets = from_raw(raw, address.how)
    secrets = _secrets(quirks) if edition.id_bytes > 2 else _secrets(quirks)[:4]  # noqa: PLR2004
    content = id_bytes(address.di) + secrets + octets
    if len(content) > MOST_WRITTEN:
        raise ValueError(f"{len(content)} bytes of data; a write takes {MOST_WRITTEN}")
    question = Question(unit, edition.write, content, b"", 0, quirks.preamble)
    return OneQuestion(question, f"write {address.di}")


def _switch_relay(edition: Edition, unit: str, raw: Raw, quirks: Dlt645Quirks) -> Job:
    if edition.relay is None:
        raise ValueError(f"{edition.name} has no relay command of its own")
    if not quirks.relay:
        raise ValueError("the relay is locked: write `quirks: {relay: true}` at the device")
    if not isinstance(raw, int) or raw not in (0, 1):
        raise ValueError(f"{raw!r} is no state of a relay; write true (closed) or false (open)")
    command = CLOSE_AT_ONCE if raw else TRIP
    content = _secrets(quirks) + bytes((command, 0)) + NEVER_EXPIRES
    question = Question(unit, edition.relay, content, b"", 0, quirks.preamble)
    return OneQuestion(question, "close the relay" if raw else "open the relay")


def _freeze(edition: Edition, unit: str, raw: Raw, quirks: Dlt645Quirks) -> Job:
    """Return the freeze of one meter: month, day, hour, minute, 99 for "any", all 99 for "now".

    The fields are those of 600888/dlt645 (client_service.py), which sends them as printed like its
    addresses; here they go low byte first as all times of the protocol do.
    """
    if edition.freeze is None:
        raise ValueError(f"{edition.name} has no freeze command for one meter")
    if not isinstance(raw, str) or not _FREEZE.fullmatch(raw):
        raise ValueError(f"{raw!r} is no MMDDhhmm such as 99010000; 99999999 freezes at once")
    question = Question(unit, edition.freeze, bytes.fromhex(raw)[::-1], b"", 0, quirks.preamble)
    return OneQuestion(question, f"freeze {raw}")


def _broadcast_time(edition: Edition, raw: Raw, quirks: Dlt645Quirks) -> Job:
    """Return the broadcast of a local time; meters take it once a day, within five minutes."""
    match = _MOMENT.fullmatch(raw) if isinstance(raw, str) else None
    if match is None or not _exists(match):
        raise ValueError(f"{raw!r} is no local time such as 2026-11-27 09:30:00")
    year, month, day, hour, minute, second = match.groups(default="00")
    content = bytes.fromhex(second + minute + hour + day + month + year[2:])
    question = Question(
        BROADCAST, edition.broadcast_time, content, b"", 0, quirks.preamble, is_answered=False
    )
    return OneQuestion(question, "set all clocks of the line")


def _exists(moment: re.Match[str]) -> bool:
    try:
        datetime.fromisoformat(moment[0])
    except ValueError:
        return False
    return True


def _secrets(quirks: Dlt645Quirks) -> bytes:
    return bytes.fromhex(quirks.password) + bytes.fromhex(quirks.operator)
