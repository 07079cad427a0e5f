"""Simulated transmitters tell the driver's session what their twins are, value by value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drivers.contract import Moment, SessionDevice, SessionOutput
from drivers.gbt26875 import DRIVER, PROTOCOL
from drivers.gbt26875.address import Field, Gbt26875Address
from drivers.gbt26875.objects import Object
from gateway.model.clock import TimeQuality
from gateway.model.ids import DeviceId, LineName, PointId
from gateway.model.sample import Samples
from gateway.normalise.readings import Normaliser
from gateway.rules.report import singles
from gateway.settings.profiles import load_profile, resolve_points, resolve_quirks
from gateway.settings.site import Device, ValueType
from gateway.settings.where import Where
from simulators.contract import Simulated
from simulators.ledger import Ledger
from simulators.twin import Twin
from simulators.wires import load
from simulators.wires.gbt26875 import CONFIRM_MS, REPEATS, TEST_SIGNAL_MS

START_MS = 1_767_225_600_000
SOURCE = "010203040506"


class Stage:
    """Devices, their simulator, and the driver's session with them."""

    def __init__(self, *placed: tuple[str, str]) -> None:
        self.ledger = Ledger()
        self.devices = [self._device(*one) for one in placed]
        twins = [Twin(d.id, d.kind, d.points, self.ledger, seed=7) for d in self.devices]
        self.twins = {str(d.id): t for d, t in zip(self.devices, twins, strict=True)}
        simulated = [Simulated(d, t) for d, t in zip(self.devices, twins, strict=True)]
        callers = load("gbt26875").callers(PROTOCOL, simulated)
        assert callers is not None
        self.callers = callers
        known = [
            SessionDevice(d.unit, tuple(p.address for p in d.points), d.quirks.driver)
            for d in self.devices
        ]
        self.session = DRIVER.sessions[PROTOCOL].start(known, self.moment(START_MS))

    @staticmethod
    def moment(now_ms: int) -> Moment:
        return Moment(now_ms / 1000, now_ms, 8 * 3600)

    def hear(self, said: bytes, now_ms: int) -> SessionOutput:
        output = self.session.received(said, self.moment(now_ms))
        assert output.fault is None
        assert not output.unknown
        assert self.callers.received(output.send, now_ms) == b""
        return output

    def readings(self, output: SessionOutput, now_ms: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for device in self.devices:
            mine = [s for s in output.samples if s.unit == device.unit]
            ids = {p.address: p.id for p in device.points}
            points = tuple(ids[s.address] for s in mine)
            row = tuple(s.raw for s in mine)
            samples = Samples(device.id, points, row, None, now_ms, now_ms, TimeQuality.SYNC)
            readings = Normaliser({device.id: device}, ()).to_readings(samples) if mine else None
            for one in singles(readings) if readings else ():
                found[f"{device.id}.{one.point}"] = one.value
                assert one.value is not None
                span = (now_ms, now_ms)
                assert self.ledger.holds(device.id, one.point, one.value, span), one
        return found

    @staticmethod
    def _device(name: str, address: str) -> Device:
        kind = "device" if "/" in address else "transmitter"
        profile = load_profile(f"generic/gbt26875-{kind}").profile
        assert profile is not None
        return Device(
            id=DeviceId(name), profile=profile.id, kind=profile.kind.id, line=LineName("l"),
            protocol=PROTOCOL, unit=DRIVER.sessions[PROTOCOL].parse_unit(address),
            address_text=address, points=tuple(resolve_points(profile)),
            quirks=resolve_quirks(profile), where=Where("test", 1, 1),
        )  # fmt: skip


@pytest.fixture
def stage() -> Stage:
    return Stage(("tx", SOURCE), ("d1", f"{SOURCE}/6.217"), ("d2", "0000000000ff/1.2/6.218"))


def test_every_point_of_every_device_is_told_when_the_connection_opens(stage: Stage) -> None:
    output = stage.hear(stage.callers.opened(START_MS), START_MS)
    found = stage.readings(output, START_MS)
    every = {f"{d.id}.{p.id}" for d in stage.devices for p in d.points}
    assert found.keys() == every
    assert found["d1.state_word"] == 1
    assert found["tx.tx_time"] == "2026-01-01T08:00:00"
    assert set(output.alive) == {d.unit for d in stage.devices}


def test_a_fire_is_told_within_a_second_and_only_of_its_detector(stage: Stage) -> None:
    stage.hear(stage.callers.opened(START_MS), START_MS)
    now_ms = stage.callers.wake_at_ms or 0
    assert now_ms == START_MS + 1000
    assert stage.callers.wake(now_ms) == b""
    assert stage.twins["d1"].happen("fire", now_ms, 60)
    output = stage.hear(stage.callers.wake(now_ms), now_ms)
    found = stage.readings(output, now_ms)
    assert {name for name in found if not name.startswith("tx.")} == {
        f"d1.{p.id}" for p in stage.devices[1].points
    }
    assert (found["d1.alarm"], found["d1.active"], found["d1.state_word"]) == (True, True, 2)
    assert found["tx.last_event"].startswith("component 1.1/000600d9 alarm")


def test_what_is_not_confirmed_is_sent_again_three_times(stage: Stage) -> None:
    first = stage.callers.opened(START_MS)
    repeated = [
        stage.callers.wake(START_MS + CONFIRM_MS * n + 1).startswith(first[:60])
        for n in range(1, REPEATS + 2)
    ]
    assert repeated == [True, True, True, False]


def test_a_test_signal_shows_life_while_nothing_changes(stage: Stage) -> None:
    stage.hear(stage.callers.opened(START_MS), START_MS)
    now_ms = START_MS + TEST_SIGNAL_MS
    output = stage.hear(stage.callers.wake(now_ms), now_ms)
    assert set(output.alive) == {d.unit for d in stage.devices}


@pytest.mark.parametrize(
    ("kind", "value", "told"), [("temperature", 25.34, 25.3), ("2", -1.2, -1.2)]
)
def test_an_analogue_value_is_told_as_its_step_allows(kind: str, value: float, told: float) -> None:
    stage = Stage(("d1", f"{SOURCE}/6.217"))
    (device,) = stage.devices
    address = Gbt26875Address(Object.ANALOGUE, Field.VALUE, kind)
    model = replace(device.points[0], id=PointId("amount"), address=address, type=ValueType.FLOAT)
    device = replace(device, points=(model,))
    twin = Twin(device.id, device.kind, device.points, stage.ledger)
    twin.hold("amount", value, START_MS)
    callers = load("gbt26875").callers(PROTOCOL, [Simulated(device, twin)])
    assert callers is not None
    known = SessionDevice(device.unit, (address,), device.quirks.driver)
    session = DRIVER.sessions[PROTOCOL].start([known], Stage.moment(START_MS))
    (sample,) = session.received(callers.opened(START_MS), Stage.moment(START_MS)).samples
    assert sample.raw == told
    assert stage.ledger.holds("d1", "amount", told, (START_MS, START_MS))
