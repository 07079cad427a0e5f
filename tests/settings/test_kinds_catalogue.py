"""The catalogue of kinds: every kind of a community's devices is there, with its points."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from gateway.settings.catalogue import shipped_config
from gateway.settings.models.kind import KindFile

# What each kind must offer: points, then events (published ids, which never change their meaning).
STANDARD: dict[str, tuple[str, str]] = {
    "bin.smart": ("weight fill lid", "full"),
    "charger.ebike": (
        "port_{n} p_{n} e_{n} t_{n} i_{n} smoke port_{n}_set all_off",
        "over_current leakage short over_temp unplugged full_off abnormal_off",
    ),
    "charger.ev": (
        "state p_tot e_sess i_limit sess_id i_limit_set enable_set",
        "started stopped over_temp leakage estop",
    ),
    "env.climate": ("temp rh co2 pm25 pm10 laeq lux", "too_hot too_damp"),
    "env.soil": ("moist temp", ""),
    "env.weather": ("temp rh wind wind_dir rain press", "storm heavy_rain"),
    "fan": ("run run_time run_set", "run_fault"),
    "fire.detector": ("active alarm fault blocked supervised", "fire device_fault blocked"),
    "fire.electrical": (
        "i_res i_res_{n} t_{n} arc alarm fault reset",
        "alarm device_fault leakage over_temp arc",
    ),
    "fire.water": (
        "press level pump door",
        "low_pressure high_pressure low_level pump_not_auto cabinet_open water_use",
    ),
    "gateway": (
        (
            "cpu_t disk mem uptime clock_offset clock_state wan rsrp queue_depth queue_oldest"
            " bus_{n}_frames bus_{n}_crc_err bus_{n}_timeouts bus_{n}_util"
        ),
        "power_fail device_offline",
    ),
    "hvac.ac": ("run t_in t_set", "ac_lost"),
    "io.module": ("in_{n} out_{n}", ""),
    "irrigation": ("valve moist vol_cum valve_cmd", "valve_fault"),
    "level.tank": ("level liquid", "level1 level2 level3"),
    "lift": (
        "floor dir door mode trips speed trapped",
        "trapped over_speed door_fault non_level_stop power_off maintenance",
    ),
    "light.street": ("lit dim e_tot lit_set dim_set", "lamp_fault"),
    "manhole": ("tilt level ch4 batt", "opened overflow gas"),
    "meter.electricity": (
        (
            "ep_imp ep_exp ep_t1 ep_t2 ep_t3 ep_t4 u_a u_b u_c i_a i_b i_c p_tot p_a p_b p_c q_tot"
            " pf freq demand_max demand_time relay ep_imp_day ep_imp_month"
        ),
        (
            "phase_loss under_voltage over_voltage reverse_energy cover_open relay_changed"
            " clock_drift power_fail power_restore meter_comm_lost"
        ),
    ),
    "meter.gas": (
        "vol_cum vol_std temp press valve valve_close",
        "leak low_batt overflow valve_fault",
    ),
    "meter.heat": ("heat_cum cold_cum flow vol_cum t_sup t_ret power", "t_sensor_fault low_dt"),
    "meter.water": (
        "vol_cum flow vol_rev temp batt valve valve_cmd",
        "leak_suspect burst reverse_flow magnet_tamper low_batt inactivity",
    ),
    "parcel.locker": ("mains p_tot", "mains_lost"),
    "parking.barrier": (
        "pos loop cycles fault pos_cmd",
        "opened closed forced stuck anti_smash",
    ),
    "parking.display": (
        "text count brightness count_set text_set",
        "comm_lost",
    ),
    "parking.lamp": ("lamp", ""),
    "parking.lpr": ("plate plate_token colour conf lane dir", "passage"),
    "parking.space": (
        "status since dist batt led_set calibrate",
        "state_changed stuck low_batt",
    ),
    "parking.zone": (
        "total free occupied reserved method free_set",
        "almost_full full drift_corrected",
    ),
    "power.transformer": ("load t_wind_a rh door fan_set", "over_temp overload door_open"),
    "pump": ("run mode run_time run_set", "run_fault"),
    "pv.inverter": (
        "p_tot e_day e_tot u_dc_{n} i_dc_{n} t_cab soc state derate p_limit run_set",
        "fault islanding insulation",
    ),
    "security.access": (
        "door lock mode credential result unlock lock_down",
        "granted denied forced held_open duress tamper",
    ),
    "security.alarm": ("in_{n} any_alarm relay_{n}_set ack", "alarm"),
    "security.co": ("co alarm", "co pre_alarm device_fault shielded self_test"),
    "security.door": ("door batt", "opened held_open forced"),
    "security.gas": ("lel co alarm batt mute", "gas gas_pre_alarm device_fault shielded"),
    "security.heat": ("temp heat batt", "fire pre_alarm device_fault shielded self_test"),
    "security.leak": ("wet level valve_{n}", "leak level1 level2 level3"),
    "security.perimeter": (
        "partition zone_{n} mains batt user_no arm_set bypass_{n}",
        "zone_alarm restore tamper line_fault armed disarmed panic",
    ),
    "security.pir": ("active door", "motion opened inactivity"),
    "security.smoke": (
        "smoke pre_alarm fault shielded batt dirt mute self_test_set",
        "fire pre_alarm device_fault shielded self_test",
    ),
    "security.sos": ("sos buzzer batt", "sos low_batt cleared"),
    "ups": ("batt t_left u_in_a u_out_a load_a", "mains_lost low_batt"),
}
LIFE_SAFETY = [
    "fire.detector",
    "fire.electrical",
    "lift",
    "security.co",
    "security.gas",
    "security.heat",
    "security.perimeter",
    "security.smoke",
    "security.sos",
]
STAYS_HOME = [
    "bin.smart/subject",
    "charger.ebike/card",
    "charger.ev/card",
    "parking.lpr/plate",
    "security.access/credential",
    "security.pir/active",
    "security.pir/door",
    "security.sos/sos",
]
NEVER_COMMANDED = ("fire.water", "lift", "manhole")
"""Starting a fire pump or moving a lift over a field bus could kill."""

# The codes of UCUM that the catalogue needs; an annotation in braces is free.
_UNIT = re.compile(
    r"(1|%|\[ppm\]|\[ppb\]|\[pH\]|A|Cel|Hz|K|MPa|MOhm|V|V\.A|W|W/m2|dB|deg|hPa|kPa|kV\.A\.h|kW\.h"
    r"|kg|lx|m|m/s|m3|m3/h|mA|mg/kg|min|mm|mm/h|ms|s|uS/cm|ug/m3)"
)


@cache
def _kind(name: str) -> KindFile:
    text = (_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    return KindFile.model_validate(yaml.safe_load(text))


def _folder() -> Path:
    return shipped_config() / "kinds"


def _names() -> list[str]:
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def test_no_kind_of_the_standard_is_missing() -> None:
    assert set(STANDARD) - set(_names()) == set()


@pytest.mark.parametrize("name", sorted(STANDARD))
def test_a_kind_has_its_standard_points_and_events(name: str) -> None:
    points, events = STANDARD[name]
    assert set(points.split()) - set(_kind(name).points) == set()
    assert set(events.split()) - set(_kind(name).events) == set()


@pytest.mark.parametrize("name", _names())
def test_everything_people_read_is_there_in_both_languages(name: str) -> None:
    kind = _kind(name)
    titles = [kind.title, *(p.title for p in kind.points.values())]
    titles += [event.title for event in kind.events.values()]
    assert all(title.get("en") and title.get("zh") for title in titles)


@pytest.mark.parametrize("name", _names())
def test_numbers_have_a_known_unit_and_a_resolution_and_nothing_else_has_one(name: str) -> None:
    for point_id, point in _kind(name).points.items():
        if point.type in {"bool", "enum", "text"}:
            assert (point.unit, point.res) == (None, None), point_id
        elif point.unit is not None:
            assert _UNIT.fullmatch(re.sub(r"\{[^}]*\}", "", point.unit)), (point_id, point.unit)


@pytest.mark.parametrize("name", _names())
def test_every_point_has_its_group_and_every_command_its_point(name: str) -> None:
    kind = _kind(name)
    assert {point.group for point in kind.points.values()} <= set(kind.groups)
    assert set(kind.commands) <= set(kind.points)


@pytest.mark.parametrize("name", _names())
def test_the_level_follows_from_the_class_of_personal_data(name: str) -> None:
    usual = {"P0": {"L1", "L2"}, "P1": {"L2", "L3"}, "P2": {"L3"}, "P3": {"L4"}}
    for point_id, point in _kind(name).points.items():
        assert point.level in usual[point.pii], point_id


@pytest.mark.parametrize("name", LIFE_SAFETY)
def test_life_safety_is_told_within_a_second(name: str) -> None:
    kind = _kind(name)
    assert kind.latency == "T0"
    assert any(event.severity == 4 for event in kind.events.values())


@pytest.mark.parametrize("place", STAYS_HOME)
def test_what_tells_of_one_person_stays_at_the_site(place: str) -> None:
    name, point = place.split("/")
    assert _kind(name).points[point].pii == "P3"


@pytest.mark.parametrize("name", NEVER_COMMANDED)
def test_what_could_kill_has_no_command(name: str) -> None:
    assert _kind(name).commands == []
