"""Part 5 of the trust issue, end to end: what cannot be is marked and told, and never altered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.kit_gateway import linli
from tests.e2e.kit_values import ValuesStage, energy, serial, temp, values_stage
from tests.support.gateway_process import running_gateway


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[ValuesStage]:
    with values_stage(tmp_path) as made:
        yield made


def _marked(stage: ValuesStage, point: str = "ep_imp") -> list[tuple[Any, Any, Any]]:
    return [
        (entry["v"], entry["q"], entry["qr"])
        for entry in stage.platform.points("em-1", point)
        if entry.get("q", 192) != 192
    ]


def _assert_all_as_served(stage: ValuesStage) -> None:
    """Hold every published energy against what the meter served, one for one and in order."""
    came = [entry["v"] for entry in stage.platform.points("em-1", "ep_imp")]
    assert came == stage.meter.energies[: len(came)]


def _assert_one_life(stage: ValuesStage, kind: str, value: float, last: float) -> dict[str, Any]:
    """Return the end of the one event of this type, raised with the new and the old value."""
    cleared = stage.wait_for_event(kind, "cleared")
    raised, *_ = events = stage.events(kind)
    assert [event["st"] for event in events] == ["raised", "cleared"]
    assert (raised["val"], raised["thr"], raised["p"]) == (value, last, "ep_imp")
    assert raised["eid"] == cleared["eid"]
    return cleared


def test_a_reset_is_marked_told_and_good_again(stage: ValuesStage) -> None:
    with running_gateway(stage.site, stage.base):
        stage.wait_until_good("ep_imp", 812.44)
        stage.meter.play(energy(0.5))
        end = _assert_one_life(stage, "counter_reset", 0.5, 812.44)
        assert end["detail"].startswith("confirmed")
        stage.wait_until_good("ep_imp", 0.5)
    assert _marked(stage) == [(0.5, 0, "counter")]
    _assert_all_as_served(stage)


def test_a_single_zero_between_two_plausible_values_is_withdrawn(stage: ValuesStage) -> None:
    with running_gateway(stage.site, stage.base):
        stage.wait_until_good("ep_imp", 812.44)
        stage.meter.play(energy(0), energy(812.45))
        end = _assert_one_life(stage, "counter_reset", 0.0, 812.44)
        assert end["detail"].startswith("withdrawn")
        stage.wait_until_good("ep_imp", 812.45)
    assert _marked(stage) == [(0.0, 0, "counter")]
    _assert_all_as_served(stage)


def test_a_rollover_is_told_as_one(stage: ValuesStage) -> None:
    for register, values in energy(999_999.98).items():
        stage.meter.slave.put(1, register, *values)
    with running_gateway(stage.site, stage.base):
        stage.wait_until_good("ep_imp", 999_999.98)
        stage.meter.play(energy(0.02))
        _assert_one_life(stage, "counter_rollover", 0.02, 999_999.98)
        stage.wait_until_good("ep_imp", 0.02)
    assert _marked(stage) == [(0.02, 0, "counter")]
    _assert_all_as_served(stage)


def test_an_impossible_jump_is_marked(stage: ValuesStage) -> None:
    with running_gateway(stage.site, stage.base):
        stage.wait_until_good("ep_imp", 812.44)
        stage.meter.play({**energy(90_000), **temp(85)}, {**energy(812.46), **temp(20.1)})
        _assert_one_life(stage, "counter_jump", 90_000.0, 812.44)
        stage.wait_until_good("ep_imp", 812.46)
        stage.wait_until_good("temp", 20.1)
    assert _marked(stage) == [(90_000.0, 0, "counter")]
    assert _marked(stage, "temp") == [(85.0, 0, "range")]
    _assert_all_as_served(stage)


def test_a_swapped_meter_is_told_with_both_numbers_and_both_values(stage: ValuesStage) -> None:
    with running_gateway(stage.site, stage.base):
        stage.wait_until_good("ep_imp", 812.44)
        stage.meter.play({**energy(3.1), **serial(1234)})
        changed = stage.wait_for_event("identity_changed", "raised")
        assert (changed["val"], changed["thr"], changed["p"]) == ("1234", "4711", "serial")
        stage.wait_for_event("identity_changed", "cleared")
        _assert_one_life(stage, "meter_exchanged", 3.1, 812.44)
        stage.wait_until_good("ep_imp", 3.1)
    assert _marked(stage) == [(3.1, 0, "identity")]
    assert {reason for _, _, reason in _marked(stage, "u_a")} == {"identity"}
    _assert_all_as_served(stage)


def test_a_meter_swapped_while_the_gateway_was_off_is_told(stage: ValuesStage) -> None:
    with running_gateway(stage.site, stage.base):
        stage.wait_until_good("ep_imp", 812.44)
    for step in (energy(3.1), serial(1234)):
        for register, values in step.items():
            stage.meter.slave.put(1, register, *values)
    with running_gateway(stage.site, stage.base):
        stage.wait_for_event("identity_changed", "raised")
        _assert_one_life(stage, "meter_exchanged", 3.1, 812.44)


def test_a_meter_that_was_reset_while_the_gateway_was_off_is_told(stage: ValuesStage) -> None:
    with running_gateway(stage.site, stage.base):
        stage.wait_until_good("ep_imp", 812.44)
    for register, values in energy(0.5).items():
        stage.meter.slave.put(1, register, *values)
    with running_gateway(stage.site, stage.base):
        _assert_one_life(stage, "counter_reset", 0.5, 812.44)


def test_a_frozen_device_is_stale_is_one_event_and_clears_by_itself(stage: ValuesStage) -> None:
    with running_gateway(stage.site, stage.base):
        stage.wait_until_good("ep_imp", 812.44)
        stage.meter.is_frozen = True
        frozen = stage.wait_for_event("device_frozen", "raised")
        stale = stage.platform.wait_for_point("em-1", "u_a", lambda e: e.get("q") == 500)
        assert stale["qr"] == "stuck"
        assert isinstance(stale["v"], float)
        read = linli(stage.base, "read", "em-1", "u_a", "--json")
        assert read.returncode == 0, read.stderr
        stage.meter.is_frozen = False
        cleared = stage.wait_for_event("device_frozen", "cleared")
        assert frozen["eid"] == cleared["eid"]
        assert not stage.events("point_stuck")
        count = len(stage.platform.points("em-1", "u_a"))
        stage.platform.wait(
            lambda: (
                "q" not in stage.platform.points("em-1", "u_a")[-1]
                and len(stage.platform.points("em-1", "u_a")) > count
            ),
            "good again",
        )
