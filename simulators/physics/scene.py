"""What physics gets to know of a device, and what is asked of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.model.reading import Value
from gateway.settings.site import Point

DAY_S = 86400.0
LOCAL_OFFSET_S = 8 * 3600.0  # the daily curves of the simulated community peak in its own afternoon


@dataclass(frozen=True, slots=True)
class Scene:
    """One device: its points, and the seed of its chance."""

    points: Sequence[Point]
    seed: int

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its points."""
        return tuple(point.id for point in self.points)


class Physics(Protocol):
    """The state of a thing in time. Time is seconds since 1970 and never runs backwards."""

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return the values of the points that it knows at this moment."""
        ...

    def written(self, point: str, value: Value, at_s: float) -> None:
        """Let somebody set a point."""
        ...

    def happen(self, what: str, at_s: float, for_s: float) -> bool:
        """Let something happen; False when this thing cannot do it."""
        ...


def chance(seed: int, *what: object) -> float:
    """Return a number in [0, 1) that depends on the arguments only."""
    text = "/".join(str(part) for part in (seed, *what)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=7).digest()) / (1 << 56)


def between(low: float, high: float, part: float) -> float:
    """Return the number that lies at this part of the way."""
    return low + (high - low) * part


def day_wave(at_s: float, peak_h: float) -> float:
    """Return -1..1, highest at `peak_h` o'clock."""
    return math.cos(2 * math.pi * ((at_s + LOCAL_OFFSET_S) / DAY_S - peak_h / 24))


@dataclass(frozen=True, slots=True)
class Wobble:
    """Slow unrest from two sines of different length, with its exact integral."""

    amplitude: float
    period_s: float
    phase: float

    def at(self, at_s: float) -> float:
        """Return the unrest at a moment, within plus and minus the amplitude."""
        angle = 2 * math.pi * at_s / self.period_s + self.phase
        return self.amplitude * (0.6 * math.sin(angle) + 0.4 * math.sin(2.7 * angle))

    def integral(self, from_s: float, to_s: float) -> float:
        """Return its integral over time, in seconds times its unit."""
        turn = 2 * math.pi / self.period_s

        def primitive(at_s: float) -> float:
            angle = turn * at_s + self.phase
            return -(0.6 * math.cos(angle) + 0.4 / 2.7 * math.cos(2.7 * angle)) / turn

        return self.amplitude * (primitive(to_s) - primitive(from_s))


def wobble(scene: Scene, name: str, amplitude: float, period_s: float = 90.0) -> Wobble:
    """Return the unrest of a quantity, with length and phase of its own."""
    length = between(0.7, 1.4, chance(scene.seed, name, "period")) * period_s
    return Wobble(amplitude, length, 2 * math.pi * chance(scene.seed, name, "phase"))
