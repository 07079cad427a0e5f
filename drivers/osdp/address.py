"""What of a reader a point is, and what is peculiar to a reader."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as key
from enum import StrEnum


class What(StrEnum):
    """What of a reader a point is."""

    CARD = "card"
    CARD_BITS = "card_bits"
    KEYPAD = "keypad"
    TAMPER = "tamper"
    POWER = "power"
    INPUT = "input"
    OUTPUT = "output"
    ONLINE = "online"
    READER_TAMPER = "reader_tamper"


class Check(StrEnum):
    """How our commands are checked; replies are taken with either."""

    CRC = "crc"
    CHECKSUM = "checksum"


NUMBERED = frozenset({What.INPUT, What.OUTPUT})
OF_READER = frozenset({What.CARD, What.CARD_BITS, What.KEYPAD, What.READER_TAMPER})


@dataclass(frozen=True, slots=True)
class OsdpAddress:
    """Address keys of a point in a profile of a reader or door controller."""

    what: What = key(
        metadata={
            "description": "card (hexadecimal digits), card_bits (their number of bits), keypad "
            "(digits), tamper, power (true: failed), input, output, online, reader_tamper"
        }
    )
    number: int | None = key(
        default=None,
        metadata={"description": "Number of the input or output, from 0", "ge": 0, "le": 255},
    )
    reader: int | None = key(
        default=None,
        metadata={
            "description": "Number of the reader within the device, from 0. Default: any for "
            "cards and keypads, 0 for reader_tamper",
            "ge": 0,
            "le": 127,
        },
    )

    def __post_init__(self) -> None:
        """Check that the keys fit together.

        Raises:
            ValueError: they do not.
        """
        if (self.what in NUMBERED) != (self.number is not None):
            need = "needs" if self.what in NUMBERED else "has no"
            raise ValueError(f"{self.what} {need} number")
        if self.reader is not None and self.what not in OF_READER:
            raise ValueError(f"{self.what} has no reader")


@dataclass(frozen=True, slots=True)
class OsdpQuirks:
    """What is peculiar to a reader, and how it is polled."""

    poll_ms: int = key(
        default=200,
        metadata={"description": "Time between two polls (ms)", "ge": 20, "le": 5000},
    )
    reply_ms: int = key(
        default=200,
        metadata={"description": "Longest wait for a reply (ms)", "ge": 20, "le": 2000},
    )
    misses: int = key(
        default=3,
        metadata={
            "description": "Replies missed in a row after which it is offline",
            "ge": 1,
            "le": 20,
        },
    )
    offline_poll_ms: int = key(
        default=5000,
        metadata={
            "description": "Time between two attempts while it is offline (ms)",
            "ge": 500,
            "le": 600_000,
        },
    )
    check: Check = key(
        default=Check.CRC,
        metadata={"description": "How our commands are checked: crc, checksum"},
    )
    require_secure: bool = key(
        default=True,
        metadata={
            "description": "With a key: nothing is taken in plain text. Without a key it means "
            "nothing"
        },
    )
    installation: bool = key(
        default=False,
        metadata={
            "description": "The well-known default key may be used. Only while a reader is "
            "brought into service"
        },
    )
