"""An electricity meter: one load profile makes currents, powers and energies that agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.model.reading import Value
from gateway.settings.site import Point
from simulators.physics.generic import Generic
from simulators.physics.scene import Physics, Scene, Wobble, between, chance, wobble

PHASES = ("a", "b", "c")
NOMINAL_V = 230.0
EPOCH_S = 1_735_689_600.0  # 2025-01-01: energies count from here
POWER_FACTOR = 0.94
SQRT3 = math.sqrt(3)


@dataclass(frozen=True, slots=True)
class Phase:
    """Voltage and load of one conductor."""

    base_w: float
    volts: Wobble
    load: Wobble

    def watts(self, at_s: float) -> float:
        """Return active power, never negative."""
        return self.base_w * (1 + self.load.at(at_s))

    def kwh(self, at_s: float) -> float:
        """Return the integral of `watts` since the epoch, exactly."""
        seconds = at_s - EPOCH_S + self.load.integral(EPOCH_S, at_s)
        return self.base_w * seconds / 3_600_000


@dataclass(frozen=True, slots=True)
class Moment:
    """What flows on one conductor now."""

    volts: float
    watts: float
    kwh: float

    @property
    def va(self) -> float:
        """Apparent power."""
        return self.watts / POWER_FACTOR

    @property
    def var(self) -> float:
        """Reactive power, inductive."""
        return self.va * math.sqrt(1 - POWER_FACTOR**2)

    @property
    def amps(self) -> float:
        """Current."""
        return self.va / self.volts


def make(scene: Scene) -> Physics:
    """Return the physics of a meter with one or three phases, as its points say."""
    return ElectricityMeter(scene)


class ElectricityMeter:
    """P = U * I * pf on every conductor; energy is the integral of power."""

    def __init__(self, scene: Scene) -> None:
        self._units = {str(p.id): _factor(p) for p in scene.points}
        self._others = Generic(scene)
        names = [p for p in PHASES if p == "a" or self._units.keys() & {f"u_{p}", f"i_{p}"}]
        self._phases = {name: _phase(scene, name) for name in names}
        self._frequency = wobble(scene, "freq", 0.03)

    def values(self, at_s: float) -> Mapping[str, Value]:
        """Return all electrical quantities at one moment."""
        known = self._electrical(at_s)
        scaled = {
            name: value * self._units[name] for name, value in known.items() if name in self._units
        }
        return {**self._others.values(at_s), **scaled}

    def written(self, point: str, value: Value, at_s: float) -> None:
        """Settings of the meter stay as written."""
        self._others.written(point, value, at_s)

    def happen(self, what: str, at_s: float, for_s: float) -> bool:
        """Return False: a meter only measures."""
        return self._others.happen(what, at_s, for_s)

    def _electrical(self, at_s: float) -> dict[str, float]:
        known: dict[str, float] = {}
        moments: list[Moment] = []
        for name, phase in self._phases.items():
            volts = NOMINAL_V + phase.volts.at(at_s)
            now = Moment(volts, phase.watts(at_s), phase.kwh(at_s))
            moments.append(now)
            known |= {f"u_{name}": now.volts, f"i_{name}": now.amps, f"p_{name}": now.watts}
            known |= {f"q_{name}": now.var, f"s_{name}": now.va, f"pf_{name}": POWER_FACTOR}
            known |= _energies(now.kwh, f"_{name}")
        return known | self._totals(moments, at_s)

    def _totals(self, moments: list[Moment], at_s: float) -> dict[str, float]:
        volts = sum(m.volts for m in moments) / len(moments)
        amps = sum(m.amps for m in moments)
        line_volts = dict.fromkeys(("u_ab", "u_bc", "u_ca", "u_ll"), volts * SQRT3)
        totals = {
            "p_tot": sum(m.watts for m in moments),
            "q_tot": sum(m.var for m in moments),
            "s_tot": sum(m.va for m in moments),
            "i_avg": amps / len(moments),
            "i_n": 0.03 * amps,
            "u_avg": volts,
            "pf": POWER_FACTOR,
            "phi": math.degrees(math.acos(POWER_FACTOR)),
            "freq": 50.0 + self._frequency.at(at_s),
        }
        return line_volts | totals | _energies(sum(m.kwh for m in moments), "")


def _energies(kwh: float, suffix: str) -> dict[str, float]:
    """Return imported, exported and total energy, active and reactive, of one or all phases."""
    reactive = kwh * math.tan(math.acos(POWER_FACTOR))
    known = {"ep_imp": kwh, "ep_exp": 0.0, "ep_tot": kwh}
    known |= {"eq_imp": reactive, "eq_exp": 0.0, "eq_tot": reactive}
    return {name + suffix: energy for name, energy in known.items()}


def _phase(scene: Scene, name: str) -> Phase:
    return Phase(
        base_w=between(250, 1400, chance(scene.seed, name, "load")),
        volts=wobble(scene, f"u_{name}", 4.0, 60.0),
        load=wobble(scene, f"load_{name}", 0.7, 45.0),
    )


def _factor(point: Point) -> float:
    """What turns V, A, W, VA, kWh into the unit of the point."""
    unit = point.unit or ""
    if unit.startswith("k") and not point.id.startswith(("ep", "eq")):
        return 1e-3
    if point.id.startswith(("ep", "eq")) and unit.startswith(("W", "V.A")):
        return 1e3
    return 1e-3 if unit == "MW.h" else 1.0
