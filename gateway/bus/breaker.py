"""Health of units: when to give one up, when to look again, and what looking may cost the line."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterable
from enum import Enum, auto

FIRST_BACKOFF_S = 1.0
LAST_BACKOFF_S = 60.0
JITTER = 0.1

BUDGET_SHARE = 0.006
"""Part of the line's time that dead units may cost while live ones want all of it."""
IDLE_SHARE = 0.2
"""Part of the time that live units leave idle which may go to dead ones at their expense."""
BUDGET_SAVED_S = 0.5
"""Unspent budget that is kept, so that a long good time does not end in a burst of probes."""


class Standing(Enum):
    """What is known of a unit."""

    NEW = auto()
    """Never asked, or never answered yet but not given up either."""
    ALIVE = auto()
    DEAD = auto()
    """Given up: only probes go to it, the breaker is open."""


class Health:
    """The breaker of one (line, unit)."""

    __slots__ = ("_offline_after", "_seed", "failures", "probe_at", "probes", "standing",
                 "was_seen")  # fmt: skip

    def __init__(self, seed: str, offline_after: int) -> None:
        """Begin unknown; `offline_after` failed polls in a row open the breaker."""
        self._seed = seed
        self._offline_after = offline_after
        self.standing = Standing.NEW
        self.failures = 0
        self.probes = 0
        self.probe_at = 0.0
        self.was_seen = False

    @property
    def is_dead(self) -> bool:
        """Whether the breaker is open."""
        return self.standing is Standing.DEAD

    @property
    def is_well(self) -> bool:
        """Whether its last poll succeeded, so that a retry is worth its time."""
        return self.was_seen and self.failures == 0

    def succeeded(self) -> bool:
        """Note an answer; return whether the unit comes online by it."""
        was = self.standing
        self.standing = Standing.ALIVE
        self.failures = 0
        self.probes = 0
        self.was_seen = True
        return was is not Standing.ALIVE

    def half_opened(self) -> None:
        """Note that a probe was answered, so that polls go on.

        The back-off is kept until one of them succeeds: a unit that answers nothing but probes
        must not cost more than a dead one.
        """
        self.standing = Standing.NEW
        self.failures = max(0, self._offline_after - 1)
        self.was_seen = True

    def failed(self, now: float) -> bool:
        """Note a failed poll; return whether the unit is given up by it.

        One that was never seen is given up at once: the line owes it nothing yet.
        """
        self.failures += 1
        if self.standing is Standing.DEAD:
            return False
        if self.was_seen and self.failures < self._offline_after:
            return False
        self.standing = Standing.DEAD
        self.probe_at = now + self._backoff_s()
        return True

    def probe_failed(self, now: float) -> None:
        """Note a probe without answer."""
        self.probes += 1
        self.probe_at = now + self._backoff_s()

    def look_now(self, now: float) -> None:
        """Let a dead unit be probed soon: there is news from its line."""
        self.probe_at = min(self.probe_at, now)

    def _backoff_s(self) -> float:
        grown = min(FIRST_BACKOFF_S * 2 ** min(self.probes, 16), LAST_BACKOFF_S)
        draw = zlib.crc32(f"{self._seed}:{self.probes}".encode()) / 0xFFFFFFFF
        return grown * (1.0 + JITTER * (2.0 * draw - 1.0))


class ProbeBudget:
    """Line time that may go to dead units while live ones wait for it."""

    __slots__ = ("_at", "_saved_s", "_share")

    def __init__(self, now: float) -> None:
        """Begin with nothing saved."""
        self._at = now
        self._saved_s = 0.0
        self._share = BUDGET_SHARE

    def adapt(self, now: float, load_percent: float) -> None:
        """Earn from now on by how much of the line is idle."""
        self._earn(now)
        self._share = max(BUDGET_SHARE, IDLE_SHARE * (1.0 - load_percent / 100.0))

    def spend(self, now: float, seconds: float) -> None:
        """Charge what a dead unit cost; what is overspent must be earned back first."""
        self._earn(now)
        self._saved_s -= seconds

    def allows(self, now: float, seconds: float) -> bool:
        """Whether a probe of that cost may take time from live units."""
        self._earn(now)
        return self._saved_s >= min(seconds, BUDGET_SAVED_S)

    def allowed_at(self, now: float, seconds: float) -> float:
        """Return when `allows` will say yes, if nothing is spent before."""
        self._earn(now)
        short = min(seconds, BUDGET_SAVED_S) - self._saved_s
        return now + max(0.0, short) / self._share

    def _earn(self, now: float) -> None:
        earned = (now - self._at) * self._share
        self._saved_s = min(self._saved_s + earned, BUDGET_SAVED_S)
        self._at = now


class LineWatch:
    """Tells a dead line from dead units: since the last answer of anybody, who failed?"""

    def __init__(self) -> None:
        """Begin with a line of which nothing is known."""
        self._silent: set[Hashable] = set()
        self.is_dead = False

    def answered(self) -> bool:
        """Note an answer of anybody; return whether the line comes back by it."""
        if self._silent:
            self._silent.clear()
        was_dead = self.is_dead
        self.is_dead = False
        return was_dead

    def failed(self, unit: Hashable, others: Iterable[Hashable]) -> bool:
        """Note that a unit was silent; `others` are all units of the line.

        Returns whether the line is dead by it: at least two units, and every one of them failed
        since anybody answered.
        """
        if self.is_dead:
            return False
        self._silent.add(unit)
        everybody = set(others)
        if len(everybody) < 2 or not everybody <= self._silent:  # noqa: PLR2004 - "at least two"
            return False
        self.is_dead = True
        return True
