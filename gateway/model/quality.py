"""Quality of a value, in the words of the payload standard (contract: `q`, `qr`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Quality(IntEnum):
    """Sparkplug's values: good, bad, stale."""

    GOOD = 192
    BAD = 0
    STALE = 500


class Reason(StrEnum):
    """The closed set of reasons; a device's own refusal is `exception:n` (`refused`)."""

    TIMEOUT = "timeout"
    CRC = "crc"
    SHORT = "short"
    WRONG_UNIT = "wrong_unit"
    ECHO = "echo"
    PORT_GONE = "port_gone"
    RANGE = "range"
    STUCK = "stuck"
    COUNTER = "counter"
    IDENTITY = "identity"
    CLOCK = "clock"
    CONFIG = "config"
    LEASED = "leased"
    SIM = "sim"


@dataclass(frozen=True, slots=True)
class Mark:
    """Quality with its reason; `reason` is a `Reason`, `exception:n`, or None when good."""

    quality: Quality
    reason: str | None = None


GOOD = Mark(Quality.GOOD)
SIMULATED = Mark(Quality.GOOD, Reason.SIM)


def bad(reason: str) -> Mark:
    """Return the mark of a value that was not had, and why."""
    return Mark(Quality.BAD, reason)


def refused(code: int) -> str:
    """Return the reason for a device's own error code, such as `exception:2`."""
    return f"exception:{code}"
