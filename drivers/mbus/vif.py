"""The tables of value information: primary VIF, and its extensions after FB and FD.

Source: EN 13757-3 as general knowledge of the trade, each row that occurs in a golden frame proved
there; rows that no golden frame has are not verified. Months and years are calendar units (`mo`,
`a`), never seconds. UCUM writes var as `V.A{reactive}`.
"""

from __future__ import annotations

from fractions import Fraction
from types import MappingProxyType

from drivers.mbus.meaning import (
    DAY,
    HOUR,
    MINUTE,
    Form,
    Meaning,
    Table,
    decades,
    plain,
    times,
)

EXTENSION_FB = 0x7B
EXTENSION_FD = 0x7D
PLAIN_TEXT = 0x7C
ANY = 0x7E
MANUFACTURER = 0x7F

_JOULE_PER_HOUR = Fraction(1, 3600)
_CUBIC_FOOT = Fraction("0.028316846592")
_US_GALLON = Fraction("0.003785411784")
_CALORIE = Fraction("4.184")
_RANKINE = Fraction(5, 9)
_ZERO_FAHRENHEIT = Fraction(-160, 9)
_REACTIVE = "kV.A{reactive}"

PRIMARY = MappingProxyType[int, Meaning](
    {
        **decades(0x00, 8, "energy", "kW.h", -6),
        **decades(0x08, 8, "energy", "J", 0),
        **decades(0x10, 8, "volume", "m3", -6),
        **decades(0x18, 8, "mass", "kg", -3),
        **times(0x20, "on_time"),
        **times(0x24, "operating_time"),
        **decades(0x28, 8, "power", "W", -3),
        **decades(0x30, 8, "power", "W", 0, _JOULE_PER_HOUR),
        **decades(0x38, 8, "volume_flow", "m3/h", -6),
        **decades(0x40, 8, "volume_flow", "m3/h", -7, 60),
        **decades(0x48, 8, "volume_flow", "m3/h", -9, 3600),
        **decades(0x50, 8, "mass_flow", "kg/h", -3),
        **decades(0x58, 4, "flow_temperature", "Cel", -3),
        **decades(0x5C, 4, "return_temperature", "Cel", -3),
        **decades(0x60, 4, "temperature_difference", "K", -3),
        **decades(0x64, 4, "external_temperature", "Cel", -3),
        **decades(0x68, 4, "pressure", "bar", -3),
        0x6C: Meaning("date", form=Form.DATE),
        0x6D: Meaning("datetime", form=Form.MOMENT),
        0x6E: Meaning("heat_cost_units"),
        **times(0x70, "averaging_duration"),
        **times(0x74, "actuality_duration"),
        **plain(0x78, "fabrication_no", "identification", "bus_address", form=Form.IDENTITY),
        ANY: Meaning("any"),
        MANUFACTURER: Meaning("manufacturer_specific"),
    }
)
"""The primary VIF without its extension bit."""

_CALENDAR: Table = {
    0x28: Meaning("storage_interval", "mo"),
    0x29: Meaning("storage_interval", "a"),
    0x38: Meaning("tariff_period", "mo"),
    0x39: Meaning("tariff_period", "a"),
    0x6A: Meaning("duration_since_cumulation", "mo"),
    0x6B: Meaning("duration_since_cumulation", "a"),
    0x6E: Meaning("battery_operating_time", "mo"),
    0x6F: Meaning("battery_operating_time", "a"),
}

EXTENSION_OF_FD = MappingProxyType[int, Meaning](
    {
        **decades(0x00, 4, "credit", "{currency}", -3),
        **decades(0x04, 4, "debit", "{currency}", -3),
        **plain(0x08, "access_number", "device_type", form=Form.UNSIGNED),
        **plain(0x0A, "manufacturer", "parameter_set", "model_version", form=Form.IDENTITY),
        **plain(0x0D, "hardware_version", "firmware_version", "software_version"),
        **plain(0x10, "customer_location", "customer", "access_code_user", form=Form.IDENTITY),
        **plain(0x13, "access_code_operator", "access_code_system", form=Form.IDENTITY),
        **plain(0x15, "access_code_developer", "password", form=Form.IDENTITY),
        **plain(0x17, "error_flags", "error_mask", form=Form.UNSIGNED),
        **plain(0x1A, "digital_output", "digital_input", form=Form.UNSIGNED),
        0x1C: Meaning("baud_rate", "Bd"),
        0x1D: Meaning("response_delay", "{bit_time}"),
        **plain(0x1E, "retry", "remote_control", "first_storage", "last_storage", "storage_size"),
        **times(0x24, "storage_interval"),
        **plain(0x2A, "operator_specific", "second_of_minute"),
        **times(0x2C, "duration_since_readout"),
        0x30: Meaning("tariff_start", form=Form.MOMENT),
        **times(0x31, "tariff_duration", (MINUTE, HOUR, DAY)),
        **times(0x34, "tariff_period"),
        **plain(0x3A, "dimensionless"),
        **times(0x3C, "transmission_period"),
        **decades(0x40, 16, "voltage", "V", -9),
        **decades(0x50, 16, "current", "A", -12),
        **plain(0x60, "reset_counter", "cumulation_counter", "control_signal", "day_of_week"),
        **plain(0x64, "week_number", "time_of_day_change", "parameter_activation", "supplier_info"),
        **times(0x68, "duration_since_cumulation", (HOUR, DAY)),
        **times(0x6C, "battery_operating_time", (HOUR, DAY)),
        0x70: Meaning("battery_change", form=Form.MOMENT),
        0x71: Meaning("rf_level", "dB{mW}"),
        **plain(0x72, "daylight_saving", "listening_window"),
        0x74: Meaning("battery_remaining", "s", DAY),
        **plain(0x75, "stop_counter", "manufacturer_container"),
        **_CALENDAR,
    }
)
"""What follows FD, without its extension bit."""

EXTENSION_OF_FB = MappingProxyType[int, Meaning](
    {
        **decades(0x00, 2, "energy", "kW.h", 2),
        **decades(0x02, 2, "reactive_energy", f"{_REACTIVE}.h", 0),
        **decades(0x04, 2, "apparent_energy", "kV.A.h", 0),
        **decades(0x08, 2, "energy", "J", 8),
        **decades(0x0C, 4, "energy", "J", 5, _CALORIE),
        **decades(0x10, 2, "volume", "m3", 2),
        **decades(0x14, 4, "reactive_power", _REACTIVE, -3),
        **decades(0x18, 2, "mass", "kg", 5),
        **decades(0x1A, 2, "relative_humidity", "%", -1),
        0x20: Meaning("volume", "m3", _CUBIC_FOOT),
        0x21: Meaning("volume", "m3", _CUBIC_FOOT / 10),
        0x22: Meaning("volume", "m3", _US_GALLON / 10),
        0x23: Meaning("volume", "m3", _US_GALLON),
        0x24: Meaning("volume_flow", "m3/h", _US_GALLON * 60 / 1000),
        0x25: Meaning("volume_flow", "m3/h", _US_GALLON * 60),
        0x26: Meaning("volume_flow", "m3/h", _US_GALLON),
        **decades(0x28, 2, "power", "W", 5),
        0x2A: Meaning("phase_voltages", "deg", Fraction(1, 10)),
        0x2B: Meaning("phase_current", "deg", Fraction(1, 10)),
        **decades(0x2C, 4, "frequency", "Hz", -3),
        **decades(0x30, 2, "power", "W", 8, _JOULE_PER_HOUR),
        **decades(0x34, 4, "apparent_power", "kV.A", -3),
        **decades(0x58, 4, "flow_temperature", "Cel", -3, _RANKINE, _ZERO_FAHRENHEIT),
        **decades(0x5C, 4, "return_temperature", "Cel", -3, _RANKINE, _ZERO_FAHRENHEIT),
        **decades(0x60, 4, "temperature_difference", "K", -3, _RANKINE),
        **decades(0x64, 4, "external_temperature", "Cel", -3, _RANKINE, _ZERO_FAHRENHEIT),
        **decades(0x70, 4, "temperature_limit", "Cel", -3, _RANKINE, _ZERO_FAHRENHEIT),
        **decades(0x74, 4, "temperature_limit", "Cel", -3),
        **decades(0x78, 8, "maximum_power", "W", -3),
    }
)
"""What follows FB, without its extension bit."""

QUANTITIES = frozenset(
    meaning.quantity
    for table in (PRIMARY, EXTENSION_OF_FB, EXTENSION_OF_FD)
    for meaning in table.values()
)
