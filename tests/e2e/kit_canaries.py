"""Canaries: a camera, a card reader and a flat that tell of people, and the search for them.

`sow` lets units 1 and 2 of a Modbus slave have something to tell; `search` fails where it is found.
"""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.e2e.kit_gateway import write_profile
from tests.e2e.kit_slave import Slave

PLATE, CARD, HOLDER = "浙A8K3F6Z", 471_100_913, "Canary Wang"
TITLE, OWNER, ROOM = "Wang Canary flat", "Wang Canary owner", "R-0501"
VALUES = (PLATE, str(CARD), HOLDER)
"""What devices tell: it lies readable on no disk, and in no log."""
CANARIES = (*VALUES, TITLE, OWNER, ROOM)
LPR = """\
version: 1
profile: e2e/lpr
vendor: test
model: camera
title: {en: Camera, zh: 相机}
kind: parking.lpr
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 200ms}
points:
  plate: {register: 0, type: str, length: 8}
  passages: {register: 20, type: u16}
"""
READER = """\
version: 1
profile: e2e/reader
vendor: test
model: reader
title: {en: Reader, zh: 读卡器}
kind: security.access
driver: modbus
verified: true
sources: [made for the test]
groups: {state: 200ms}
points:
  card:
    register: 0
    type: u32
    value: int
    unit: "1"
    group: state
    pii: P3
    level: L4
    events:
      - {type: presented, severity: 1, when: {above: 1}}
      - {type: duress, severity: 4, when: {above: 1}}
  holder: {register: 4, type: str, length: 8, value: text, group: state, pii: P3, level: L4}
  tamper: {table: coil, register: 9, type: bool}
"""
PROFILES = {"e2e/lpr": LPR, "e2e/reader": READER}


def write_profiles(base: Path) -> None:
    """Put the profiles of camera and reader where the gateway of this folder looks."""
    for name, text in PROFILES.items():
        write_profile(base, name, text)


def sow(slave: Slave) -> None:
    """Let the camera be unit 1 and the reader unit 2."""
    for unit, register, text in ((1, 0, PLATE), (2, 4, HOLDER)):
        octets = text.encode().ljust(16, b"\0")
        slave.put(unit, register, *(int.from_bytes(octets[i : i + 2]) for i in range(0, 16, 2)))
    slave.put(1, 20, 7)
    slave.put(2, 0, CARD >> 16, CARD & 0xFFFF)


def files_of(folder: Path) -> Iterator[bytes]:
    """Yield every file below a folder, and what is packed in it."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            octets = file.read_bytes()
            yield octets
            yield from unpacked(octets)


def unpacked(octets: bytes) -> Iterator[bytes]:
    """Yield all that zlib can make of any part of a file."""
    at = octets.find(b"\x78")
    while at >= 0:
        try:
            yield zlib.decompressobj().decompress(octets[at:], 1 << 22)
        except zlib.error:
            pass
        at = octets.find(b"\x78", at + 1)


def search(places: Iterable[bytes], canaries: Iterable[str], name: str) -> None:
    """Demand that no canary is in any of these, in whatever form it can be written."""
    forms = {canary: tuple(forms_of(canary)) for canary in canaries}
    found = [
        (canary, place[max(0, place.find(form) - 80) : place.find(form) + 80])
        for place in places
        for canary, ways in forms.items()
        for form in ways
        if form in place
    ]
    assert not found, f"{name}: {found[:3]}"


def forms_of(canary: str) -> Iterator[bytes]:
    """Yield a canary as text, escaped, in hex and base64, and a card as the bytes of its number."""
    yield from (canary.encode(), json.dumps(canary)[1:-1].encode(), canary.encode("gb18030"))
    yield from (canary.encode().hex().encode(), canary.encode().hex().upper().encode())
    yield from (canary.encode().hex(" ").encode(), canary.encode("utf-16-le"))
    if not canary.isascii():  # nobody else has the rest either
        yield "".join(letter for letter in canary if letter.isascii()).encode()
    for before in range(3):
        yield b64encode(bytes(before) + canary.encode())[4 if before else 0 : -4]
    if canary == str(CARD):
        yield from (CARD.to_bytes(4, "big"), CARD.to_bytes(4, "little"))
        yield from (struct.pack(">d", CARD), struct.pack("<d", CARD), _varint(CARD))


def _varint(number: int) -> bytes:
    """Return a number as protobuf has it."""
    groups = [number >> shift & 0x7F for shift in range(0, number.bit_length(), 7)]
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])
