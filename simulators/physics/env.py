"""Air indoors: warm in the afternoon, damp at night, and the dew point that follows from both."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gateway.model.reading import Value
from simulators.physics.generic import Generic
from simulators.physics.scene import Physics, Scene, between, chance, day_wave, wobble

MAGNUS_A, MAGNUS_B = 17.62, 243.12  # Magnus formula over water, degrees Celsius


def make(scene: Scene) -> Physics:
    """Return the physics of a climate sensor."""
    return Climate(scene)


class Climate:
    """Daily curves with some unrest."""

    def __init__(self, scene: Scene) -> None:
        self._ids = frozenset(scene.ids)
        self._others = Generic(scene)
        self._mean = between(19, 24, chance(scene.seed, "temp"))
        self._temp = wobble(scene, "temp", 0.4, 120.0)
        self._rh = wobble(scene, "rh", 2.0, 150.0)
        self._co2 = wobble(scene, "co2", 60.0, 200.0)

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return temperature, humidity and what belongs to them."""
        temp = self._mean + 2.5 * day_wave(at_s, 15) + self._temp.at(at_s)
        rh = 52 - 9 * day_wave(at_s, 15) + self._rh.at(at_s)
        gamma = math.log(rh / 100) + MAGNUS_A * temp / (MAGNUS_B + temp)
        known = {
            "temp_ofs": 0.0,
            "rh_ofs": 0.0,
            "temp": temp,
            "rh": rh,
            "dew": MAGNUS_B * gamma / (MAGNUS_A - gamma),
            "co2": 620 + 150 * day_wave(at_s, 20) + self._co2.at(at_s),
        }
        return {
            **self._others.values(at_s),
            **{name: value for name, value in known.items() if name in self._ids},
        }

    def written(self, point: str, value: Value, at_s: float) -> None:
        """Settings stay as written."""
        self._others.written(point, value, at_s)

    def happen(self, what: str, at_s: float, for_s: float) -> bool:
        """Return False: the air goes its own way."""
        return self._others.happen(what, at_s, for_s)
