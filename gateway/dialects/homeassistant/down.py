"""What Home Assistant asks: a switch, a number, a choice or a text, as plain text on one topic.

Payloads: the pages of the platforms switch (`payload_on` ON, `payload_off` OFF), number, select and
text. Total: nothing raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

from gateway.dialects.asked import MAX_TEXT, Wish, Wrong
from gateway.dialects.contract import BirthPoint, Received
from gateway.model.command import BadCommand, Op
from gateway.model.ids import DeviceId
from gateway.model.publication import Arrival
from gateway.model.reading import Value

MAX_BYTES = 1024
_SWITCH = {"ON": True, "OFF": False}
_INTEGER = re.compile(r"-?[0-9]{1,15}")


@dataclass(slots=True)
class Commands:
    """Gives every message an id of its own: the platform gives none."""

    ttl_ms: int
    _count: int = 0

    def read(self, arrival: Arrival, device: DeviceId, point: BirthPoint, now_ms: int) -> Received:
        """Return what a message on the command topic of a point means."""
        self._count += 1
        rid = f"set|{point.id}|{now_ms}-{self._count}"
        try:
            value = _value(arrival.payload, point)
        except Wrong as error:
            bad = BadCommand(arrival.sink, rid, device, error.code, str(error))
            return Received(commands=(bad,))
        wish = Wish(Op.SET, ((point.id, value),))
        return Received(commands=(wish.command(arrival, rid, device, now_ms + self.ttl_ms),))


def _value(payload: bytes, point: BirthPoint) -> Value:
    if len(payload) > MAX_BYTES:
        raise Wrong("bad_value", f"{len(payload)} bytes; at most {MAX_BYTES}")
    try:
        said = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Wrong("bad_value", f"not UTF-8 at byte {error.start}") from error
    if point.type == "bool":
        return _switched(said)
    if point.type in {"int", "float"}:
        return _number(said)
    if len(said) > MAX_TEXT:
        raise Wrong("bad_value", f"a text value has at most {MAX_TEXT} characters")
    return said


def _switched(said: str) -> bool:
    found = _SWITCH.get(said)
    if found is None:
        raise Wrong("bad_value", f"{said[:40]!r} is neither ON nor OFF")
    return found


def _number(said: str) -> Value:
    if _INTEGER.fullmatch(said):
        return int(said)
    try:
        number = float(said) if said.isascii() and "_" not in said else float("nan")
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise Wrong("bad_value", f"{said[:40]!r} is no number")
    return number
