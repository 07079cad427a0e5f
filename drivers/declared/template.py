"""Frames of bytes as a declaration writes them: `00 <addr:1> 80 <start:1> ?? <sum>`.

Tokens, with spaces between them: two hex digits are a byte; `??` any byte; `!!` any byte that must
not be shown; `<sum>` the check value; `<name:2le>` a field, of 2 bytes, the lowest first; `<rest>`
all that the length field counts. `*7` behind a byte, `??` or `!!` repeats it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drivers.contract import Raw
from drivers.declared.checksum import Checksum
from drivers.declared.values import Form, Shape, read_octets, write_octets

MOST_FRAME = 512
"""Bytes of the longest frame."""
_PLAIN = re.compile(r"([0-9A-Fa-f]{2}|\?\?|!!)(?:\*([0-9]{1,3}))?")
_FIELD = re.compile(r"<([a-z][a-z0-9_]{0,31}):([0-9]{1,2})([a-z]*)(!?)>")
_SUFFIXES: Mapping[str, tuple[Form, bool]] = {
    "": (Form.UINT, False),
    "le": (Form.UINT, True),
    "s": (Form.INT, False),
    "sle": (Form.INT, True),
    "bcd": (Form.BCD, False),
    "bcdle": (Form.BCD, True),
    "digits": (Form.DIGITS, False),
    "digitsle": (Form.DIGITS, True),
    "ascii": (Form.ASCII, False),
    "f": (Form.FLOAT, False),
    "fle": (Form.FLOAT, True),
}


class Mismatch(ValueError):
    """Bytes are not this frame; the greater `depth`, the nearer they came."""

    def __init__(self, message: str, depth: int) -> None:
        super().__init__(message)
        self.depth = depth


@dataclass(frozen=True, slots=True)
class Length:
    """A field that counts the bytes of `<rest>`, after `add` is added to it."""

    field: str
    add: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """A field and its place; behind `<rest>` places count from the end and are negative."""

    name: str
    at: int
    shape: Shape
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """What a template says, with places as in Slot; `size` without `<rest>`."""

    size: int
    fixed: tuple[tuple[int, int], ...]
    slots: tuple[Slot, ...]
    secret: tuple[int, ...]
    sum_at: int | None
    rest_at: int | None


@dataclass(frozen=True, slots=True)
class Template:
    """One frame of bytes."""

    layout: Layout
    checksum: Checksum
    length: Length | None
    head: bytes
    """The fixed bytes it begins with."""

    @property
    def names(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(slot.name for slot in self.layout.slots)

    @property
    def secret_names(self) -> frozenset[str]:
        """The names of fields that must not be shown."""
        return frozenset(slot.name for slot in self.layout.slots if slot.is_secret)

    @property
    def chars(self) -> int:
        """Bytes of an ordinary frame."""
        return self.layout.size

    @property
    def is_sized(self) -> bool:
        """Whether all its frames have the same length."""
        return self.layout.rest_at is None

    def end(self, buffer: bytes, start: int) -> int | None:
        """Return where a frame that begins at `start` ends; None when it cannot be or is cut."""
        size = self.layout.size
        if not self.is_sized:
            counter = self._counter()
            octets = buffer[start + counter.at : start + counter.at + counter.shape.size]
            counted = read_octets(octets, counter.shape) if octets else None
            if len(octets) < counter.shape.size or not isinstance(counted, int):
                return None
            more = counted + (self.length.add if self.length else 0)
            if not 0 <= more <= MOST_FRAME - size:
                return None
            size += more
        return start + size if start + size <= len(buffer) else None

    def read(self, frame: bytes) -> dict[str, Raw | None]:
        """Return the fields of a whole frame; None for a BCD field with digits beyond 9.

        Raises:
            Mismatch: it is not this frame, and why.
        """
        if not frame.startswith(self.head):
            raise Mismatch(f"no frame begins with {frame[:4].hex(' ').upper() or 'nothing'}", 0)
        if self.end(frame, 0) != len(frame):
            raise Mismatch(f"{len(frame)} bytes are too few or too many for this frame", 1)
        for at, octet in self.layout.fixed:
            if frame[at] != octet:
                raise Mismatch(f"byte {at % len(frame)} is {frame[at]:02X}, not {octet:02X}", 2)
        self._check_sum(frame)
        return {
            slot.name: read_octets(frame[slot.at % len(frame) :][: slot.shape.size], slot.shape)
            for slot in self.layout.slots
        }

    def write(self, values: Mapping[str, Raw]) -> bytes:
        """Return the frame with these fields.

        Raises:
            ValueError: a field has no value, or one that does not fit.
        """
        frame = bytearray(self.layout.size)
        for at, octet in self.layout.fixed:
            frame[at] = octet
        for slot in self.layout.slots:
            if slot.name not in values:
                raise ValueError(f"the field {slot.name} of the frame has no value")
            at = slot.at % len(frame)
            frame[at : at + slot.shape.size] = write_octets(values[slot.name], slot.shape)
        if self.layout.sum_at is not None:
            at = self.layout.sum_at % len(frame)
            frame[at : at + self.checksum.size] = self.checksum.of(bytes(frame), at)
        return bytes(frame)

    def secret_spans(self, frame: bytes) -> tuple[slice, ...]:
        """Return the byte ranges of a frame that must not be shown."""
        size = len(frame)
        return tuple(slice(at % size, at % size + 1) for at in self.layout.secret)

    def is_secret(self, at: int, count: int) -> bool:
        """Whether some of the bytes at this place must not be shown."""
        return any(at <= one < at + count for one in self.layout.secret)

    def slot(self, name: str) -> Slot | None:
        """Return a field by name."""
        return next((slot for slot in self.layout.slots if slot.name == name), None)

    def _counter(self) -> Slot:
        slot = self.slot(self.length.field) if self.length else None
        if slot is None:
            raise TypeError("a template with <rest> was made without its length")
        return slot

    def _check_sum(self, frame: bytes) -> None:
        if self.layout.sum_at is None:
            return
        at = self.layout.sum_at % len(frame)
        has = frame[at : at + self.checksum.size]
        right = self.checksum.of(frame, at)
        if has != right:
            shown = f"{has.hex().upper()} is wrong, {right.hex().upper()} would be right"
            raise Mismatch(f"checksum {shown}", 3)


def parse_template(text: str, checksum: Checksum, length: Length | None) -> Template:
    """Return the template that a declaration writes.

    Raises:
        ValueError: with the token that is wrong, for the technician.
    """
    layout = _placed([_piece(token, checksum) for token in text.split()])
    if layout.sum_at is not None and not checksum.size:
        raise ValueError(f"{text!r}: <sum> needs `checksum` with its kind")
    octets = dict(layout.fixed)
    head = bytearray()
    while len(head) in octets:
        head.append(octets[len(head)])
    if layout.rest_at is not None:
        slot = next((s for s in layout.slots if length and s.name == length.field), None)
        if slot is None or slot.at < 0 or not head:
            raise ValueError(f"{text!r}: <rest> needs a first byte and `length` with a field")
    return Template(layout, checksum, length, bytes(head))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A token: its size, and what it is."""

    size: int
    octet: int | None = None
    field: tuple[str, Shape] | None = None
    is_secret: bool = False
    is_sum: bool = False
    is_rest: bool = False


def _piece(token: str, checksum: Checksum) -> _Piece:
    if token == "<sum>":  # noqa: S105 - a check value is no password
        return _Piece(checksum.size, is_sum=True)
    if token == "<rest>":  # noqa: S105 - bytes of a frame are none, either
        return _Piece(0, is_rest=True)
    if match := _PLAIN.fullmatch(token):
        count = int(match[2] or 1)
        octet = None if match[1] in {"??", "!!"} else int(match[1], 16)
        return _Piece(count, octet, is_secret=match[1] == "!!")
    if (match := _FIELD.fullmatch(token)) and match[3] in _SUFFIXES:
        shape = Shape(int(match[2]), *_SUFFIXES[match[3]])
        return _Piece(shape.size, None, (match[1], shape), bool(match[4]))
    raise ValueError(
        f"{token!r} is no part of a frame; write two hex digits, ??, !!, <sum>, <rest> or "
        "<name:2le>, with spaces between them"
    )


def _placed(pieces: Sequence[_Piece]) -> Layout:
    size = sum(piece.size for piece in pieces)
    if not 1 <= size <= MOST_FRAME:
        raise ValueError(f"a frame has 1 to {MOST_FRAME} bytes, not {size}")
    fixed: list[tuple[int, int]] = []
    slots: list[Slot] = []
    secret: list[int] = []
    sums: list[int] = []
    rests: list[int] = []
    at = 0
    for piece in pieces:
        place = at - size if rests else at
        if piece.octet is not None:
            fixed += [(place + i, piece.octet) for i in range(piece.size)]
        if piece.field is not None:
            slots.append(Slot(piece.field[0], place, piece.field[1], piece.is_secret))
        if piece.is_secret:
            secret += range(place, place + piece.size)
        sums += [place] * piece.is_sum
        rests += [at] * piece.is_rest
        at += piece.size
    names = [slot.name for slot in slots]
    if len(sums) > 1 or len(rests) > 1 or len(set(names)) < len(names):
        raise ValueError("a frame has each of its fields, <sum> and <rest> only once")
    return Layout(
        size, tuple(fixed), tuple(slots), tuple(secret),
        sums[0] if sums else None, rests[0] if rests else None,
    )  # fmt: skip
