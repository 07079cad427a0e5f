"""How much may be unacknowledged: slots and bytes, with room of their own for alarms. Pure.

paho knows nothing of the broker's Receive Maximum, so the count is kept here.
"""

from __future__ import annotations

from gateway.model.record import Lane
from gateway.uplink.pacing import MOST_BYTES, Pacing

RESERVED_SHARE = 10
"""One slot in ten is for events only."""


class Window:
    """Slots of one connection."""

    def __init__(self, slots: int, pacing: Pacing | None = None) -> None:
        """Take the smaller of our setting and the broker's Receive Maximum; and a link's pacing."""
        self.slots = max(1, slots)
        self._pacing = pacing
        self._telemetry_slots = self.slots - (
            0 if self.slots == 1 else max(1, self.slots // RESERVED_SHARE)
        )
        self.count = 0
        self.bytes = 0

    def has_room(self, lane: Lane, size: int, *, needs_slot: bool = True) -> bool:
        """Whether a message of `size` bytes may be sent now.

        One of QoS 0 needs no slot (MQTT 5.0, 4.9); telemetry is held back all the same.
        """
        if lane is Lane.EVENT:
            return not needs_slot or self.count < self.slots
        if self.count >= self._telemetry_slots:
            return False
        return self.bytes + size <= self.limit or self.count == 0

    @property
    def limit(self) -> int:
        """Most bytes of telemetry that may be on their way."""
        return MOST_BYTES if self._pacing is None else self._pacing.limit

    def take(self, size: int) -> None:
        """Count a message that was sent."""
        self.count += 1
        self.bytes += size

    def answered(self, size: int, took_s: float, now: float) -> None:
        """Count an acknowledgement, and learn from how long it took."""
        if self._pacing is not None:
            self._pacing.answered(size, took_s, now, is_full=self.bytes * 2 > self.limit)
        self.give_back(size)

    def give_back(self, size: int) -> None:
        """Count a message that is no longer on its way."""
        self.count -= 1
        self.bytes -= size
