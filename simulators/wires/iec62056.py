"""Simulated IEC 62056-21 meters: read-out and read commands, with value code of its own.

They speak mode C, or mode A where the device's quirk says so. Mode B is not simulated: such a meter
speaks at another rate without being asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from drivers.iec62056.codec import (
    Bcc,
    command_message,
    data_message,
    has_parity,
    plain,
    with_parity,
)
from gateway.model.reading import Value
from gateway.settings.site import Point, ValueType
from simulators.contract import Callers, Reply, Simulated

KEPT = 128
MODE_C, MODE_A = "/LIN5\\@SIM\r\n", "/LIN SIM\r\n"
NAK = b"\x15"
ANYBODY = "-"
DECIMALS = 3
THOUSANDTHS = {"W": "kW", "Wh": "kWh", "var": "kvar", "VA": "kVA", "l": "m3"}
"""Raw units that these meters send in the thousandfold unit, so that conversion is seen to work."""
SOME_TIME = "2411270930"
_REQUEST = re.compile(
    rb"/\?[^!\r\n]{0,32}!\r\n|\x06[0-9]{3}\r\n|\x15|\x01[A-Z][0-9](?:\x02[^\x03]{0,64})?\x03.",
    re.DOTALL,
)
_COMMAND = re.compile(rb"\x01([A-Z][0-9])(?:\x02([^(]*)\(([^)]*)\))?\x03.", re.DOTALL)


class Meters:
    """The meters of one line; a sign-on chooses the one that the dialogue is with."""

    def __init__(self, devices: Sequence[Simulated]) -> None:
        self._meters = {str(one.device.unit): Meter(one) for one in devices}
        self._chosen: Meter | None = None
        self._said: bytes | None = None

    def take(self, buffer: bytearray) -> bytes | None:
        """Take the next whole message; what stands before it is dropped."""
        match = _REQUEST.search(plain(bytes(buffer)))
        if match is None:
            del buffer[:-KEPT]
            return None
        taken = bytes(buffer[match.start() : match.end()])
        del buffer[: match.end()]
        return taken

    def answer(self, frame: bytes, now_ms: int) -> Reply | None:
        """Return what the meter of the dialogue says, with parity in bit 7 if it was asked so."""
        message = plain(frame)
        if message.startswith(b"/?"):
            self._choose(message[2:-3].decode("ascii"))
        if self._chosen is None:
            return None
        said = self._said if message == NAK else self._chosen.answer(message, now_ms)
        self._said = said
        meter = self._chosen
        if message.startswith(b"\x01B0"):
            self._chosen = None
        if said is None:
            return None
        return Reply((meter.id,), with_parity(said) if has_parity(frame) else said)

    def refusal(self, frame: bytes) -> bytes | None:
        """Return an error message to a read command, NAK to anything else."""
        is_read = plain(frame).startswith(b"\x01R1")
        return data_message(b"(ERR1)") if is_read else NAK

    def _choose(self, address: str) -> None:
        if address:
            self._chosen = self._meters.get(address)
        else:
            alone = list(self._meters.values())
            self._chosen = alone[0] if len(alone) == 1 else self._meters.get(ANYBODY)


class Meter:
    """One meter: its lines, and what they hold now."""

    def __init__(self, one: Simulated) -> None:
        quirks: Any = one.device.quirks.driver
        self.id = str(one.device.id)
        self._twin = one.twin
        self._bcc = Bcc.SUM if str(quirks.bcc) == "sum" else Bcc.XOR
        self._is_mode_a = str(quirks.mode) == "A"
        self._lines: dict[str, dict[int, Point]] = {}
        for point in one.device.points:
            address: Any = point.address
            self._lines.setdefault(address.obis, {})[address.part] = point

    def answer(self, message: bytes, now_ms: int) -> bytes | None:
        """Return what it says to one message; None for silence."""
        if message.startswith(b"/?"):
            if self._is_mode_a:
                return MODE_A.encode("ascii") + self._readout(now_ms)
            return MODE_C.encode("ascii")
        if message.startswith(b"\x06"):
            is_readout = message[3:4] == b"0"
            return self._readout(now_ms) if is_readout else command_message("P0", b"(00000000)")
        return self._command(message, now_ms)

    def _command(self, message: bytes, now_ms: int) -> bytes | None:
        match = _COMMAND.fullmatch(message)
        if match is None:
            return NAK
        if match[1] == b"P1":
            return b"\x06"
        if match[1] != b"R1":
            return None if match[1] == b"B0" else NAK
        code = match[2].decode("ascii")
        known = self._line(code, now_ms) if code in self._lines else "(ERR1)"
        return data_message(known.encode("ascii"), self._bcc)

    def _readout(self, now_ms: int) -> bytes:
        lines = [f"{self._line(code, now_ms)}\r\n" for code in self._lines]
        return data_message("".join([*lines, "!\r\n"]).encode("ascii"), self._bcc)

    def _line(self, code: str, now_ms: int) -> str:
        values, points = self._twin.values(now_ms), self._lines[code]
        groups: list[str] = []
        for part in range(max(points) + 1):
            point = points.get(part)
            text = "0"
            if point is not None:
                text, served = _coded(point, values.get(str(point.id), 0))
                self._twin.serve(str(point.id), served, now_ms)
            groups.append(f"({text})")
        return code + "".join(groups)


class _Simulator:
    def slaves(self, protocol: str, devices: Sequence[Simulated]) -> Meters:  # noqa: ARG002
        """Return the meters of one line."""
        return Meters(devices)

    def callers(self, protocol: str, devices: Sequence[Simulated]) -> Callers | None:  # noqa: ARG002
        """Return None: meters are asked."""
        return None


SIMULATOR = _Simulator()


def _coded(point: Point, value: Value) -> tuple[str, Value]:
    """Return the text between the parentheses, and the value that it means."""
    address: Any = point.address
    if str(address.format) == "text":
        text = value if isinstance(value, str) and value.isalnum() else SOME_TIME
        return text, text
    raw = _raw(point, value).quantize(Decimal(1).scaleb(-DECIMALS), ROUND_HALF_EVEN)
    served = _meant(point, raw)
    unit = address.raw_unit
    if unit is None:
        return f"{raw:011.3f}", served
    if unit in THOUSANDTHS:
        return f"{raw.scaleb(-3):014.6f}*{THOUSANDTHS[unit]}", served
    return f"{raw:011.3f}*{unit}", served


def _raw(point: Point, value: Value) -> Decimal:
    if point.type is ValueType.BOOL:
        return Decimal(int(bool(value) != point.is_inverted))
    if point.type is ValueType.ENUM:
        return Decimal(next((code for code, name in point.enum.items() if name == value), 0))
    number = Decimal(str(float(value))) if not isinstance(value, str) else Decimal(0)
    exact = (number - point.offset) / point.scale
    return exact.to_integral_value(ROUND_HALF_EVEN) if point.type is ValueType.INT else exact


def _meant(point: Point, raw: Decimal) -> Value:
    """Return the value that a reader must get from this raw one."""
    if point.type is ValueType.BOOL:
        return bool(raw) != point.is_inverted
    if point.type is ValueType.ENUM:
        return point.enum.get(int(raw), "")
    value = raw * point.scale + point.offset
    return int(value) if point.type is ValueType.INT else float(value)
