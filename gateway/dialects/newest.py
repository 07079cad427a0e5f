"""What is newest of all that is said of one thing: an older word must not undo it. Pure.

Where many events waited, newer ones go first (`gateway.outbox.feed`). A platform that keeps one
state of a device, or of an alarm, would end with an old one.
"""

from __future__ import annotations

from collections.abc import Hashable

from gateway.model.record import Committed


class Newest:
    """The place in the store of the newest record about each thing."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._known: dict[Hashable, tuple[int, int]] = {}

    def takes(self, thing: Hashable, committed: Committed) -> bool:
        """Return whether no newer record about the thing was taken, and remember this one.

        Records of different stores (`ep`) have no order; the one that comes later is the newer.
        """
        ep, seq = self._known.get(thing, (committed.ep, committed.seq))
        if ep == committed.ep and seq > committed.seq:
            return False
        self._known[thing] = (committed.ep, committed.seq)
        return True
