"""What a line does, measured: useful time, errors by kind, round trips, missed deadlines."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.ids import DeviceId, LineName

WINDOW_S = 30.0
"""Load is told over the last one to two windows."""


@dataclass(frozen=True, slots=True)
class UnitStats:
    """One unit of a line."""

    unit: str
    devices: tuple[DeviceId, ...]
    is_online: bool
    requests: int
    replies: int
    errors: int
    response_s: float
    """Mean response time, 0 while unmeasured."""
    timeout_s: float
    missed: int


@dataclass(frozen=True, slots=True)
class LineStats:
    """A line since it was started. Times in seconds."""

    line: LineName
    is_up: bool
    uptime_s: float
    requests: int
    replies: int
    readings: int
    errors: tuple[tuple[str, int], ...]
    """Count by reason, as in the `qr` of readings, and `late` for late replies that were caught."""
    useful_s: float
    """Line time of exchanges that brought a reply."""
    busy_s: float
    """Line time of all exchanges."""
    load_percent: float
    """Busy time of the last half minute or so."""
    round_trip_s: float
    """Mean, from the first byte of a request to the last of its reply."""
    round_trip_max_s: float
    missed: int
    """Polls that were not made in time."""
    bytes_skipped: int
    """Noise and foreign bytes between exchanges."""
    units: tuple[UnitStats, ...] = ()


class Counters:
    """Counts while the line runs; attributes, since this is the hot path."""

    __slots__ = ("_before_s", "_mark_at", "_mark_busy_s", "busy_s", "bytes_skipped", "errors",
                 "readings", "replies", "requests", "round_trip_max_s", "started",
                 "useful_s")  # fmt: skip

    def __init__(self, now: float) -> None:
        """Begin at loop time `now`."""
        self.started = now
        self.requests = 0
        self.replies = 0
        self.readings = 0
        self.errors: dict[str, int] = {}
        self.useful_s = 0.0
        self.busy_s = 0.0
        self.round_trip_max_s = 0.0
        self.bytes_skipped = 0
        self._mark_at = now
        self._mark_busy_s = 0.0
        self._before_s: float | None = None

    def answered(self, began: float, ended: float) -> None:
        """Count an exchange that brought a reply."""
        took = ended - began
        self.requests += 1
        self.replies += 1
        self.useful_s += took
        self.busy_s += took
        self.round_trip_max_s = max(self.round_trip_max_s, took)
        if ended - self._mark_at >= WINDOW_S:
            self._turn_window(ended)

    def failed(self, began: float, ended: float, reason: str) -> None:
        """Count an exchange that brought none."""
        self.requests += 1
        self.busy_s += ended - began
        self.tell(reason)
        if ended - self._mark_at >= WINDOW_S:
            self._turn_window(ended)

    def tell(self, reason: str) -> None:
        """Count an error."""
        self.errors[reason] = self.errors.get(reason, 0) + 1

    def load_percent(self, now: float, in_flight: int = 1) -> float:
        """Return busy time over time, of the last window and what has passed of this one."""
        if now - self._mark_at >= 2 * WINDOW_S:
            self._turn_window(now)
        busy = self.busy_s - self._mark_busy_s
        passed = now - self._mark_at
        if self._before_s is not None:
            busy += self._before_s
            passed += WINDOW_S
        return 100.0 * busy / (passed * in_flight) if passed > 0 else 0.0

    def _turn_window(self, now: float) -> None:
        passed = now - self._mark_at
        self._before_s = (self.busy_s - self._mark_busy_s) * WINDOW_S / passed
        self._mark_at = now
        self._mark_busy_s = self.busy_s
