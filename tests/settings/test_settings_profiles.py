"""Profiles and kinds: what becomes of them, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from estate import KIND, METER, PANEL, Estate

from drivers.modbus.address import ModbusAddress, ModbusQuirks
from gateway.settings.catalogue import Profile, shipped_config
from gateway.settings.models.profile import PointOverride
from gateway.settings.problems import SettingsError
from gateway.settings.profiles import (
    load_profile,
    profile_catalogue,
    resolve_points,
    resolve_quirks,
)
from gateway.settings.site import (
    Condition,
    EventRule,
    Every,
    Point,
    Priority,
    ScaleFrom,
    ValueType,
)


def profile_of(estate: Estate, name: str) -> Profile:
    result = load_profile(name, [estate.folder / "profiles"])
    assert result.profile is not None, [p.text() for p in result.problems]
    return result.profile


def named(points: tuple[Point, ...]) -> dict[str, Point]:
    return {str(point.id): point for point in points}


def register_of(point: Point) -> int | str:
    assert isinstance(point.address, ModbusAddress)
    return point.address.register


def faults(estate: Estate, text: str, kind: str = KIND) -> list[str]:
    estate.write("kinds/test.meter.yaml", kind)
    path = estate.write("profiles/test/meter.yaml", text)
    result = load_profile(path, [estate.folder / "profiles"])
    return [f"{p.line}:{p.column} {p.code}" for p in result.problems]


def test_kind_and_profile_make_a_point(estate: Estate) -> None:
    points = named(resolve_points(profile_of(estate, "test/meter")))
    u_a = points["u_a"]
    assert (u_a.scale, u_a.offset) == (Decimal("0.1"), Decimal(0))
    assert (u_a.unit, u_a.type, u_a.resolution) == ("V", ValueType.FLOAT, 0.1)
    assert (u_a.minimum, u_a.maximum) == (0.0, 300.0)
    assert (u_a.poll, u_a.group, u_a.priority) == (Every(60.0), "power", Priority.NORMAL)
    assert (u_a.personal, u_a.level) == ("P1", "L2")
    assert u_a.where.file.endswith("meter.yaml")
    assert points["ep_imp"].is_cumulative
    assert points["ep_imp"].priority is Priority.ENERGY
    assert not points["sf_x"].is_published
    p_tot = points["p_tot"]
    assert p_tot.scale_from == ScaleFrom(points["sf_x"].id, "exponent")
    assert (p_tot.unit, p_tot.personal, p_tot.level, p_tot.group) == ("W", "P3", "L4", "main")


def test_quirks_are_split_between_bus_and_driver(estate: Estate) -> None:
    quirks = resolve_quirks(profile_of(estate, "test/meter"))
    assert quirks.pause_s == 0.02
    assert quirks.driver == ModbusQuirks(max_registers=40)


def test_templates_numbered_points_variants_and_writes(estate: Estate) -> None:
    profile = profile_of(estate, "test/panel")
    points = named(resolve_points(profile, {"loop": 2, "device": 5}))
    assert register_of(points["status"]) == 517
    assert points["status"].enum == {0: "free", 1: "occupied"}
    assert [register_of(points[f"zone_{n}"]) for n in (1, 4)] == [
        101,
        104,
    ]
    assert points["zone_2"].events == (EventRule("leak", 3, Condition(equals=True), "property"),)
    write = points["gate_cmd"].write
    assert write is not None
    assert (write.allowed, write.raw_or, write.is_dangerous) == (("open", "close"), 0x6800, True)
    assert write.readback == "gate_cmd"
    old = named(resolve_points(profile, {"device": 5}, "old"))
    assert register_of(old["status"]) == 262


def test_overrides_reach_single_points(estate: Estate) -> None:
    profile = profile_of(estate, "test/meter")
    override = PointOverride.model_validate({"scale": 0.2, "poll": "1s", "priority": "alarm"})
    u_a = named(resolve_points(profile, overrides={"u_a": override}))["u_a"]
    assert (u_a.scale, u_a.poll, u_a.priority) == (Decimal("0.2"), Every(1.0), Priority.ALARM)


def test_wrong_wishes_raise_with_all_problems(estate: Estate) -> None:
    profile = profile_of(estate, "test/panel")
    for variables, variant, code in (
        ({"device": 0}, None, "LG-DEV-09"),
        ({"devise": 1}, None, "LG-DEV-08"),
        ({}, None, "LG-DEV-10"),
        ({"device": 1}, "new", "LG-DEV-11"),
    ):
        with pytest.raises(SettingsError) as raised:
            resolve_points(profile, variables, variant)
        assert [problem.code for problem in raised.value.problems] == [code]


def test_unknown_profiles_are_told_with_the_nearest(estate: Estate) -> None:
    result = load_profile("test/metr", [estate.folder / "profiles"])
    assert result.profile is None
    assert result.problems[0].remedy == "Did you mean test/meter?"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("scale: 0.1", "scael: 0.1", "9:22 LG-KEY-01"),
        ("register: 0x0048", "register: 70000", "10:11 LG-VAL-09"),
        ("register: 0x0048", 'register: "{m}"', "10:24 LG-TPL-02"),
        ("type: f32", "type: f33", "10:36 LG-VAL-04"),
        ("test.meter", "test.metre", "4:7 LG-PROF-01"),
        ("driver: modbus", "driver: modbuz", "5:9 LG-PROF-02"),
        ("profile: test/meter", "profile: test/other", "2:10 LG-PROF-03"),
        ("point: sf_x", "point: sf_y", "12:10 LG-PROF-05"),
        ("register: 0, ", "register: 0, unit: mV, ", "9:28 LG-PROF-10"),
        ("register: 0, ", "", "9:8 LG-KEY-02"),
        ("range: [0, 300]", "range: [300, 0]", "9:41 LG-VAL-17"),
        ("  ep_imp:", "  ep_exp:", "9:3 LG-PROF-07"),
        ("  u_a:", "  U_A:", "9:3 LG-VAL-06"),
        ("max_registers: 40", "max_registers: 400", "7:25 LG-VAL-03"),
        ("max_registers: 40", "max_register: 40", "7:10 LG-KEY-01"),
        ("register: 0, ", "register: 0, write: {min: 1}, ", "9:29 LG-PROF-09"),
        ("register: 0, ", "register: 0, each: 1..3, ", "9:3 LG-PROF-13"),
        (
            "register: 0, ",
            "register: 0, events: [{type: x, when: {above: 1}}], ",
            "9:30 LG-PROF-12",
        ),
        ("register: 0, ", "register: 0, events: [{type: x, when: {}}], ", "9:47 LG-PROF-14"),
        ("register: 0, ", "register: 0, enum: {one: x}, ", "9:28 LG-PROF-15"),
        ("driver: modbus", "driver: modbus\nverified: false", "1:1 LG-PROF-11"),
    ],
)
def test_faults_of_a_profile_are_told_at_their_place(
    estate: Estate, old: str, new: str, expected: str
) -> None:
    assert METER.count(old) == 1
    assert faults(estate, METER.replace(old, new)) == [expected]


def test_faults_of_a_kind_are_told_in_its_file(estate: Estate) -> None:
    wrong = KIND.replace("expects: [ep_imp]", "expects: [ep_im]")
    assert faults(estate, METER, wrong)[0] == "17:11 LG-KIND-01"
    without = KIND.replace("values: [free, occupied], ", "")
    assert [line.split()[1] for line in faults(estate, METER, without)] == ["LG-KIND-02"]


def test_a_sample_of_an_unknown_point_or_with_bad_hex_is_refused(estate: Estate) -> None:
    sample = (
        "samples:\n  - {basis: capture, source: x, request: '01 03', reply: '01 0', "
        "values: {u_a: 1}}\n"
    )
    assert faults(estate, METER + sample)[0].endswith("LG-VAL-12")
    good = sample.replace("'01 0'", "'01 03'").replace("u_a: 1", "u_b: 1, u_a: {bad: range}")
    assert [f.split()[1] for f in faults(estate, METER + good)] == ["LG-PROF-05"]
    profile = profile_of(estate, estate_file(estate, METER + good.replace("u_b: 1, ", "")))
    assert profile.samples[0].reply == b"\1\3"
    assert profile.samples[0].values["u_a"].bad == "range"


def estate_file(estate: Estate, text: str) -> str:
    return str(estate.write("profiles/test/meter.yaml", text))


def test_the_first_folder_with_a_name_wins(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path / "etc"))
    estate.write("etc/profiles/test/meter.yaml", METER.replace("Test meter", "Mine"))
    estate.write("etc/kinds/test.meter.yaml", KIND)
    found = load_profile("test/meter").profile
    assert found is not None
    assert found.entry.title["en"] == "Mine"
    assert profile_of(estate, "test/meter").entry.title["en"] == "Test meter"


def test_the_catalogue_lists_own_and_shipped_profiles(estate: Estate) -> None:
    entries = profile_catalogue([estate.folder / "profiles"])
    ids = [entry.id for entry in entries]
    assert {"test/meter", "test/panel"} <= set(ids)
    shipped = {
        path.relative_to(shipped_config() / "profiles").with_suffix("").as_posix()
        for path in (shipped_config() / "profiles").rglob("*.yaml")
    }
    assert shipped <= set(ids)
    assert ids == sorted(ids)


def test_panel_needs_its_number_in_the_template(estate: Estate) -> None:
    text = PANEL.replace("zone_{n}:", "zone_x:")
    path = estate.write("profiles/test/panel.yaml", text)
    result = load_profile(path, [estate.folder / "profiles"])
    assert result.profile is None
