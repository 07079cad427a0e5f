"""A water meter: taps run in bursts, and the volume is what has run."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.reading import Value
from gateway.settings.site import Point
from simulators.physics.generic import Generic
from simulators.physics.scene import Physics, Scene, between, chance

EPOCH_S = 1_735_689_600.0
LEAK_M3H = 0.4
VOLUMES = ("vol_cum", "vol", "vol_pos")
FLOWS = ("flow", "flow_rate")
VALVE_S = 8.0


def make(scene: Scene) -> Physics:
    """Return the physics of a water meter."""
    return WaterMeter(scene)


class WaterMeter:
    """Once in every `_period_s` a tap runs for `_run_s` seconds at `_flow` m3/h."""

    def __init__(self, scene: Scene) -> None:
        self._points = {str(p.id): p for p in scene.points}
        self._others = Generic(scene)
        self._period_s = between(20, 60, chance(scene.seed, "period"))
        self._run_s = self._period_s * between(0.2, 0.6, chance(scene.seed, "run"))
        self._flow = between(0.2, 0.9, chance(scene.seed, "flow"))
        self._start_m3 = between(20, 400, chance(scene.seed, "start"))
        self._is_open = True
        self._moved_s = -1e18
        self._leaks: list[tuple[float, float]] = []

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return volume and flow that agree."""
        known: dict[str, float] = dict.fromkeys(VOLUMES, self._volume(at_s))
        known |= dict.fromkeys(FLOWS, self._flow_now(at_s))
        mine = {
            name: value * _factor(self._points[name])
            for name, value in known.items()
            if name in self._points
        }
        has_moved = at_s - self._moved_s >= VALVE_S
        fittings: dict[str, Value] = {
            "valve_open": self._is_open and has_moved,
            "valve_closed": not self._is_open and has_moved,
            "pipe": "full",
            "vol_rev": 0.02,
        }
        seen = {name: value for name, value in fittings.items() if name in self._points}
        return {**self._others.values(at_s), **mine, **seen}

    def written(self, point: str, value: Value, at_s: float) -> None:
        """Move the valve; settings stay as written."""
        if point == "valve_cmd":
            self._is_open, self._moved_s = value == "open", at_s
        else:
            self._others.written(point, value, at_s)

    def happen(self, what: str, at_s: float, for_s: float) -> bool:
        """Let a pipe leak for a while."""
        if what != "leak":
            return False
        self._leaks.append((at_s, at_s + for_s))
        return True

    def _flow_now(self, at_s: float) -> float:
        flow = self._flow if (at_s - EPOCH_S) % self._period_s < self._run_s else 0.0
        return flow + sum(LEAK_M3H for begin, end in self._leaks if begin <= at_s < end)

    def _volume(self, at_s: float) -> float:
        bursts, rest_s = divmod(at_s - EPOCH_S, self._period_s)
        run_s = bursts * self._run_s + min(rest_s, self._run_s)
        leaked_s = sum(max(0.0, min(at_s, end) - begin) for begin, end in self._leaks)
        return self._start_m3 + (run_s * self._flow + leaked_s * LEAK_M3H) / 3600


def _factor(point: Point) -> float:
    return 1000.0 if (point.unit or "").split("/")[0] in {"L", "l", "dm3"} else 1.0
