"""What the two editions of DL/T 645 have in common and where they differ: function codes, ids."""

from __future__ import annotations

from dataclasses import dataclass

ERROR_BITS = {
    0x01: "other error",
    0x02: "no requested data",
    0x04: "wrong password or not authorised",
    0x08: "baud rate cannot be changed",
    0x10: "too many year zones",
    0x20: "too many day slots",
    0x40: "too many tariffs",
}
"""Bits of the error word (600888/dlt645 ErrorCode, peace0phmind/dlt645 const.go); they combine."""
NO_DATA = 0x02
_NAMED_BITS = 0x7F
BAUDS = {0x02: 600, 0x04: 1200, 0x08: 2400, 0x10: 4800, 0x20: 9600, 0x40: 19200}
"""Baud word of the change of baud rate, one bit only (greensea/dlt645 dlt645.c)."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One edition. Function codes without the answer bit; None where the edition has none."""

    name: str
    id_bytes: int
    """Bytes of a data id: DI0 to DI3, or DI0 and DI1."""
    read: int
    read_next: int
    write: int
    read_address: int | None
    broadcast_time: int = 0x08
    freeze: int | None = None
    change_baud: int = 0x17
    relay: int | None = None
    numbers_frames: bool = True
    """A read of what follows names the frame by SEQ, the answer ends with it (12/92/B2 only)."""
    wildcard_answers: bool = False
    """Meters answer under their own address when 99…99 was asked (captures of 1997 meters)."""


EDITION_2007 = Edition(
    "dlt645-2007", 4, read=0x11, read_next=0x12, write=0x14, read_address=0x13,
    freeze=0x16, change_baud=0x17, relay=0x1C,
)  # fmt: skip
EDITION_1997 = Edition(
    "dlt645-1997", 2, read=0x01, read_next=0x02, write=0x04, read_address=None,
    change_baud=0x0C, numbers_frames=False, wildcard_answers=True,
)  # fmt: skip


def id_bytes(di: str) -> bytes:
    """Return a data id as it is sent: low byte first; `di` is hex, high byte first."""
    return bytes.fromhex(di)[::-1]


def id_text(octets: bytes) -> str:
    """Return a data id in hex, high byte first."""
    return octets[::-1].hex().upper()


def error_text(word: int) -> str:
    """Return the names of all bits that are set in an error word."""
    names = [name for bit, name in ERROR_BITS.items() if word & bit]
    if unnamed := word & ~_NAMED_BITS:
        names.append(f"bit {unnamed:02X} without a name")
    return ", ".join(names) or "no reason given"
