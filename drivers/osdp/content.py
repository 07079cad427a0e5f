"""What stands in the content of a frame: names of codes, cards, digits, states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drivers.contract import Address, NamedValue, Quirks, Raw
from drivers.osdp.address import OsdpAddress, OsdpQuirks, What

POLL, ID, CAP, LSTAT, ISTAT, OSTAT, RSTAT = 0x60, 0x61, 0x62, 0x64, 0x65, 0x66, 0x67
KEYSET, CHLNG, SCRYPT = 0x75, 0x76, 0x77
ACK, NAK, PDID, PDCAP, LSTATR, ISTATR, OSTATR, RSTATR = (
    0x40, 0x41, 0x45, 0x46, 0x48, 0x49, 0x4A, 0x4B,
)  # fmt: skip
RAW, FMT, KEYPAD, CCRYPT, RMAC_I, BUSY = 0x50, 0x51, 0x53, 0x76, 0x78, 0x79

COMMANDS: Mapping[int, str] = MappingProxyType(
    {
        POLL: "POLL", ID: "ID", CAP: "CAP", LSTAT: "LSTAT", ISTAT: "ISTAT", OSTAT: "OSTAT",
        RSTAT: "RSTAT", 0x68: "OUT", 0x69: "LED", 0x6A: "BuzzerControl", 0x6B: "TEXT",
        0x6E: "COMSET", KEYSET: "KEYSET", CHLNG: "CHLNG", SCRYPT: "SCRYPT",
        0x7C: "FILETRANSFER", 0x80: "MFG",
    }
)  # fmt: skip
REPLIES: Mapping[int, str] = MappingProxyType(
    {
        ACK: "ACK", NAK: "NAK", PDID: "PdIdReport", PDCAP: "PDCAP", LSTATR: "LSTATR",
        ISTATR: "ISTATR", OSTATR: "OSTATR", RSTATR: "RSTATR", RAW: "RAW", FMT: "FMT",
        KEYPAD: "KEYPPAD", 0x54: "COM", CCRYPT: "CCRYPT", RMAC_I: "RMAC_I", BUSY: "BUSY",
        0x90: "MFGREP",
    }
)  # fmt: skip
"""Names as the reference vectors have them, which are those of two programs."""

NAK_SEQUENCE, NAK_NO_SECURE, NAK_NEEDS_SECURE = 4, 5, 6
NAKS: Mapping[int, str] = MappingProxyType(
    {
        1: "check of the command was wrong",
        2: "length of the command was wrong",
        3: "command is not known",
        NAK_SEQUENCE: "sequence number was wrong",
        NAK_NO_SECURE: "secure channel is not supported",
        NAK_NEEDS_SECURE: "secure channel is required",
        7: "biometric type is not supported",
        8: "biometric format is not supported",
        9: "command cannot be carried out",
    }
)
"""As goToMain/libosdp numbers them."""
SECRET_REPLIES = frozenset({RAW, FMT, KEYPAD, 0x57, 0x58})
"""Cards, digits and what biometric readers say."""
LSTATR_SIZE = 2
RAW_HEAD = 4
KEYPAD_HEAD = 2


@dataclass(frozen=True, slots=True)
class Card:
    """A card as read: its bits, left-aligned, as hexadecimal digits."""

    reader: int
    bits: int
    digits: str


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys pressed: digits, and * and # for the keys that public programs write so."""

    reader: int
    digits: str


@dataclass(frozen=True, slots=True)
class States:
    """States of a device: one for each input, output or reader, or tamper and power."""

    code: int
    states: tuple[int, ...]


def read(code: int, content: bytes) -> Card | Keys | States | None:
    """Return what a reply in plain text says; None where it says nothing that a point can be.

    Raises:
        ValueError: its content is not as long as it says.
    """
    if code == RAW:
        return _card(content)
    if code == KEYPAD:
        if len(content) < KEYPAD_HEAD or len(content) != KEYPAD_HEAD + content[1]:
            raise ValueError("the digits are not as many as they should be")
        return Keys(content[0], "".join(_key(octet) for octet in content[KEYPAD_HEAD:]))
    if code == LSTATR and len(content) != LSTATR_SIZE:
        raise ValueError(f"local status has 2 bytes, not {len(content)}")
    return States(code, tuple(content)) if code in {LSTATR, ISTATR, OSTATR, RSTATR} else None


def _card(content: bytes) -> Card:
    bits = int.from_bytes(content[2:4], "little")
    size = (bits + 7) // 8
    if len(content) < RAW_HEAD or len(content) != RAW_HEAD + size or not bits:
        raise ValueError("the card is not as long as its number of bits")
    # Bits behind the last one mean nothing; one card must have one number.
    spare = size * 8 - bits
    number = int.from_bytes(content[RAW_HEAD:], "big") >> spare << spare
    return Card(content[0], bits, f"{number:0{size * 2}X}")


def _key(octet: int) -> str:
    """Return the key of an octet; what is no printable ASCII as hexadecimal digits."""
    plain = chr(octet) if chr(octet).isascii() and chr(octet).isprintable() else f"<{octet:02X}>"
    return {0x7F: "*", 0x0D: "#"}.get(octet, plain)


def raw_of(address: OsdpAddress, said: Card | Keys | States | None) -> Raw | None:
    """Return what a point is by a reply; None where the reply says nothing of it."""
    if isinstance(said, States):
        return _state(address, said)
    if said is None or address.reader not in {None, said.reader}:
        return None
    if isinstance(said, Keys):
        return said.digits if address.what is What.KEYPAD else None
    return {What.CARD: said.digits, What.CARD_BITS: said.bits}.get(address.what)


def _state(address: OsdpAddress, said: States) -> bool | None:
    at = {
        (LSTATR, What.TAMPER): 0,
        (LSTATR, What.POWER): 1,
        (ISTATR, What.INPUT): address.number,
        (OSTATR, What.OUTPUT): address.number,
        (RSTATR, What.READER_TAMPER): address.reader or 0,
    }.get((said.code, address.what))
    return None if at is None or at >= len(said.states) else bool(said.states[at])


def is_secret(address: OsdpAddress) -> bool:
    """Whether a point is of a person: the number of a card, or digits typed."""
    return address.what in {What.CARD, What.KEYPAD}


def status_commands(points: tuple[OsdpAddress, ...]) -> tuple[int, ...]:
    """Return the commands that ask the states of these points."""
    asks = {
        What.TAMPER: LSTAT, What.POWER: LSTAT, What.INPUT: ISTAT,
        What.OUTPUT: OSTAT, What.READER_TAMPER: RSTAT,
    }  # fmt: skip
    return tuple(dict.fromkeys(asks[p.what] for p in points if p.what in asks))


def named(said: Card | Keys | States | None) -> Iterator[NamedValue]:
    """Yield what a reply says by itself; never what is of a person."""
    if isinstance(said, Card):
        yield NamedValue("card_bits", said.bits)
    if not isinstance(said, States):
        return
    if said.code == LSTATR:
        yield NamedValue("tamper", bool(said.states[0]))
        yield NamedValue("mains", not said.states[1])
    names = {ISTATR: "in", OSTATR: "out", RSTATR: "reader_tamper"}
    if said.code in names:
        for number, state in enumerate(said.states, 1):
            yield NamedValue(f"{names[said.code]}_{number}", bool(state))


def address_of(address: Address) -> OsdpAddress:
    """Return a point's address as this driver's own."""
    if not isinstance(address, OsdpAddress):
        raise TypeError(f"{type(address).__name__} is not an address of OSDP")
    return address


def quirks_of(quirks: Quirks) -> OsdpQuirks:
    """Return a device's quirks as this driver's own."""
    if not isinstance(quirks, OsdpQuirks):
        raise TypeError(f"{type(quirks).__name__} is not the quirks of OSDP")
    return quirks
