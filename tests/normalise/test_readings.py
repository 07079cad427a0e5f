"""The samples of a job become readings of the same moment, and a failure is told for each."""

from decimal import Decimal

import pytest

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import SIMULATED, Quality, bad
from gateway.model.sample import Raw, Samples
from gateway.normalise.readings import Normaliser
from gateway.settings.site import ScaleFrom
from tests.support.points import a_device, a_point

METER = DeviceId("em-01")


def _samples(*points: str, raw: tuple[Raw | None, ...] = (), fault: str | None = None) -> Samples:
    ids = tuple(PointId(point) for point in points)
    return Samples(METER, ids, raw, fault, 1000, 1040, TimeQuality.SYNC)


def test_good_samples_carry_units_and_the_moment_of_the_last_byte() -> None:
    device = a_device(METER, [a_point("u_a"), a_point("i_a", unit="A")])
    readings = Normaliser({METER: device}, ()).to_readings(_samples("u_a", "i_a", raw=(230, 1.5)))
    assert readings is not None
    assert readings.values == (230.0, 1.5)
    assert readings.column.units == ("V", "A")
    assert readings.marks is None
    assert readings.ts_ms == 1040


def test_a_failed_job_is_a_bad_reading_of_every_point_and_never_a_zero() -> None:
    device = a_device(METER, [a_point("u_a"), a_point("i_a")])
    readings = Normaliser({METER: device}, ()).to_readings(
        _samples("u_a", "i_a", fault="exception:2")
    )
    assert readings is not None
    assert readings.values == (None, None)
    assert readings.marks == (bad("exception:2"),) * 2


def test_one_missing_value_does_not_spoil_its_neighbour() -> None:
    device = a_device(METER, [a_point("u_a"), a_point("u_b")])
    readings = Normaliser({METER: device}, ()).to_readings(_samples("u_a", "u_b", raw=(None, 231)))
    assert readings is not None
    assert readings.values == (None, 231.0)
    assert readings.marks is not None
    assert [mark.quality for mark in readings.marks] == [Quality.BAD, Quality.GOOD]


def test_a_scale_register_scales_its_point_and_is_not_published() -> None:
    scaled = a_point("p_tot", scale_from=ScaleFrom(PointId("sf"), "exponent"))
    device = a_device(METER, [scaled, a_point("sf", is_published=False)])
    readings = Normaliser({METER: device}, ()).to_readings(_samples("sf", "p_tot", raw=(-1, 2301)))
    assert readings is not None
    assert readings.column.points == ("p_tot",)
    assert readings.values == (230.1,)


def test_a_missing_scale_register_makes_no_value() -> None:
    scaled = a_point("p_tot", scale_from=ScaleFrom(PointId("sf"), "exponent"))
    device = a_device(METER, [scaled, a_point("sf", is_published=False)])
    readings = Normaliser({METER: device}, ()).to_readings(
        _samples("p_tot", "sf", raw=(2301, None))
    )
    assert readings is not None
    assert readings.values == (None,)
    assert readings.marks is not None
    assert readings.marks[0].quality is Quality.BAD


def test_what_is_simulated_always_says_so() -> None:
    device = a_device(METER, [a_point("u_a")])
    readings = Normaliser({METER: device}, {METER}).to_readings(_samples("u_a", raw=(230,)))
    assert readings is not None
    assert readings.marks == (SIMULATED,)


def test_plain_floats_pass_as_they_are_and_what_is_not_finite_does_not() -> None:
    device = a_device(METER, [a_point("u_a"), a_point("u_b")])
    normaliser = Normaliser({METER: device}, ())
    plain = normaliser.to_readings(_samples("u_a", "u_b", raw=(230.1, 231.5)))
    assert plain is not None
    assert plain.values == (230.1, 231.5)
    for bad_value in (float("nan"), float("inf"), -float("inf")):
        spoilt = normaliser.to_readings(_samples("u_a", "u_b", raw=(230.1, bad_value)))
        assert spoilt is not None
        assert spoilt.values == (230.1, None)


@pytest.mark.parametrize("factor", [-32768, 30000, float("nan"), float("inf")])
def test_a_scale_register_that_is_none_makes_no_value(factor: float) -> None:
    scaled = a_point("p_tot", scale_from=ScaleFrom(PointId("sf"), "exponent"))
    device = a_device(METER, [scaled, a_point("sf", is_published=False)])
    readings = Normaliser({METER: device}, ()).to_readings(
        _samples("p_tot", "sf", raw=(2301, factor))
    )
    assert readings is not None
    assert readings.values == (None,)


def test_the_plausible_range_is_that_of_the_scaled_value() -> None:
    scaled = a_point("u_a", scale_from=ScaleFrom(PointId("sf"), "exponent"), maximum=300.0)
    device = a_device(METER, [scaled, a_point("sf", is_published=False)])
    normaliser = Normaliser({METER: device}, ())
    for raw, expected in ((2301, 230.1), (9999, None)):
        readings = normaliser.to_readings(_samples("u_a", "sf", raw=(raw, -1)))
        assert readings is not None
        assert readings.values == (expected,)


def test_a_value_beyond_all_numbers_is_bad_and_not_infinite() -> None:
    device = a_device(METER, [a_point("ep_imp", scale=Decimal(1000))])
    readings = Normaliser({METER: device}, ()).to_readings(_samples("ep_imp", raw=(1e308,)))
    assert readings is not None
    assert readings.values == (None,)
