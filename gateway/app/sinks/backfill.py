"""How much old telemetry of one sink is on its way, and how much goes at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.publication import Publication

MOST_RECORDS = 400
"""Of one piece; the dialect packs them into few messages."""
FIRST_RECORD_BYTES = 100.0
"""Of a record, until it is known."""
_LEARNS = 0.2


class Backfill:
    """Of one sink; messages and bytes on their way."""

    def __init__(self) -> None:
        """Begin with nothing on its way."""
        self.most = MOST_RECORDS
        """Records of one piece: fewer when the broker found a message too large."""
        self._record_bytes = FIRST_RECORD_BYTES
        self._messages = 0
        self._bytes = 0

    def clear(self) -> None:
        """The connection is gone, and all that was on its way."""
        self._messages = self._bytes = 0

    def has_room(self, messages: int, size: int) -> bool:
        """Whether one more may go, with so many messages and bytes as its share; one always may."""
        return not self._messages or (self._messages < messages and self._bytes < size)

    def piece(self, size: int) -> int:
        """Return how many records make about so many bytes."""
        return max(1, min(self.most, int(size / self._record_bytes)))

    def learn(self, records: int, publications: Sequence[Publication]) -> None:
        """Note how large records are in this language."""
        size = sum(len(publication.payload) for publication in publications)
        if records and size:
            self._record_bytes += _LEARNS * (size / records - self._record_bytes)

    def sent(self, size: int) -> None:
        """Count a message that left."""
        self._messages += 1
        self._bytes += size

    def settled(self, size: int) -> None:
        """Count its outcome."""
        self._messages = max(0, self._messages - 1)
        self._bytes = max(0, self._bytes - size)
