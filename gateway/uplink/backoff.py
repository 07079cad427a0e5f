"""How long to wait before the next try: exponential, with jitter, seeded from outside."""

from __future__ import annotations

from random import Random


class Backoff:
    """Doubles from `minimum` to `maximum` seconds; a fleet that lost its broker spreads out."""

    def __init__(self, minimum: float, maximum: float, rng: Random) -> None:
        """Take the bounds in seconds and the source of jitter."""
        self._minimum = minimum
        self._maximum = maximum
        self._rng = rng
        self._step = minimum

    def reset(self) -> None:
        """Start anew after something worked."""
        self._step = self._minimum

    def next(self, *, at_least: float = 0.0) -> float:
        """Return seconds to wait, between the current step and its double, within the bounds."""
        low = min(max(self._step, at_least), self._maximum / 2)
        self._step = min(self._step * 2, self._maximum / 2)
        return self._rng.uniform(low, min(low * 2, self._maximum))
