"""Simulated devices with declared frames say what their twins are, value by value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drivers.contract import Exchange, Job, LineCost, Moment, SessionDevice, Wanted
from drivers.declared import ASKED, DRIVER, LISTENED
from drivers.declared.address import DeclaredAddress
from drivers.declared.values import Form
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, LineName, PointId
from gateway.model.sample import Samples
from gateway.normalise.readings import Normaliser
from gateway.normalise.write import to_raw
from gateway.rules.report import singles
from gateway.settings.profiles import load_profile, resolve_points, resolve_quirks
from gateway.settings.site import Device, Point, ValueType
from gateway.settings.where import Where
from simulators.contract import Simulated, Slaves
from simulators.ledger import Ledger
from simulators.twin import Twin
from simulators.wires import load

NOW_MS = 1_767_225_600_000
DRIVE = DRIVER.protocols[ASKED]
READ = (
    ("generic/parking-detector-485", "7"),
    ("generic/m77r-receiver", "001/02/17"),
    ("uhppote/door-controller", "423187757"),
)


def device(name: str, address: str) -> Device:
    profile = load_profile(name).profile
    assert profile is not None
    return Device(
        id=DeviceId("d" + address.replace("/", "-")), profile=profile.id, kind=profile.kind.id,
        line=LineName("l"), protocol=ASKED, unit=DRIVE.parse_unit(address), address_text=address,
        points=tuple(resolve_points(profile)), quirks=resolve_quirks(profile),
        where=Where("test", 1, 1),
    )  # fmt: skip


class Stage:
    """Devices behind one port, and their ledger."""

    def __init__(self, *devices: Device) -> None:
        self.ledger = Ledger()
        self.devices = devices
        self.simulated = [
            Simulated(d, Twin(d.id, d.kind, d.points, self.ledger, seed=5)) for d in devices
        ]
        slaves = load("declared").slaves(ASKED, self.simulated)
        assert slaves is not None
        self.slaves: Slaves = slaves

    def ask(self, exchange: Exchange, now_ms: int = NOW_MS) -> Any:
        request = bytearray(b"\x00" + exchange.request)
        frame = self.slaves.take(request)
        assert frame is not None
        assert not request
        reply = self.slaves.answer(frame, now_ms)
        return None if reply is None else exchange.feed(reply.frame)

    def run(self, job: Job, now_ms: int = NOW_MS) -> Any:
        steps = job.steps()
        reply = self.ask(next(steps), now_ms)
        with pytest.raises(StopIteration) as done:
            steps.send(reply)
        return done.value.value

    def check(self, device: Device, points: list[Point], row: tuple[Any, ...], now_ms: int) -> None:
        ids = tuple(point.id for point in points)
        samples = Samples(device.id, ids, row, None, now_ms, now_ms, TimeQuality.SYNC)
        readings = Normaliser({device.id: device}, ()).to_readings(samples)
        for one in singles(readings) if readings else ():
            assert one.value is not None, one
            assert self.ledger.holds(device.id, one.point, one.value, (now_ms, now_ms)), one


@pytest.mark.parametrize(("name", "address"), READ)
def test_every_point_is_read_as_the_twin_is(name: str, address: str) -> None:
    mine = device(name, address)
    stage = Stage(mine)
    points = [point for point in mine.points if point.is_readable]
    wanted = [Wanted(key, point.address) for key, point in enumerate(points)]
    jobs = DRIVE.plan(mine.unit, wanted, mine.quirks.driver, LineCost(0.001, 0.01))
    read: set[int] = set()
    for now_ms in range(NOW_MS, NOW_MS + 200_000, 10_000):
        for job in jobs:
            row = tuple(stage.run(job, now_ms))
            stage.check(mine, [points[key] for key in job.keys], row, now_ms)
            read |= set(job.keys)
    assert read == set(range(len(points)))


def test_each_device_answers_for_itself_and_nobody_for_others() -> None:
    first, second = device(*READ[0]), device(READ[0][0], "8")
    stage = Stage(first, second)
    stage.simulated[0].twin.hold("status", "occupied", NOW_MS)
    stage.simulated[1].twin.hold("status", "free", NOW_MS)
    status = next(point for point in first.points if point.id == "status")

    def read(unit: int) -> Any:
        (job,) = DRIVE.plan(unit, [Wanted(0, status.address)], first.quirks.driver, LineCost(0, 0))
        return stage.ask(next(job.steps()))

    assert read(7).fields["value"] == 1
    assert read(8).fields["value"] == 0
    assert read(9) is None


def test_a_lamp_takes_the_colour_that_is_written() -> None:
    mine = device(*READ[0])
    stage = Stage(mine)
    colour = next(point for point in mine.points if point.id == "led_colour")
    job = DRIVE.plan_write(mine.unit, colour.address, to_raw(colour, "blue"), mine.quirks.driver)
    assert stage.run(job) == ()
    stage.simulated[0].twin.hold("led_colour", "blue", NOW_MS)
    (read,) = DRIVE.plan(mine.unit, [Wanted(0, colour.address)], mine.quirks.driver, LineCost(0, 0))
    assert stage.run(read) == (4,)


def test_a_board_confirms_the_number_it_shows() -> None:
    board = device("sunpn/parking-led", "1")
    stage = Stage(board)
    (count,) = board.points
    job = DRIVE.plan_write(board.unit, count.address, 888, board.quirks.driver)
    asked = next(job.steps())
    assert asked.request == bytes.fromhex("3a00780301b60a")
    reply = stage.slaves.answer(asked.request, NOW_MS)
    assert reply is not None
    assert reply.frame == bytes.fromhex("2a00780301a60a")
    assert stage.run(job) == ()


def test_a_door_is_opened_or_refused() -> None:
    mine = device(*READ[2])
    stage = Stage(mine)
    unlock = next(point for point in mine.points if point.id == "unlock_2")
    job = DRIVE.plan_write(mine.unit, unlock.address, True, mine.quirks.driver)
    assert stage.run(job) == ()
    refusal = stage.slaves.refusal(next(job.steps()).request)
    assert refusal is not None
    assert refusal[:9] == bytes.fromhex("174000002d55391900")


def test_values_at_places_of_bytes_are_written_with_a_right_check_value() -> None:
    frame = {
        "address": "addr",
        "checksum": {"kind": "crc16-modbus"},
        "requests": {"read": "AA <addr:1> <sum>"},
        "replies": {"read": "BB <addr:1> ??*12 <sum>"},
    }
    keys: dict[str, Any] = {"frame": frame, "request": "read"}
    places = (
        DeclaredAddress(**keys, at=2, bytes=2, order="little"),
        DeclaredAddress(**keys, at=4, bytes=2, type=Form.BCD),
        DeclaredAddress(**keys, at=-10, bytes=4, type=Form.FLOAT),
        DeclaredAddress(**keys, at=10, mask=0x30),
        DeclaredAddress(**keys, at=10, bit=0),
    )
    plain = device(*READ[0])
    any_point = next(point for point in plain.points if point.id == "dist")
    points = tuple(
        replace(
            any_point, id=PointId(f"p{n}"), address=place, scale=any_point.scale / 100,
            type=ValueType.BOOL if place.bit is not None else ValueType.INT,
        )
        for n, place in enumerate(places)
    )  # fmt: skip
    mine = replace(plain, points=points)
    stage = Stage(mine)
    for n, value in enumerate((300, 1234, 77, 2, True)):
        stage.simulated[0].twin.hold(f"p{n}", value, NOW_MS)
    wanted = [Wanted(n, place) for n, place in enumerate(places)]
    (job,) = DRIVE.plan(7, wanted, mine.quirks.driver, LineCost(0, 0))
    assert stage.run(job) == (300, 1234, 77.0, 2, True)


def test_listened_devices_tell_all_at_first_and_then_what_changed() -> None:
    mine = device(*READ[1])
    stage = Stage(mine)
    callers = load("declared").callers(LISTENED, stage.simulated)
    assert callers is not None
    assert load("declared").slaves(LISTENED, stage.simulated) is None
    known = SessionDevice(mine.unit, tuple(p.address for p in mine.points), mine.quirks.driver)
    session = DRIVER.sessions[LISTENED].start([known], Moment(0.0))
    stage.simulated[0].twin.hold("status", "free", NOW_MS)
    stage.simulated[0].twin.hold("fault", False, NOW_MS)
    by_address = {point.address: point for point in mine.points}

    def hear(said: bytes, now_ms: int) -> set[str]:
        samples = session.received(said, Moment(1.0)).samples
        points = [by_address[sample.address] for sample in samples]
        stage.check(mine, points, tuple(sample.raw for sample in samples), now_ms)
        return {str(point.id) for point in points}

    assert hear(callers.opened(NOW_MS), NOW_MS) == {str(point.id) for point in mine.points}
    stage.simulated[0].twin.hold("status", "occupied", NOW_MS + 500)
    later = callers.wake_at_ms
    assert later == NOW_MS + 1000
    assert "status" in hear(callers.wake(later), later)
    assert "status" in hear(callers.received(b"#017,*", later), later)
    assert callers.received(b"#018,*", later) == b""


@pytest.mark.parametrize(("state", "is_faulty"), [("unknown", True), ("occupied", False)])
def test_points_of_one_field_agree(state: str, *, is_faulty: bool) -> None:
    mine = device(*READ[1])
    stage = Stage(mine)
    stage.simulated[0].twin.hold("status", state, NOW_MS)
    stage.simulated[0].twin.hold("fault", not is_faulty, NOW_MS)
    points = [point for point in mine.points if point.id in {"status", "fault"}]
    wanted = [Wanted(key, point.address) for key, point in enumerate(points)]
    (job,) = DRIVE.plan(mine.unit, wanted, mine.quirks.driver, LineCost(0, 0))
    row = tuple(stage.run(job))
    stage.check(mine, points, row, NOW_MS)
    assert row == (2 if is_faulty else 1, is_faulty)
