"""Things behave as things do."""

from __future__ import annotations

import pytest
from sim_points import point

from gateway.settings.site import Point, ValueType
from simulators import physics
from simulators.physics.scene import Scene

NOW = 1_767_225_600.0


def named(*names: str, kind: ValueType = ValueType.FLOAT) -> list[Point]:
    return [point(name, {"register": i}, type=kind) for i, name in enumerate(names)]


def test_power_is_voltage_times_current_times_factor_on_every_phase() -> None:
    names = [f"{q}_{p}" for q in ("u", "i", "p", "pf") for p in "abc"]
    meter = physics.make("meter.electricity", Scene(named(*names, "p_tot"), 5))
    for second in range(0, 600, 7):
        now = {k: float(v) for k, v in meter.values(NOW + second).items()}
        for p in "abc":
            assert now[f"p_{p}"] == pytest.approx(now[f"u_{p}"] * now[f"i_{p}"] * now[f"pf_{p}"])
            assert 210 < now[f"u_{p}"] < 250
        assert now["p_tot"] == pytest.approx(now["p_a"] + now["p_b"] + now["p_c"])


def test_energy_is_the_integral_of_power() -> None:
    meter = physics.make("meter.electricity", Scene(named("p_tot", "ep_imp"), 3))
    step, kwh = 0.5, 0.0
    for i in range(1200):
        kwh += float(meter.values(NOW + (i + 0.5) * step)["p_tot"]) * step / 3_600_000
    grown = float(meter.values(NOW + 600)["ep_imp"]) - float(meter.values(NOW)["ep_imp"])
    assert grown == pytest.approx(kwh, rel=1e-4)


def test_a_kilowatt_point_gets_kilowatts() -> None:
    watts = physics.make("meter.electricity", Scene([point("p_tot", {"register": 0}, unit="W")], 1))
    kilo = physics.make("meter.electricity", Scene([point("p_tot", {"register": 0}, unit="kW")], 1))
    assert float(kilo.values(NOW)["p_tot"]) == pytest.approx(
        float(watts.values(NOW)["p_tot"]) / 1000
    )


def test_volume_is_the_integral_of_flow() -> None:
    meter = physics.make("meter.water", Scene(named("vol_cum", "flow"), 4))
    step, volume, flows = 0.1, 0.0, set[float]()
    for i in range(3000):
        flow = float(meter.values(NOW + (i + 0.5) * step)["flow"])
        flows.add(round(flow, 6))
        volume += flow * step / 3600
    grown = float(meter.values(NOW + 300)["vol_cum"]) - float(meter.values(NOW)["vol_cum"])
    assert grown == pytest.approx(volume, rel=0.01)
    assert len(flows) == 2
    assert 0.0 in flows


def test_a_leak_runs_beside_the_taps() -> None:
    meter = physics.make("meter.water", Scene(named("vol_cum", "flow"), 4))
    dry = physics.make("meter.water", Scene(named("vol_cum", "flow"), 4))
    assert meter.happen("leak", NOW, 100)
    more = float(meter.values(NOW + 200)["vol_cum"]) - float(dry.values(NOW + 200)["vol_cum"])
    assert more == pytest.approx(0.4 * 100 / 3600)


def test_a_car_takes_a_space_and_leaves_it() -> None:
    space = physics.make("parking.space", Scene(named("status", "dist"), 2))
    space.happen("leave", NOW, 1000)
    assert space.values(NOW + 1)["status"] == "free"
    assert space.happen("car", NOW + 5, 20)
    assert space.values(NOW + 6)["status"] == "occupied"
    assert float(space.values(NOW + 6)["dist"]) < 1000
    assert space.values(NOW + 26)["status"] == "free"


def test_spaces_fill_and_empty_by_themselves() -> None:
    space = physics.make("parking.space", Scene(named("status"), 9))
    seen = {space.values(NOW + 60 * minute)["status"] for minute in range(300)}
    assert seen == {"free", "occupied"}


def test_a_gate_opens_for_a_car_and_closes_behind_it() -> None:
    gate = physics.make("parking.barrier", Scene(named("pos", "limit", "loop", "cycles"), 2))
    before = gate.values(NOW)
    assert (before["pos"], before["limit"], before["loop"]) == ("closed", "closed", False)
    assert gate.happen("car", NOW, 10)
    course = [gate.values(NOW + s)["pos"] for s in (1, 5, 11, 15)]
    assert course == ["opening", "open", "closing", "closed"]
    assert int(gate.values(NOW + 16)["cycles"]) == int(before["cycles"]) + 1


def test_a_gate_obeys_commands() -> None:
    gate = physics.make("parking.barrier", Scene(named("pos", "pos_cmd"), 2))
    gate.written("pos_cmd", "open", NOW)
    gate.written("pos_cmd", "stop", NOW + 2)
    assert gate.values(NOW + 9)["pos"] == "stopped"
    gate.written("pos_cmd", "close", NOW + 10)
    assert gate.values(NOW + 11)["pos"] == "closing"
    assert gate.values(NOW + 19)["pos"] == "closed"


@pytest.mark.parametrize(
    ("kind", "what", "name", "value"),
    [
        ("security.door", "open", "door", "open"),
        ("security.smoke", "smoke", "smoke", True),
        ("security.leak", "leak", "wet", True),
        ("security.gas", "gas", "alarm", True),
        ("fire.detector", "fire", "active", True),
        ("io.module", "in_3", "in_3", True),
    ],
)
def test_something_happens_and_ends(kind: str, what: str, name: str, value: object) -> None:
    thing = physics.make(kind, Scene(named(name, kind=ValueType.BOOL), 1))
    rest = thing.values(NOW)[name]
    assert rest != value
    assert thing.happen(what, NOW, 10)
    assert thing.values(NOW + 9)[name] == value
    assert thing.values(NOW + 11)[name] == rest
    assert not thing.happen("earthquake", NOW, 10)


def test_all_relays_are_switched_at_once() -> None:
    module = physics.make("io.module", Scene(named("out_1", "out_2", "out_all"), 1))
    module.written("out_all", value=True, at_s=NOW)
    values = module.values(NOW)
    assert values["out_1"] is values["out_2"] is True


def test_the_dew_point_lies_below_the_temperature() -> None:
    air = physics.make("env.climate", Scene(named("temp", "rh", "dew"), 1))
    for hour in range(24):
        now = {k: float(v) for k, v in air.values(NOW + 3600 * hour).items()}
        assert now["dew"] < now["temp"]
        assert 15 < now["temp"] < 30
        assert 30 < now["rh"] < 70


def test_an_unknown_kind_stays_within_the_range_of_its_points() -> None:
    points = [
        point("co", {"register": 0}, unit="[ppm]", minimum=0.0, maximum=50.0),
        point("x", {"register": 1}, sim={"low": 5, "high": 6}),
        point("y", {"register": 2}, sim={"value": 7}),
        point("n", {"register": 3}, type=ValueType.INT, is_cumulative=True),
    ]
    thing = physics.make("no.such.kind", Scene(points, 1))
    for second in range(0, 300, 10):
        now = thing.values(NOW + second)
        assert 0 <= float(now["co"]) <= 50
        assert 5 <= float(now["x"]) <= 6
        assert now["y"] == 7
    assert int(thing.values(NOW + 5000)["n"]) > int(thing.values(NOW)["n"])
