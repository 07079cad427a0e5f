"""The first book: every number that a device gave out, once each, and when.

A device with K numbered points answers its read number r with `r * K + i` in point i, so that a
value tells by itself which read and which point it is of. Times are true; what the gateway's clock
was off by is kept beside them. A reply that was on its way when the clock stepped is stamped by the
clock of its end.
"""

from __future__ import annotations

from typing import NamedTuple

from gateway.model.reading import Value

UNDER_WAY_MS = 2000
"""The longest way of a reply."""


class Offset(NamedTuple):
    """What the gateway's clock was off by, from a true moment on, in ms."""

    from_ms: int
    off_ms: int
    is_time: bool = True
    """False while it had no time of day, and counted from what it remembered."""


class ServedBook:
    """`tests.faults.books.Served` over reads; contacts are kept as the times of what they were."""

    def __init__(self) -> None:
        self._width: dict[str, int] = {}
        self._divisor: dict[str, int] = {}
        self._reads: dict[str, list[int]] = {}
        self._contacts: dict[tuple[str, str], list[tuple[int, bool]]] = {}
        self.offsets = [Offset(0, 0)]
        self.accepts_no_time = True
        """Whether times count that were made while the gateway had none."""

    def add(self, device: str, width: int, divisor: int = 1) -> None:
        """Know a device with so many numbered points; values are numbers over the divisor."""
        self._width[device], self._divisor[device] = width, divisor
        self._reads[device] = []

    def read(self, device: str, at_ms: int) -> int:
        """Note a read; return the number of its first point."""
        reads = self._reads[device]
        reads.append(at_ms)
        return (len(reads) - 1) * self._width[device]

    def contact(self, device: str, point: str, is_closed: bool, at_ms: int) -> None:  # noqa: FBT001
        """Note what a contact was when it was read."""
        self._contacts.setdefault((device, point), []).append((at_ms, is_closed))

    @property
    def reads(self) -> int:
        """How often devices gave numbers."""
        return sum(len(reads) for reads in self._reads.values())

    def knows(self, device: str, point: str) -> bool:
        """Whether it says anything of this point."""
        return device in self._width or (device, point) in self._contacts

    def holds(self, device: str, point: str, value: Value, span: tuple[int, int]) -> bool:
        """Whether the point was that value at some moment of (begun_ms, taken_ms)."""
        if isinstance(value, bool):
            contacts = self._contacts.get((device, point), ())
            return any(
                was is value and self._lies_in(at_ms, span) for at_ms, was in reversed(contacts)
            )
        if isinstance(value, str):
            return False
        number = round(value * self._divisor[device])
        read, place = divmod(number, self._width[device])
        reads = self._reads[device]
        return point == f"n{place}" and read < len(reads) and self._lies_in(reads[read], span)

    def _lies_in(self, true_ms: int, span: tuple[int, int]) -> bool:
        """Whether the gateway's clock, or a right one, had that moment in the span."""
        if span[0] <= true_ms <= span[1]:
            return True
        following = (*(offset.from_ms for offset in self.offsets[1:]), None)
        return any(
            span[0] <= true_ms + offset.off_ms <= span[1]
            for offset, until_ms in zip(self.offsets, following, strict=True)
            if (offset.is_time or self.accepts_no_time)
            and offset.from_ms <= true_ms + UNDER_WAY_MS
            and (until_ms is None or true_ms <= until_ms)
        )
