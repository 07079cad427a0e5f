"""Which unit, device class and state class of Home Assistant a point has.

Only classes and units of developers.home-assistant.io/docs/core/entity/{sensor,number,
binary-sensor}, held against DEVICE_CLASS_UNITS and DEVICE_CLASS_STATE_CLASSES of release 2024.3: a
class that a release does not know, or a unit that does not fit its class, costs the whole entity.
What has no class there has its unit only.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.dialects.contract import BirthPoint

_UNITS: dict[str, tuple[str | None, str | None]] = {
    "kW.h": ("kWh", "energy"),
    "W.h": ("Wh", "energy"),
    "MW.h": ("MWh", "energy"),
    "MJ": ("MJ", "energy"),
    "GJ": ("GJ", "energy"),
    "V": ("V", "voltage"),
    "mV": ("mV", "voltage"),
    "A": ("A", "current"),
    "mA": ("mA", "current"),
    "W": ("W", "power"),
    "kW": ("kW", "power"),
    "V.A": ("VA", "apparent_power"),
    "kV.A": ("kVA", None),
    "V.A{reactive}": ("var", "reactive_power"),
    "kV.A{reactive}": ("kvar", None),
    "kV.A{reactive}.h": ("kvarh", None),
    "Hz": ("Hz", "frequency"),
    "Cel": ("°C", "temperature"),
    "K": ("K", "temperature"),
    "%": ("%", None),
    "1": (None, None),
    "m3": ("m³", "volume"),
    "L": ("L", "volume"),
    "m3/h": ("m³/h", "volume_flow_rate"),
    "L/min": ("L/min", "volume_flow_rate"),
    "ms": ("ms", "duration"),
    "s": ("s", "duration"),
    "min": ("min", "duration"),
    "h": ("h", "duration"),
    "d": ("d", "duration"),
    "mm": ("mm", "distance"),
    "m": ("m", "distance"),
    "km": ("km", "distance"),
    "m/s": ("m/s", "speed"),
    "mm/h": ("mm/h", "precipitation_intensity"),
    "Pa": ("Pa", "pressure"),
    "hPa": ("hPa", "pressure"),
    "kPa": ("kPa", "pressure"),
    "bar": ("bar", "pressure"),
    "MPa": ("MPa", None),
    "kg": ("kg", "weight"),
    "g": ("g", "weight"),
    "lx": ("lx", "illuminance"),
    "W/m2": ("W/m²", "irradiance"),
    "dB": ("dB", None),
    "dB{mW}": ("dBm", "signal_strength"),
    "dB{A}": ("dBA", "sound_pressure"),
    "deg": ("°", None),
    "[pH]": (None, "ph"),
    "[ppm]": ("ppm", None),
    "[ppb]": ("ppb", None),
    "ug/m3": ("µg/m³", None),
    "uS/cm": ("µS/cm", None),
    "MOhm": ("MΩ", None),
    "%{LEL}": ("% LEL", None),
}
"""Unit there and class, by our unit (UCUM); any other unit is shown as it is."""
_BY_POINT = {
    ("%", "rh"): "humidity",
    ("%", "batt"): "battery",
    ("%", "soc"): "battery",
    ("%", "moist"): "moisture",
    ("[ppm]", "co"): "carbon_monoxide",
    ("[ppm]", "co2"): "carbon_dioxide",
    ("[ppb]", "voc"): "volatile_organic_compounds_parts",
    ("ug/m3", "pm1"): "pm1",
    ("ug/m3", "pm25"): "pm25",
    ("ug/m3", "pm10"): "pm10",
    ("m/s", "wind"): "wind_speed",
    ("m/s", "wind_gust"): "wind_speed",
    ("mm", "rain"): "precipitation",
    ("1", "pf"): "power_factor",
    ("1", "pf_a"): "power_factor",
    ("1", "pf_b"): "power_factor",
    ("1", "pf_c"): "power_factor",
}
"""Where the unit alone does not say it: the points of the catalogue of kinds."""
_BY_KIND = {("m3", "meter.water"): "water", ("m3", "meter.gas"): "gas"}
_TOTALS = frozenset({"energy", "volume", "water", "gas"})
"""Classes that take no state class `measurement`."""
_BINARY = {
    "low_batt": "battery",
    "tamper": "tamper",
    "cover_open": "tamper",
    "fault": "problem",
    "valve_fault": "problem",
    "mains": "power",
    "smoke": "smoke",
    "leak": "moisture",
    "run": "running",
    "moving": "moving",
    "occupied": "occupancy",
    "people": "occupancy",
    "heat": "heat",
    "alarm": "safety",
    "trapped": "safety",
}
"""Of what is true or false, by point."""
_BINARY_BY_KIND = {
    ("security.gas", "alarm"): "gas",
    ("security.co", "alarm"): "carbon_monoxide",
    ("security.smoke", "alarm"): "smoke",
    ("security.pir", "motion"): "motion",
    ("security.door", "open"): "door",
    ("meter.gas", "leak"): "gas",
}


@dataclass(frozen=True, slots=True)
class Class:
    """How a value is shown; None where nothing is said."""

    unit: str | None = None
    device_class: str | None = None
    state_class: str | None = None


def sensor_class(kind: str, point: BirthPoint) -> Class:
    """Return how a number is shown."""
    unit, usual = _UNITS.get(point.unit or "1", (point.unit, None))
    ours = point.unit or ""
    known = _BY_KIND.get((ours, kind)) or _BY_POINT.get((ours, point.id)) or usual
    if point.is_cumulative:
        return Class(unit, known, "total_increasing") if _may_increase(known) else Class(unit)
    return Class(unit, known, None if known in _TOTALS else "measurement")


def number_class(kind: str, point: BirthPoint) -> Class:
    """Return how a number that can be set is shown: the same classes, and no state class."""
    found = sensor_class(kind, point)
    return Class(found.unit, found.device_class)


def binary_class(kind: str, point: BirthPoint) -> str | None:
    """Return the class of what is true or false."""
    return _BINARY_BY_KIND.get((kind, point.id)) or _BINARY.get(point.id)


def _may_increase(device_class: str | None) -> bool:
    """Whether a class takes `total_increasing`; no class at all does."""
    return device_class is None or device_class in {
        *_TOTALS,
        "distance",
        "duration",
        "precipitation",
        "weight",
    }
