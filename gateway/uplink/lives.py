"""How connections ended, and whether another client with our id is behind it. Pure."""

from __future__ import annotations

from gateway.uplink.fates import SESSION_TAKEN_OVER
from gateway.uplink.owner import CLOSED, Lost

SHORT_LIVES = 3
"""Connections in a row that the broker closed soon and without a word, none refused between: one
that restarts refuses some. So does a broker that says no reasons tell that our id came twice."""


class Lives:
    """The judgement over the last connections."""

    def __init__(self) -> None:
        """Suspect nobody."""
        self._short = 0
        self.is_taken_over = False
        """Another client uses our id; until a connection has held."""

    def refused(self) -> None:
        """No connection came about: that is no fight."""
        self._short = 0

    def held(self) -> None:
        """A connection has held."""
        self._short = 0
        self.is_taken_over = False

    def ended(self, lost: Lost, *, has_held: bool) -> str | None:
        """Note the end of a connection; return the reason if it is that of a fight, else None."""
        if has_held:
            self.held()
        if lost.code == SESSION_TAKEN_OVER:
            self.is_taken_over = True
            return lost.why
        is_silent = lost.code is None and lost.why == CLOSED
        self._short = self._short + 1 if is_silent and not has_held else 0
        if self._short < SHORT_LIVES:
            return None
        self.is_taken_over = True
        return f"{lost.why} again and again: does another client use our id?"
