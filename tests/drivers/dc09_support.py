"""Frames and panels of SIA DC-09 for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from drivers.contract import Moment, SessionDevice, SessionOutput
from drivers.dc09.address import Dc09Address, Dc09Quirks, Field
from drivers.dc09.codec import Message, encode, open_envelope, read_body
from drivers.dc09.content import write_time
from drivers.dc09.session import Dc09Session

ACCOUNT = "1234"
BEGIN_MS = 1_640_180_164_000
"""2021-12-22 13:36:04 UTC."""
CAPTURED = b'\n9337003A"SIA-DCS"1706L0#0000[#0000|Nri1/NP501]_13:36:04,12-22-2021\r'
"""A panel's own message: see vectors.yaml, sia-dc09-008."""
VECTORS: list[dict[str, Any]] = yaml.safe_load(
    Path("drivers/dc09/vectors.yaml").read_text(encoding="utf-8")
)


def moment(at_s: float) -> Moment:
    return Moment(at_s, BEGIN_MS + int(at_s * 1000))


def time_text(ahead_s: float = 0) -> str:
    return write_time(BEGIN_MS + int(ahead_s * 1000))


def contact_id(data: str, sequence: int = 1, account: str = ACCOUNT, behind: str = "") -> bytes:
    """An ADM-CID message such as `1130 01 003`."""
    body = f'"ADM-CID"{sequence:04}L0#{account}[#{account}|{data}]{behind}'
    return encode(body.encode())


def sia(data: str, sequence: int = 1, account: str = ACCOUNT) -> bytes:
    """A SIA-DCS message such as `Nri1/BA3`."""
    return encode(f'"SIA-DCS"{sequence:04}L0#{account}[#{account}|{data}]'.encode())


def point(**keys: Any) -> Dc09Address:
    typed: dict[str, Any] = dict(keys)
    typed["field"] = Field(keys.get("field", "active"))
    return Dc09Address(**typed)


def panel(
    *points: Dc09Address, account: str = ACCOUNT, key: bytes | None = None, **quirks: Any
) -> SessionDevice:
    return SessionDevice(account, points, Dc09Quirks(**quirks), key)


def session(*panels: SessionDevice) -> Dc09Session:
    return Dc09Session(panels, moment(0))


def answer(output: SessionOutput) -> Message:
    """The one answer that a session sends, with right CRC and length."""
    envelope = open_envelope(output.send)
    assert envelope.error is None
    return read_body(envelope.body)
