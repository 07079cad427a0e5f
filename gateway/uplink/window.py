"""How much may be unacknowledged: slots and bytes, with room of their own for alarms. Pure.

paho knows nothing of the broker's Receive Maximum, so the count is kept here.
"""

from __future__ import annotations

from gateway.model.record import Lane

MAX_BYTES = 128 * 1024
"""Telemetry on its way. More would only lengthen the queue that an alarm stands behind: on a link
of 100 kbit/s this is ten seconds."""
RESERVED_SHARE = 10
"""One slot in ten is for events only."""


class Window:
    """Slots of one connection."""

    def __init__(self, slots: int) -> None:
        """Take the smaller of our setting and the broker's Receive Maximum."""
        self.slots = max(1, slots)
        self._telemetry_slots = self.slots - (
            0 if self.slots == 1 else max(1, self.slots // RESERVED_SHARE)
        )
        self.count = 0
        self.bytes = 0

    def has_room(self, lane: Lane, size: int) -> bool:
        """Whether a message of `size` bytes may be sent now."""
        if lane is Lane.EVENT:
            return self.count < self.slots
        if self.count >= self._telemetry_slots:
            return False
        return self.bytes + size <= MAX_BYTES or self.count == 0

    def take(self, size: int) -> None:
        """Count a message that was sent."""
        self.count += 1
        self.bytes += size

    def give_back(self, size: int) -> None:
        """Count an acknowledgement."""
        self.count -= 1
        self.bytes -= size
