"""Frames and devices of GB/T 26875.3 for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from drivers.contract import Moment, SessionDevice
from drivers.gbt26875.address import Field, Gbt26875Address, Gbt26875Quirks
from drivers.gbt26875.codec import STANDARD, Command, Frame, Framing, encode
from drivers.gbt26875.objects import Object
from drivers.gbt26875.session import Gbt26875Session

SOURCE = "010203040506"
CENTRE = bytes.fromhex("0000000000c8")
CLOCK = bytes.fromhex("180d11160a14")
TIME = bytes.fromhex("040009020715")
"""2021-07-02 09:00:04, binary."""
PUBLIC = bytes.fromhex(
    "404000000101180d11160a140000000000000605040302013000020201010300d90006000200a3c1c7f8a3b1"
    "b2e3dfc8b2b8d7dfc0c8000000000000000000000000000000301213010814682323"
)
"""The one public frame: see vectors.yaml, gbt26875.3-001."""
VECTORS: list[dict[str, Any]] = yaml.safe_load(
    Path("drivers/gbt26875/vectors.yaml").read_text(encoding="utf-8")
)


def moment(at_s: float) -> Moment:
    """At 0 it is 2021-07-02 09:00:00 in China."""
    return Moment(at_s, 1_625_187_600_000 + int(at_s * 1000), 8 * 3600)


def sent(
    application: str,
    *,
    serial: int = 7,
    command: Command = Command.SEND,
    source: str = SOURCE,
    framing: Framing = STANDARD,
) -> bytes:
    """What a transmitter sends: hex of the application part."""
    octets = bytes.fromhex(application)
    frame = Frame(serial, int(command), bytes.fromhex(source), CENTRE, CLOCK, octets)
    return encode(frame, framing)


def component_state(state: int, component: str = "000600d9", text: str = "") -> str:
    """The application part of a component's state, system 1.1, type 40 (smoke)."""
    on_wire = bytes.fromhex(component)[::-1].hex()
    filled = text.encode("gb18030").ljust(31, b"\0")
    return f"0201010128{on_wire}{state.to_bytes(2, 'little').hex()}{filled.hex()}{TIME.hex()}"


def point(**keys: Any) -> Gbt26875Address:
    """A point's address from plain texts, as a profile has them."""
    typed: dict[str, Any] = dict(keys)
    typed["object"] = Object(keys.get("object", "component"))
    typed["field"] = Field(keys.get("field", "state"))
    return Gbt26875Address(**typed)


def device(unit: str, *points: Gbt26875Address, **quirks: Any) -> SessionDevice:
    return SessionDevice(unit, points, Gbt26875Quirks(**quirks))


def session(*devices: SessionDevice) -> Gbt26875Session:
    return Gbt26875Session(devices, moment(0))
