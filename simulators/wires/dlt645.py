"""Simulated DL/T 645 meters: items and blocks from the profiles, with value code of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from drivers.dlt645.codec import ANSWER, LONGEST, REFUSED, Frame, encode, frames
from drivers.dlt645.edition import EDITION_1997, EDITION_2007, Edition, id_bytes, id_text
from drivers.dlt645.items import item_of, members
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.contract import Callers, Reply, Simulated

NO_DATA = b"\x02"
FE = 4
EDITIONS = {edition.name: edition for edition in (EDITION_2007, EDITION_1997)}
EVERYBODY = "999999999999"
ANYBODY = {"AAAAAAAAAAAA", EVERYBODY}
CHINA = timedelta(hours=8)
_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile("[0-9]{2}:[0-9]{2}:[0-9]{2}")


class Meters:
    """The meters of one line."""

    def __init__(self, edition: Edition, devices: Sequence[Simulated]) -> None:
        self._edition = edition
        self._meters = {str(one.device.unit): Meter(edition, one) for one in devices}

    def take(self, buffer: bytearray) -> bytes | None:
        """Take the next whole request, with what stands before it."""
        for end in range(1, len(buffer) + 1):
            if any(True for _ in frames(buffer[:end])):
                taken = bytes(buffer[:end])
                del buffer[:end]
                return taken
        del buffer[: -2 * LONGEST]
        return None

    def answer(self, frame: bytes, now_ms: int) -> Reply | None:
        """Return the answer of the meter that is asked."""
        asked = next(frames(frame), None)
        if asked is None or asked.is_answer:
            return None
        meter = self._meters.get(asked.address)
        if meter is None and asked.address in ANYBODY and len(self._meters) == 1:
            meter = next(iter(self._meters.values()))
        if meter is None:
            return None
        said = meter.answer(asked, now_ms)
        if said is None:
            return None
        return Reply((meter.id,), encode(meter.address, said.control, said.content, preamble=FE))

    def refusal(self, frame: bytes) -> bytes | None:
        """Return the error answer `no requested data`."""
        asked = next(frames(frame), None)
        if asked is None:
            return None
        return encode(asked.address, asked.control | ANSWER | REFUSED, NO_DATA, preamble=FE)


class Meter:
    """One meter: what its data ids hold now."""

    def __init__(self, edition: Edition, one: Simulated) -> None:
        self.address = str(one.device.unit)
        self.id = str(one.device.id)
        self._edition = edition
        self._twin = one.twin
        self._points: dict[str, list[Point]] = {}
        for point in one.device.points:
            address: Any = point.address
            self._points.setdefault(address.di, []).append(point)

    def answer(self, asked: Frame, now_ms: int) -> Frame | None:
        """Return what it says; None for silence."""
        edition = self._edition
        if asked.function == edition.read_address:
            return Frame(self.address, asked.control | ANSWER, bytes.fromhex(self.address)[::-1])
        if asked.function != edition.read or len(asked.content) < edition.id_bytes:
            return self._refused(asked)
        di = id_text(asked.content[: edition.id_bytes])
        content = self._content(di, now_ms)
        if content is None:
            return self._refused(asked)
        return Frame(self.address, asked.control | ANSWER, id_bytes(di) + content)

    def _refused(self, asked: Frame) -> Frame | None:
        if asked.function == self._edition.broadcast_time or asked.address == EVERYBODY:
            return None
        if asked.function == self._edition.freeze:
            return Frame(self.address, asked.control | ANSWER, b"")
        return Frame(self.address, asked.control | ANSWER | REFUSED, NO_DATA)

    def _content(self, di: str, now_ms: int) -> bytes | None:
        if di in self._points:
            return self._item(di, now_ms)
        if not members(di):
            return None
        stem, tail = (di[:3], "") if self._edition.id_bytes == 2 else (di[:4], di[6:])  # noqa: PLR2004
        first = 1 if di.startswith("0201") else 0
        first = 1 if di.startswith("0202") else first
        found = b""
        for place, member in enumerate(members(di), start=first):
            own = f"{stem}{place:X}" if not tail else f"{stem}{place:02X}{tail}"
            found += self._item(own, now_ms) if own in self._points else bytes(member.size)
        return found if any(item in self._points for item in _ids(di, first)) else None

    def _item(self, di: str, now_ms: int) -> bytes:
        item = item_of(di)
        points = self._points[di]
        addresses: list[Any] = [point.address for point in points]
        whole = max(a.sent or a.at + a.size for a in addresses)
        octets = bytearray(item.length if item and item.length > whole else whole)
        values = self._twin.values(now_ms)
        for point, address in zip(points, addresses, strict=True):
            coded, served = _coded(point, values.get(str(point.id), 0), now_ms)
            octets[address.at : address.at + address.size] = coded
            self._twin.serve(str(point.id), served, now_ms)
        return bytes(octets)


class _Simulator:
    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Meters:
        """Return the meters of one line."""
        return Meters(EDITIONS[protocol], devices)

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:  # noqa: ARG002
        """Return None: meters are asked."""
        return None


SIMULATOR = _Simulator()


def _ids(di: str, first: int) -> list[str]:
    if len(di) == 4:  # noqa: PLR2004 - two bytes
        return [f"{di[:3]}{place:X}" for place in range(5)]
    return [f"{di[:4]}{place:02X}{di[6:]}" for place in range(first, first + 5)]


def _coded(point: Point, value: Value, now_ms: int) -> tuple[bytes, Value | None]:
    """Return the bytes of a value, and the value that they mean."""
    address: Any = point.address
    if address.form == "bits":
        return _bits(point, value)
    if address.form != "bcd":
        return _text(address, value, now_ms)
    if isinstance(value, str):
        value = 0
    exact = (Decimal(str(float(value))) - point.offset) / point.scale
    step = Decimal(1).scaleb(-address.decimals)
    exact = exact.quantize(step, ROUND_HALF_EVEN)
    digits = int(abs(exact) / step) % 10 ** (2 * address.size - address.signed)
    octets = bytearray(bytes.fromhex(f"{digits:0{2 * address.size}d}")[::-1])
    is_negative = exact < 0 and address.signed
    if is_negative:
        octets[-1] |= 0x80
    meant = (-digits if is_negative else digits) * step * point.scale + point.offset
    served: Value = int(meant) if point.type is ValueType.INT else float(meant)
    return bytes(octets), served


def _bits(point: Point, value: Value) -> tuple[bytes, Value | None]:
    address: Any = point.address
    if address.bit < 0:
        word = int(value) if not isinstance(value, str) else 0
        word %= 1 << (8 * address.size)
        return word.to_bytes(address.size, "little"), word
    is_set = bool(value) != point.is_inverted
    return (int(is_set) << address.bit).to_bytes(address.size, "little"), bool(value)


def _text(
    address: Any,  # noqa: ANN401 - of the driver
    value: Value,
    now_ms: int,
) -> tuple[bytes, Value | None]:
    """Return the meter's clock, or fixed digits: physics knows no number plate."""
    if address.form == "digits":
        text = f"{value}".rjust(2 * address.size, "0")[: 2 * address.size]
        text = text if text.isascii() and text.isdecimal() else "0" * (2 * address.size)
        return bytes.fromhex(text)[::-1], text
    if address.form in {"date", "time"}:
        return _clock(address.form, value, now_ms)
    return bytes.fromhex("3009271126"), "2026-11-27T09:30"


def _clock(form: str, value: Value, now_ms: int) -> tuple[bytes, Value | None]:
    """Return the date or the time of a clock that is right, or what is held on the point."""
    at = datetime.fromtimestamp(now_ms // 1000, UTC) + CHINA
    held = value if isinstance(value, str) else ""
    if form == "date":
        day = date.fromisoformat(held) if _DATE.fullmatch(held) else at.date()
        week_day = day.isoweekday() % 7  # 00 is Sunday
        return bytes((week_day,)) + bytes.fromhex(f"{day:%d%m%y}"), day.isoformat()
    text = held if _TIME.fullmatch(held) else f"{at:%H:%M:%S}"
    return bytes.fromhex(text.replace(":", ""))[::-1], text
