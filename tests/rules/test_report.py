"""Dead-band and heartbeat: what is sent, and what is not."""

from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, PointId
from gateway.model.quality import Mark, bad
from gateway.model.reading import PointColumn, Readings, Value
from gateway.rules.report import BAD_HEARTBEAT_S, Reporter, snapshots
from gateway.settings.site import Deadband
from tests.support.points import a_device, a_point

METER = DeviceId("em-01")
COLUMN = PointColumn((PointId("u_a"), PointId("ep_imp")), ("V", "kW.h"))
TIMEOUT = bad("timeout")


def _reporter(*deadbands: Deadband) -> Reporter:
    points = [
        a_point(point, deadband=deadband)
        for point, deadband in zip(COLUMN.points, deadbands, strict=True)
    ]
    return Reporter({METER: a_device(METER, points)})


def _read(*values: Value | None, marks: tuple[Mark, ...] | None = None, ts: int = 0) -> Readings:
    return Readings(METER, COLUMN, values, marks, ts, TimeQuality.SYNC)


def test_without_a_deadband_every_good_reading_is_sent() -> None:
    reporter = _reporter(Deadband(), Deadband())
    for now in range(3):
        body = reporter.report(_read(230.0, 1.0), float(now))
        assert body is not None
        assert body.values == (230.0, 1.0)


def test_a_small_change_is_held_back_and_a_large_one_is_sent() -> None:
    reporter = _reporter(Deadband(absolute=1.0), Deadband(absolute=0.1))
    assert reporter.report(_read(230.0, 5.0), 0.0) is not None
    assert reporter.report(_read(230.9, 5.0), 1.0) is None
    body = reporter.report(_read(231.0, 5.0), 2.0)
    assert body is not None
    assert body.column.points == ("u_a",)
    assert body.values == (231.0,)


def test_slow_drift_is_measured_from_what_was_sent() -> None:
    reporter = _reporter(Deadband(absolute=1.0), Deadband(absolute=1.0))
    sent = [reporter.report(_read(230 + step * 0.3, 0.0), float(step)) for step in range(8)]
    assert [body is not None for body in sent] == [True, False, False, False, True] + [False] * 3


def test_a_percent_deadband_follows_the_value() -> None:
    reporter = _reporter(Deadband(percent=10.0), Deadband(percent=10.0))
    reporter.report(_read(100.0, 0.0), 0.0)
    assert reporter.report(_read(109.0, 0.0), 1.0) is None
    assert reporter.report(_read(110.0, 0.0), 2.0) is not None


def test_the_heartbeat_sends_what_did_not_change() -> None:
    quiet = Deadband(absolute=1.0, heartbeat_s=60.0)
    reporter = _reporter(quiet, quiet)
    reporter.report(_read(230.0, 5.0), 0.0)
    assert reporter.report(_read(230.0, 5.0), 59.0) is None
    assert reporter.report(_read(230.0, 5.0), 60.0) is not None


def test_bad_quality_is_sent_when_it_begins_changes_and_ends() -> None:
    reporter = _reporter(Deadband(), Deadband())
    reporter.report(_read(230.0, 5.0), 0.0)
    dead = _read(None, None, marks=(TIMEOUT, TIMEOUT))
    assert reporter.report(dead, 1.0) is not None
    assert reporter.report(dead, 2.0) is None
    crc = _read(None, None, marks=(bad("crc"), bad("crc")))
    assert reporter.report(crc, 3.0) is not None
    assert reporter.report(crc, 4.0) is None
    assert reporter.report(crc, 3.0 + BAD_HEARTBEAT_S) is not None
    assert reporter.report(_read(230.0, 5.0), 5.0 + BAD_HEARTBEAT_S) is not None
    assert reporter.report(dead, 6.0 + BAD_HEARTBEAT_S) is not None


def test_a_snapshot_has_every_point_once_with_its_age() -> None:
    reporter = _reporter(Deadband(), Deadband())
    reporter.report(_read(230.0, 5.0, ts=1000), 0.0)
    reporter.report(_read(231.0, 5.0, ts=3000), 2.0)
    ((device, ts_ms, body),) = snapshots(list(reporter.latest()))
    assert (device, ts_ms) == (METER, 3000)
    assert body.values == (231.0, 5.0)
    assert body.offsets_ms == (0, 0)
    assert body.is_snapshot


def test_asked_readings_pass_the_deadband() -> None:
    reporter = _reporter(Deadband(absolute=10.0), Deadband(absolute=10.0))
    reporter.report(_read(230.0, 5.0), 0.0)
    asked = Readings(METER, COLUMN, (230.0, 5.0), None, 0, TimeQuality.SYNC, asked=True)
    assert reporter.report(asked, 1.0) is not None


def test_a_step_of_exactly_the_deadband_is_sent_in_spite_of_binary_dust() -> None:
    reporter = _reporter(Deadband(absolute=0.1), Deadband(absolute=0.1))
    reporter.report(_read(230.1, 0.0), 0.0)
    assert 230.2 - 230.1 < 0.1
    assert reporter.report(_read(230.2, 0.0), 1.0) is not None


def test_a_deadband_of_zero_holds_back_what_did_not_change() -> None:
    reporter = _reporter(Deadband(absolute=0.0), Deadband(absolute=0.0))
    reporter.report(_read(1.0, 1.0), 0.0)
    assert reporter.report(_read(1.0, 1.0), 1.0) is None


def _ask(value: float, ts: int) -> Readings:
    column = PointColumn((PointId("u_a"),), ("V",))
    return Readings(METER, column, (value,), None, ts, TimeQuality.SYNC, asked=True)


def test_what_a_command_read_counts_as_sent() -> None:
    reporter = _reporter(Deadband(absolute=5.0), Deadband(absolute=5.0))
    reporter.report(_read(230.0, 1.0), 0.0)
    assert reporter.report(_ask(240.0, 1), 1.0) is not None
    body = reporter.report(_read(230.0, 1.0, ts=2), 2.0)
    assert body is not None  # else the platform would believe 240 for ever
    assert body.column.points == ("u_a",)


def test_a_snapshot_has_every_point_once_with_its_newest_value() -> None:
    reporter = _reporter(Deadband(), Deadband())
    reporter.report(_ask(240.0, 5), 0.0)
    reporter.report(_read(230.0, 1.0, ts=9), 1.0)
    ((_, ts_ms, body),) = snapshots(list(reporter.latest()))
    assert ts_ms == 9
    assert dict(zip(body.column.points, body.values, strict=True)) == {"u_a": 230.0, "ep_imp": 1.0}


def test_only_what_a_reload_changed_is_forgotten() -> None:
    reporter = _reporter(Deadband(absolute=1.0), Deadband(absolute=1.0))
    reporter.report(_read(230.0, 1.0), 0.0)
    devices = {METER: a_device(METER, [a_point("u_a"), a_point("ep_imp")])}
    reporter.replace(devices, ())
    assert reporter.report(_read(230.0, 1.0), 1.0) is None
    reporter.replace(devices, {METER})
    assert not list(reporter.latest())
