"""Human notations: 30s, 3 polls, 256MB, 1..8, 9600 8N1, host:port, hex bytes. All pure.

Every parser raises BadValue with a code of the table of texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from gateway.settings.problems import BadValue, shown

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?) ?(ms|s|m|h|d)")
LONGEST_S = 366 * 86400.0
_SIZE_BYTES = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_SIZE = re.compile(r"([0-9]{1,9}) ?(B|KB|MB|GB)")
_LINE = re.compile(r"([0-9]{2,7}) ([5-8])([NEO])([12])")
_HOST = re.compile(
    r"(?:\[([0-9A-Fa-f:.%a-z]{2,45})\]|([A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))):([0-9]{1,5})"
)
_RANGE = re.compile(r"(-?[0-9]{1,9})\.\.(-?[0-9]{1,9})")
LONGEST_RANGE = 10_000


@dataclass(frozen=True, slots=True)
class LineSetting:
    """A serial setting as it is printed on the label."""

    baud: int
    data_bits: Literal[5, 6, 7, 8]
    parity: Literal["N", "E", "O"]
    stop_bits: Literal[1, 2]

    def __str__(self) -> str:
        """Return it as on the label."""
        return f"{self.baud} {self.data_bits}{self.parity}{self.stop_bits}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and its port."""

    host: str
    port: int


def seconds(value: object) -> float:
    """Return the seconds of a duration such as 5ms, 30s, 15m, 1h or 1d."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match and float(match[1]) * _UNIT_S[match[2]] <= LONGEST_S:
            # Rounded, because 0.3ms times 0.001 is not what 0.0003 is.
            return round(float(match[1]) * _UNIT_S[match[2]], 9)
    raise BadValue("LG-VAL-07", found=shown(value))


def size_bytes(value: object) -> int:
    """Return the bytes of a size such as 256MB (1024-based)."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise BadValue("LG-VAL-08", found=shown(value))
    return int(match[1]) * _SIZE_BYTES[match[2]]


def polls(value: object) -> int:
    """Return the count of `3 polls`, or of a plain whole number."""
    if isinstance(value, str) and (match := re.fullmatch(r"([1-9][0-9]{0,3}) polls?", value)):
        return int(match[1])
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 9999:  # noqa: PLR2004 - as above
        return value
    raise BadValue("LG-VAL-16", found=shown(value))


def line_setting(value: object) -> LineSetting:
    """Return baud, data bits, parity and stop bits of a text such as 9600 8N1."""
    match = _LINE.fullmatch(value) if isinstance(value, str) else None
    if not match or int(match[1]) < 50:  # noqa: PLR2004 - the lowest rate of termios
        raise BadValue("LG-BUS-02", found=shown(value))
    return LineSetting(
        int(match[1]),
        cast("Literal[5, 6, 7, 8]", int(match[2])),
        cast('Literal["N", "E", "O"]', match[3]),
        cast("Literal[1, 2]", int(match[4])),
    )


def endpoint(value: object) -> Endpoint:
    """Return host and port of a text such as 192.168.30.20:502 or [::1]:502."""
    match = _HOST.fullmatch(value) if isinstance(value, str) else None
    if not match or not 1 <= int(match[3]) <= 65535:  # noqa: PLR2004 - 16 bits
        raise BadValue("LG-BUS-10", found=shown(value))
    return Endpoint(match[1] or match[2], int(match[3]))


def whole_numbers(value: object) -> tuple[int, ...]:
    """Return the numbers of `1..64`, of `1, 3, 5..8`, or of a list of whole numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    refusal = BadValue("LG-VAL-10", found=shown(value))
    parts: Sequence[object] = ()
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
    elif isinstance(value, list | tuple):
        parts = cast("Sequence[object]", value)
    numbers: list[int] = []
    for part in parts:
        numbers.extend(_one_range(part, refusal))
        if len(numbers) > LONGEST_RANGE:
            raise refusal
    if not numbers or len(set(numbers)) != len(numbers):
        raise refusal
    return tuple(numbers)


def number_span(value: object) -> Sequence[int]:
    """Return the allowed numbers of a variable: a wide range costs nothing here."""
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if match and int(match[1]) <= int(match[2]):
        return range(int(match[1]), int(match[2]) + 1)
    return whole_numbers(value)


def _one_range(part: object, refusal: BadValue) -> range:
    if isinstance(part, int) and not isinstance(part, bool):
        return range(part, part + 1)
    if isinstance(part, str):
        if re.fullmatch(r"-?[0-9]{1,9}", part):
            return range(int(part), int(part) + 1)
        match = _RANGE.fullmatch(part)
        if match and 0 <= int(match[2]) - int(match[1]) < LONGEST_RANGE:
            return range(int(match[1]), int(match[2]) + 1)
    raise refusal


def hex_bytes(value: object) -> bytes:
    """Return the bytes of a text such as `01 03 00 00`."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > 4096 or not re.fullmatch(r"(?:[0-9A-Fa-f]{2}\s*)+", text):  # noqa: PLR2004 - no frame is longer
        raise BadValue("LG-VAL-12", found=shown(value))
    return bytes.fromhex(text)


def text_or_hex(value: object) -> bytes:
    """Return the bytes of a text, or of `hex:01 02`."""
    if isinstance(value, str) and value.startswith("hex:"):
        return hex_bytes(value[4:])
    if isinstance(value, str) and 0 < len(value) <= 256:  # noqa: PLR2004 - a registration packet
        return value.encode()
    raise BadValue("LG-VAL-05", found=shown(value), limit="1..256")
