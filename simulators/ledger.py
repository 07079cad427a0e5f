"""What every simulated point was, and when: the truth that published values are held against.

An entry says "this point had this value from then on", in UTC milliseconds; the next entry of the
same point ends it. Served values are always the ones that the registers held, so a value that a
gateway shows for a moment must be among the entries that overlap that moment.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from gateway.model.reading import Value

KEPT_PER_POINT = 4096
RELATIVE_TOLERANCE = 1e-6  # single precision has 24 bits
ABSOLUTE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Held:
    """A value and the span in which it held; `end_ms` is None while it still does."""

    value: Value | None
    begin_ms: int
    end_ms: int | None

    def overlaps(self, begun_ms: int, taken_ms: int) -> bool:
        """Whether it held at some moment of the span, both ends included."""
        return self.begin_ms <= taken_ms and (self.end_ms is None or self.end_ms >= begun_ms)


class Ledger:
    """Entries by (device, point); bounded in memory, complete in the file when one is given.

    Safe to use from several threads.
    """

    def __init__(self, path: Path | None = None, *, keep: int = KEPT_PER_POINT) -> None:
        self._keep = keep
        self._entries: dict[tuple[str, str], deque[tuple[int, Value | None]]] = {}
        self._lock = threading.Lock()
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Open the file, if there is one."""
        if self._path is not None:
            self._file = self._path.open("w", encoding="utf-8", buffering=1 << 16)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def put(self, device: str, point: str, value: Value | None, at_ms: int) -> None:
        """Note that a point has this value from now on; None while it has no good value."""
        with self._lock:
            entries = self._entries.get((device, point))
            if entries is None:
                entries = self._entries[device, point] = deque(maxlen=self._keep)
            if entries and entries[-1][1] == value and type(entries[-1][1]) is type(value):
                return
            entries.append((at_ms, value))
            if self._file is not None:
                self._file.write(json.dumps([at_ms, device, point, value]) + "\n")

    def flush(self) -> None:
        """Bring the file up to date for a reader of it."""
        if self._file is not None:
            self._file.flush()

    def knows(self, device: str, point: str) -> bool:
        """Whether anything was ever put in for this point."""
        with self._lock:
            return (device, point) in self._entries

    def held(self, device: str, point: str) -> tuple[Held, ...]:
        """Return all kept entries of a point, oldest first."""
        with self._lock:
            entries = list(self._entries.get((device, point), ()))
        ends: Iterator[int | None] = iter([*(begin for begin, _ in entries[1:]), None])
        return tuple(Held(value, begin, next(ends)) for begin, value in entries)

    def values_between(
        self, device: str, point: str, begun_ms: int, taken_ms: int
    ) -> tuple[Value | None, ...]:
        """Return what the point was at some moment between the two, ends included."""
        return tuple(
            h.value for h in reversed(self.held(device, point)) if h.overlaps(begun_ms, taken_ms)
        )

    def holds(self, device: str, point: str, value: Value, span: tuple[int, int]) -> bool:
        """Whether the point was that value at some moment of (begun_ms, taken_ms)."""
        begun_ms, taken_ms = span
        with self._lock:
            entries = self._entries.get((device, point))
            if entries is None:
                return False
            end_ms: int | None = None
            for begin, known in reversed(entries):
                if end_ms is not None and end_ms < begun_ms:
                    return False
                if begin <= taken_ms and known is not None and equal(known, value):
                    return True
                end_ms = begin
        return False

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """Return the ledger that another process wrote."""
        ledger = cls(keep=1 << 30)
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):
                    at_ms, device, point, value = json.loads(line)
                    ledger.put(device, point, value, at_ms)
        return ledger


def equal(served: Value, published: Value) -> bool:
    """Whether a published value is the served one, up to what single precision carries."""
    if isinstance(served, bool | str) or isinstance(published, bool | str):
        return served == published and isinstance(served, str) == isinstance(published, str)
    return isclose(served, published, rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
