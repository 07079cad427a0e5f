"""How long a historian that did not take a write is left alone. Pure."""

from __future__ import annotations

from random import Random

from gateway.historian.answer import Fate, Verdict

FIRST_S = 1.0
LONGEST_S = 60.0
DENIED_S = 60.0
"""Until somebody mended a token or made a bucket: asked every minute, no faster."""
_JITTER = 0.2


class Pace:
    """Of one historian."""

    def __init__(self, rng: Random) -> None:
        """Begin as if all were well."""
        self._rng = rng
        self._next_s = FIRST_S

    def wait_s(self, verdict: Verdict) -> float:
        """Return how long to wait after this verdict; a server's own wish is never undercut."""
        spread = 1 + self._rng.random() * _JITTER
        if verdict.wait_s is not None:
            return verdict.wait_s * spread if verdict.wait_s else FIRST_S * spread
        if verdict.fate in {Fate.DENIED, Fate.DOUBTFUL}:
            return DENIED_S * spread
        wait_s, self._next_s = self._next_s, min(self._next_s * 2, LONGEST_S)
        return wait_s * spread

    def went_well(self) -> None:
        """Something was written: begin anew."""
        self._next_s = FIRST_S
